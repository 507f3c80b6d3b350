"""What is asked of asyncpg beyond its interface: arrays are lists and tuples, and nothing else is.

For every element of every array that is sent asyncpg asks two abstract classes of the standard library whether it may
be an array itself. That is a call into Python each time, and the arrays of a charge have two hundred elements: a tenth
of all that a charge cost. So it is given the two classes that we send arrays in, of which the interpreter knows by
itself what is an instance. Another container is refused by name when it is sent, as text is.
"""

from __future__ import annotations

from typing import Any

from asyncpg.protocol import protocol

from eci_payments.domain.errors import ensure

ARRAYS = (list, tuple)


def take_lists_as_arrays() -> None:
    """From now on, in this process. Raises BrokenInvariant where asyncpg no longer looks where it did."""
    names: Any = protocol
    ensure(hasattr(names, "IterableABC"), "asyncpg decides otherwise what is an array")
    names.IterableABC = ARRAYS
