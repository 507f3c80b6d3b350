"""Set-based statements: many rows travel as one array per column, and one row travels the same way.

Most rows of a table hold the same in some of their columns. Where all rows of a statement do, these columns do not
travel: the statement is the lean one, which has their values in its text, or leaves them alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

R = TypeVar("R")


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

    ``constants`` are columns that do not travel, with their values as SQL.
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

    def lean(self, usual: Mapping[str, int | None]) -> tuple[Recordset[R], Callable[[R], bool]]:
        """For new rows that hold these values in these columns: what else travels, and whether a row is one of them."""
        told = {name: repr(value).lower() for name, value in usual.items() if value is not None}
        read = self.reader(usual)
        values = tuple(usual[each.name] for each in self.fields if each.name in usual)
        return Recordset(self.table, self.without(usual).fields, told), lambda row: read(row) == values

    def reader(self, names: Collection[str]) -> Callable[[R], tuple[Any, ...]]:
        """Reads these columns of a row, two at least, before they are made what is sent."""
        read: Callable[[R], tuple[Any, ...]] = attrgetter(*(f.source for f in self.fields if f.name in names))
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
        names = ", ".join([self.columns, *self.constants])
        landed = ", ".join([*(field.landed for field in self.fields), *self.constants.values()])
        return f"INSERT INTO {self.table} ({names}) SELECT {landed} FROM {self.source(first)}"

    def update(self, first: int, keys: Sequence[str], guard: str, fixed: Sequence[str] = ()) -> str:
        """Update every row that ``keys`` name, if ``guard`` holds; ``fixed`` columns are not written."""
        left_alone = {*keys, *fixed}
        changes = ", ".join(f"{f.name} = {f.landed}" for f in self.fields if f.name not in left_alone)
        same = " AND ".join(f"t.{key} = r.{key}" for key in keys)
        return f"UPDATE {self.table} AS t SET {changes} FROM {self.source(first)} WHERE {same} AND {guard}"
