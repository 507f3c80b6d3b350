"""What is asked of asyncpg beyond its interface: an array is a list, and nothing else is.

For every element of every array that is sent asyncpg asks abstract classes of the standard library whether it may be an
array itself. That is a call into Python each time, and the arrays of a charge have more than a hundred elements. So it
is given the one class that we send arrays in, of which the interpreter knows by itself what is an instance; each class
more would be looked through for every element. Another container is refused by name when it is sent, as text is; but
`arrays` makes lists of tuples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncpg.protocol import protocol

from eci_payments.domain.errors import ensure

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLASSES: dict[str, type] = {"IterableABC": list, "SizedABC": list, "MappingABC": dict}
"""asyncpg's names of the classes that it asks for arrays, and what they are from now on."""


def take_lists_as_arrays() -> None:
    """From now on, in this process. Raises BrokenInvariant where asyncpg no longer looks where it did."""
    names: Any = protocol
    for name, known in _CLASSES.items():
        ensure(hasattr(names, name), "asyncpg decides otherwise what is an array")
        setattr(names, name, known)


def arrays(values: Iterable[object]) -> list[object]:
    """A statement's values as they are sent: tuples as lists."""
    return [list(value) if isinstance(value, tuple) else value for value in values]
