"""What asyncpg is told of arrays: lists and tuples are some, nothing else is."""

from __future__ import annotations

import asyncpg
import pytest

from eci_payments.store.session import run


@pytest.mark.parametrize("sent", [["a", None, "c"], ("a", None, "c")], ids=["list", "tuple"])
async def test_lists_and_tuples_are_arrays_and_their_texts_are_none(service, sent):
    async with service.read() as session:
        ((found,),) = await run(session, "SELECT $1::text[]", sent)
    assert found == ["a", None, "c"]


async def test_arrays_may_have_two_dimensions(service):
    async with service.read() as session:
        ((found,),) = await run(session, "SELECT $1::int[]", [[1, 2], [3, 4]])
    assert found == [[1, 2], [3, 4]]


@pytest.mark.parametrize("sent", [{1}, {1: 2}, "12", 1], ids=["set", "mapping", "text", "number"])
async def test_nothing_else_is_an_array(service, sent):
    async with service.read() as session:
        with pytest.raises(asyncpg.DataError, match="sized iterable container"):
            await run(session, "SELECT $1::int[]", sent)
