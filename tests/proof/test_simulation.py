"""Seeds in small: they end with right books, replay exactly, and what is planted in the service is found."""

from __future__ import annotations

import pytest

from proof import place
from proof.simulation import part, shrink
from proof.simulation.plan import plan_of
from proof.simulation.planted import PLANTED

FOUND = (567, 857)
"""Seeds that found a defect, of the service or of the simulation, which was mended."""
SEEDS = (*range(1, 26), *FOUND)
FOUND_WITH = {
    "an unknown outcome is taken for failed": 5,
    "an event is dropped": 3,
    "a refund is sent again under another key": 5,
    "keys of refunds are ignored": 6,
    "stored answers are made anew": 1,
    "late money is overlooked": 5,
    "the ledger misses refunds": 1,
    "an order is charged while its outcome is unknown": 3,
    "stock is released although the order is paid": 20,
    "recovery forgets what stopped half-way": 2,
}
"""Each planted defect, and the first seed in which it shows."""


@pytest.fixture(scope="module")
def sites(postgres):
    urls = dict(zip(place.URLS, (postgres.admin, postgres.owner, postgres.service), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        for name, url in urls.items():
            patch.setenv(name, url.render_as_string(hide_password=False))
        with place.server() as on, part.sites(on, 2) as here:
            yield here


@pytest.mark.timeout(300)
def test_after_whatever_a_seed_brings_everybodys_books_agree(sites):
    result = part.run_seeds(sites, SEEDS)
    assert [part.told(wrong) for wrong in result.wrong] == []
    assert len(result.ended) == len(SEEDS)
    assert result.counted("fault") > 50
    assert result.counted("request") > 200


@pytest.mark.timeout(300)
def test_a_seed_replays_exactly_whatever_ran_before_it_and_wherever(sites):
    first, second = (
        {each.plan.seed: each.digest for each in part.run_seeds([site], seeds).ended}
        for site, seeds in zip(sites, ([2, 3, 4], [4, 3, 2]), strict=True)
    )
    assert first == second
    assert len(set(first.values())) == 3


@pytest.mark.timeout(300)
@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found(sites, planted):
    ended = part.run_plan(sites[0], planted, plan_of(FOUND_WITH[planted]))
    assert ended.found, f"not with seed {FOUND_WITH[planted]}"
    assert ended.told[-1]


@pytest.mark.timeout(300)
def test_a_failing_seed_shrinks_to_what_it_fails_with(sites):
    planted = "the ledger misses refunds"
    wrong = part.run_plan(sites[0], planted, plan_of(FOUND_WITH[planted]))
    small = shrink.shrunk(wrong, lambda plan: part.run_plan(sites[0], planted, plan), most_runs=6)
    assert len(small.plan.parts) < len(wrong.plan.parts)
    assert shrink.laws(small.found) & shrink.laws(wrong.found)
    assert set(small.plan.left_out) | set(small.plan.parts) == set(wrong.plan.parts)
