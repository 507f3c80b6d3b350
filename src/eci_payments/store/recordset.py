"""Set-based statements: many rows travel as one array per column, and one row travels the same way.

Most rows of a table hold the same in some of their columns. Where all rows of a statement do, these columns do not
travel: the statement is the lean one, which has their values in its text, or leaves them alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

R = TypeVar("R")


class Moment(Enum):
    """A time that the database knows by itself."""

    NOW = "now()"
    """When the transaction began, by the database's clock."""


Usual = int | str | Moment | None
"""What a column holds in most rows."""


@dataclass(frozen=True, slots=True)
class Field(Generic[R]):
    """One column of a recordset: its name, its PostgreSQL type, and where it stands in a row object.

    ``source`` is an attribute, or attributes with dots between them; ``write`` makes of it what is sent. JSON travels
    as text and is cast where it lands.
    """

    name: str
    type: str
    source: str
    write: Callable[[Any], Any] | None = None

    @property
    def array_type(self) -> str:
        """The type in which the column travels."""
        return "text[]" if self.type == "jsonb" else f"{self.type}[]"

    @property
    def landed(self) -> str:
        """The column as the statement uses it."""
        return f"r.{self.name}::jsonb" if self.type == "jsonb" else f"r.{self.name}"


@dataclass(frozen=True, slots=True)
class Recordset(Generic[R]):
    """The columns in which rows of one table travel, and the statements made of them.

    ``constants`` are columns that do not travel, with their values as SQL. NULL is what a new row holds anyhow.
    """

    table: str
    fields: tuple[Field[R], ...]
    constants: Mapping[str, str] = field(default_factory=dict)
    _read: Callable[[R], tuple[Any, ...]] = field(init=False, repr=False, compare=False)
    _written: tuple[tuple[int, Callable[[Any], Any]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """One look reads all columns of a row."""
        written = [(place, each.write) for place, each in enumerate(self.fields) if each.write is not None]
        object.__setattr__(self, "_read", attrgetter(*(each.source for each in self.fields)))
        object.__setattr__(self, "_written", tuple(written))

    @property
    def columns(self) -> str:
        """The column list, for INSERT and SELECT alike."""
        return ", ".join(field.name for field in self.fields)

    def without(self, names: Collection[str]) -> Recordset[R]:
        """The same rows without these columns."""
        return Recordset(self.table, tuple(f for f in self.fields if f.name not in names))

    def lean(
        self, usual: Mapping[str, Usual]
    ) -> tuple[Recordset[R], Callable[[Sequence[R], datetime], bool]]:
        """For rows that hold these values in these columns: what else travels, and whether all of some rows do.

        The time that it is asked with is the transaction's.
        """
        told = {each.name: _sql(usual[each.name], each.type) for each in self.fields if each.name in usual}
        read = self.reader(usual)
        values = [usual[name] for name in told]

        def fit(rows: Sequence[R], now: datetime) -> bool:
            wanted = tuple([now if value is Moment.NOW else value for value in values])
            return [*map(read, rows)].count(wanted if len(wanted) > 1 else wanted[0]) == len(rows)

        return Recordset(self.table, self.without(usual).fields, told), fit

    def reader(self, names: Collection[str]) -> Callable[[R], Any]:
        """Reads these columns of a row, before they are made what is sent: a tuple, or one column's value itself."""
        read: Callable[[R], Any] = attrgetter(*(f.source for f in self.fields if f.name in names))
        return read

    def values(self, rows: Sequence[R]) -> list[Sequence[Any]]:
        """One sequence per column, in the order of `fields`. There is at least one row."""
        columns: list[Sequence[Any]] = list(zip(*map(self._read, rows), strict=True))
        for place, write in self._written:
            columns[place] = [write(value) for value in columns[place]]
        return columns

    def source(self, first: int) -> str:
        """``unnest(…) AS r (…)`` over parameters that begin at ``$first``."""
        arrays = ", ".join(f"${first + i}::{field.array_type}" for i, field in enumerate(self.fields))
        return f"unnest({arrays}) AS r ({self.columns})"

    def place(self, name: str, first: int) -> str:
        """The parameter that this column travels in."""
        (found,) = (
            f"${first + i}::{field.array_type}" for i, field in enumerate(self.fields) if field.name == name
        )
        return found

    def insert(self, first: int) -> str:
        """Insert every row."""
        told = {name: value for name, value in self.constants.items() if value != _NULL}
        names = ", ".join([self.columns, *told])
        landed = ", ".join([*(field.landed for field in self.fields), *told.values()])
        return f"INSERT INTO {self.table} ({names}) SELECT {landed} FROM {self.source(first)}"

    def changes(self, left_alone: Collection[str]) -> str:
        """What SET says, of every column but these."""
        written = {field.name: field.landed for field in self.fields} | dict(self.constants)
        return ", ".join(f"{name} = {value}" for name, value in written.items() if name not in left_alone)

    def update(self, first: int, keys: Sequence[str], guard: str, fixed: Sequence[str] = ()) -> str:
        """Update every row that ``keys`` name, if ``guard`` holds; ``fixed`` columns are not written."""
        same = " AND ".join(f"t.{key} = r.{key}" for key in keys)
        changes = self.changes({*keys, *fixed})
        return f"UPDATE {self.table} AS t SET {changes} FROM {self.source(first)} WHERE {same} AND {guard}"


_NULL = "NULL"


def _sql(value: Usual, kind: str) -> str:
    """A usual value in a statement's text."""
    if value is None:
        return _NULL
    if isinstance(value, Moment):
        return str(value.value)
    return f"'{value}'::{kind}" if isinstance(value, str) else repr(value).lower()
