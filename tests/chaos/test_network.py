"""The network between the service and its gateway, its peers and its database: cut, half-cut and slow, under load.

Half-cut is the worst: what is asked arrives and is done, and nobody hears of it.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from support.line import Line, State
from support.town import ALL, survives, town

if TYPE_CHECKING:
    from pathlib import Path

    from support.archived_server import ArchivedServer

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not ALL, reason="`make chaos` does it"),
]
LATE_S = 0.15
"""So late is each piece of a slow line: a charge has several of the database's, and one or two of the others'."""


async def fails(line: Line, state: State, seconds: float) -> None:
    """So for a while; connections on which something was lost are broken before it is whole again."""
    line.late_s = LATE_S
    line.be(state)
    await asyncio.sleep(seconds)
    if state is State.HALF:
        line.be(State.CUT)
    line.be(State.WHOLE)


@pytest.mark.parametrize("to", ["gateway", "peers", "database"])
async def test_the_line_is_cut_half_cut_and_slow(
    tmp_path: Path, server: ArchivedServer, record_property, to: str
):
    """The gateway is a process of its own here, which speaks HTTP and sends webhooks."""
    async with town(tmp_path, server, record_property, gateway_apart=True) as made:
        assert made.to_gateway is not None
        lines = {"gateway": made.to_gateway, "peers": made.to_peers, "database": made.to_database}
        states = (State.HALF, State.SLOW, State.CUT)
        next_state = itertools.cycle(states)

        async def outage() -> None:
            await fails(lines[to], next(next_state), 2)

        record_property("tried", f"the line to the {to} is half-cut, slow and cut, in turn")
        await survives(made, outage, times=2 * len(states))
        assert all(lines[to].pieces[state] for state in states), "nobody used the line while it failed"
