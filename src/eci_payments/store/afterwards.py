"""What a migration leaves to be done beside the writers: indexes on tables in use, checks of rows that are there.

Either would hold up every writer if it ran in the migration's transaction. So a migration names them in ``AFTERWARDS``
and `store.migrate` does them when the transaction has committed, one statement and one commit at a time. Whoever is
interrupted leaves a database that works; the next `migrate` does what is lacking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession


class Afterwards(Protocol):
    """One such thing; it can be asked whether it is done, and done again after an interruption."""

    @property
    def name(self) -> str:
        """What is told of it."""
        ...

    async def is_done(self, session: ReadSession | WriteSession) -> bool:
        """Whether it is there and complete."""
        ...

    async def do(self, session: WriteSession) -> None:
        """Do it; ``session`` commits every statement by itself."""
        ...


@dataclass(frozen=True, slots=True)
class ConcurrentIndex:
    """An index that is built while rows are written. ``definition`` follows its name: ``ON table (columns)``."""

    index: str
    definition: str
    unique: bool = False

    @property
    def name(self) -> str:
        """What is told of it."""
        return f"index {self.index}"

    async def is_done(self, session: ReadSession | WriteSession) -> bool:
        """Whether it is valid: one whose building was interrupted is there, is kept up and is never used."""
        rows = await run(session, _VALID_INDEX, self.index)
        return bool(rows) and rows[0].indisvalid

    async def do(self, session: WriteSession) -> None:
        """Build it; what an interrupted try left is removed first."""
        kind = "UNIQUE INDEX" if self.unique else "INDEX"
        await run(session, f"DROP INDEX CONCURRENTLY IF EXISTS {self.index}")
        await run(session, f"CREATE {kind} CONCURRENTLY {self.index} {self.definition}")


@dataclass(frozen=True, slots=True)
class Validation:
    """A constraint that was added ``NOT VALID``, held against the rows that were there before it."""

    table: str
    constraint: str

    @property
    def name(self) -> str:
        """What is told of it."""
        return f"validation of {self.constraint}"

    async def is_done(self, session: ReadSession | WriteSession) -> bool:
        """Whether every row is known to satisfy it."""
        rows = await run(session, _VALID_CONSTRAINT, self.table, self.constraint)
        return bool(rows) and rows[0].convalidated

    async def do(self, session: WriteSession) -> None:
        """Read the table once, under a lock that lets rows be written."""
        await run(session, f"ALTER TABLE {self.table} VALIDATE CONSTRAINT {self.constraint}")


_VALID_INDEX = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
_VALID_CONSTRAINT = (
    "SELECT convalidated FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2::text::name"
)
