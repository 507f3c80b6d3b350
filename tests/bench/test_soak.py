"""What the soak says of samples: flat ones are flat, and each thing that grows is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from soak import judging
from soak.sampling import Sample

ASKED = judging.Asked(rate=100.0, processes=3)
FLAT = Sample(
    at_s=0.0,
    serve_mb=120.0,
    work_mb=110.0,
    postgres_mb=90.0,
    files=180,
    connections=20,
    waiting=40,
    payments=0,
    live_rows=0,
    dead_rows=0,
    size_bytes=0,
)


def samples(**grow: float) -> list[Sample]:
    """A minute and a half of charges; ``grow`` is how much more of a quantity each sample has than the one before."""
    made = []
    for number in range(18):
        payments = 5000 + 500 * number
        live = 20 * payments
        sample = replace(
            FLAT,
            at_s=5.0 * number,
            payments=payments,
            live_rows=live,
            dead_rows=live // 10,
            size_bytes=4000 * payments,
        )
        more = {
            name: type(getattr(sample, name))(getattr(sample, name) + by * number)
            for name, by in grow.items()
        }
        made.append(replace(sample, **more))
    return made


def growing(found: list[Sample]) -> list[str]:
    return [each.bound.name for each in judging.judged(found, ASKED) if not each.holds]


def test_what_is_flat_is_flat_while_payments_grow():
    assert growing(samples()) == []
    assert not any("**grows**" in line for line in judging.lines(judging.judged(samples(), ASKED)))


@pytest.mark.parametrize(
    ("quantity", "by", "named"),
    [
        ("serve_mb", 1.0, "memory of a `serve`, MB"),
        ("work_mb", 1.0, "memory of the `work`, MB"),
        ("postgres_mb", 2.0, "memory of PostgreSQL's processes, MB"),
        ("connections", 1, "connections to the database"),
        ("files", 3, "open files of all processes"),
        ("waiting", 30, "what waits: operations, events, deliveries"),
        ("dead_rows", 10_000, "dead rows per live row"),
        ("size_bytes", 2_000_000, "bytes of tables and indexes per payment"),
    ],
)
def test_each_thing_that_grows_is_named(quantity, by, named):
    assert growing(samples(**{quantity: by})) == [named]
    assert any(
        "**grows**" in line for line in judging.lines(judging.judged(samples(**{quantity: by}), ASKED))
    )


def test_every_quantity_has_a_bound_and_a_reason():
    assert all(each.bound and each.why for each in judging.BOUNDS)


def test_a_run_too_short_for_thirds_is_refused():
    with pytest.raises(ValueError, match="too few"):
        judging.judged(samples()[:5], ASKED)
