"""Set-based statements: many rows travel as one array per column, and one row travels the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Field(Generic[R]):
    """One column of a recordset: its name, its PostgreSQL type, and how to read it from a row object.

    JSON travels as text and is cast where it lands.
    """

    name: str
    type: str
    get: Callable[[R], Any]

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
    """The columns in which rows of one table travel, and the statements made of them."""

    table: str
    fields: tuple[Field[R], ...]

    @property
    def columns(self) -> str:
        """The column list, for INSERT and SELECT alike."""
        return ", ".join(field.name for field in self.fields)

    def without(self, names: Collection[str]) -> Recordset[R]:
        """The same rows without these columns."""
        return Recordset(self.table, tuple(f for f in self.fields if f.name not in names))

    def values(self, rows: Sequence[R]) -> list[list[Any]]:
        """One list per column, in the order of `fields`."""
        return [[field.get(row) for row in rows] for field in self.fields]

    def source(self, first: int) -> str:
        """``unnest(…) AS r (…)`` over parameters that begin at ``$first``."""
        arrays = ", ".join(f"${first + i}::{field.array_type}" for i, field in enumerate(self.fields))
        return f"unnest({arrays}) AS r ({self.columns})"

    def insert(self, first: int) -> str:
        """Insert every row."""
        landed = ", ".join(field.landed for field in self.fields)
        return f"INSERT INTO {self.table} ({self.columns}) SELECT {landed} FROM {self.source(first)}"

    def update(self, first: int, keys: Sequence[str], guard: str, fixed: Sequence[str] = ()) -> str:
        """Update every row that ``keys`` name, if ``guard`` holds; ``fixed`` columns are not written."""
        left_alone = {*keys, *fixed}
        changes = ", ".join(f"{f.name} = {f.landed}" for f in self.fields if f.name not in left_alone)
        same = " AND ".join(f"t.{key} = r.{key}" for key in keys)
        return f"UPDATE {self.table} AS t SET {changes} FROM {self.source(first)} WHERE {same} AND {guard}"
