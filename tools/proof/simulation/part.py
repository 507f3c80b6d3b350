"""``python -m proof simulate``: seeds in as many processes as there are cores, each with a database of its own."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

from proof.parts import REPORTS, Part, Row
from proof.place import server
from proof.simulation import timed
from proof.simulation.plan import Plan, plan_of
from proof.simulation.planted import PLANTED
from proof.simulation.run import Ended, Site, run
from proof.simulation.shrink import shrunk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from proof.place import Server

COMMAND = "PYTHONPATH=tools python -m proof simulate"
SEEDS = 1000
"""What `make proof` runs. A seed takes about a second of one core, PostgreSQL's share of it included."""
PLANTED_SEEDS = 100
"""Within so many seeds each planted defect is found."""
TOLD_EVERY = 100
SHRUNK = 3
"""Failing seeds that are made small in one run; the others are only named."""


@dataclass
class Result:
    """All that a run of seeds came to."""

    ended: list[Ended] = field(default_factory=list)

    @property
    def wrong(self) -> list[Ended]:
        """Seeds in which something was found."""
        return sorted((each for each in self.ended if each.found), key=lambda each: each.plan.seed)

    def counted(self, what: str) -> int:
        """How often something happened, over all seeds."""
        return sum(each.counts.get(what, 0) for each in self.ended)


@contextmanager
def sites(on: Server, number: int) -> Iterator[list[Site]]:
    """So many databases in simulated time."""
    names = [on.create(on.template) for _ in range(number)]
    try:
        for name in names:
            timed.put_in_simulated_time(on, name)
        admin = on.admin.set(drivername="postgresql")
        yield [
            Site(admin.set(database=name).render_as_string(hide_password=False), on.urls(name)[1])
            for name in names
        ]
    finally:
        for name in names:
            on.drop(name)


def run_plan(site: Site, planted: str | None, plan: Plan) -> Ended:
    """One run; what happened in it is kept only where something was found."""
    with PLANTED[planted]() if planted else nullcontext():
        ended = run(site, plan)
    return ended if ended.found else replace(ended, told=())


def run_seeds(here: Sequence[Site], seeds: Sequence[int], planted: str | None = None) -> Result:
    """Run them, a process for each site."""
    result = Result()
    crews = [ProcessPoolExecutor(1, mp_context=get_context("fork")) for _ in here]
    try:
        waiting = [
            crews[number % len(here)].submit(run_plan, here[number % len(here)], planted, plan_of(seed))
            for number, seed in enumerate(seeds)
        ]
        for each in as_completed(waiting):
            result.ended.append(each.result())
            if result.ended[-1].found and planted is None:
                print(f"WRONG  {told(result.ended[-1])}", flush=True)
            if len(result.ended) % TOLD_EVERY == 0:
                print(f"       {len(result.ended)} seeds, {len(result.wrong)} wrong", flush=True)
    finally:
        for crew in crews:
            crew.shutdown(cancel_futures=True)
    return result


def until_found(site: Site, planted: str, seeds: Sequence[int]) -> Ended | None:
    """The first of these seeds in which a planted defect is found."""
    for seed in seeds:
        ended = run_plan(site, planted, plan_of(seed))
        if ended.found:
            return ended
    return None


def told(ended: Ended) -> str:
    """A seed in which something was found: what, and the command that shows it again."""
    return f"{again(ended.plan)}\n       " + "\n       ".join(ended.found)


def again(plan: Plan) -> str:
    """The command that runs this plan again."""
    without = f" --without {','.join(sorted(plan.left_out))}" if plan.left_out else ""
    return f"{COMMAND} --seed {plan.seed}{without}"


def make_small(site: Site, wrong: Ended, planted: str | None = None) -> Ended:
    """The smallest plan that still goes wrong, printed and written with all that happens in it."""
    small = shrunk(wrong, partial(run_plan, site, planted))
    lines = [
        again(small.plan),
        *small.found,
        "",
        *map(str, small.plan.commands),
        *map(str, small.plan.faults),
    ]
    report = REPORTS / "simulation" / f"seed-{small.plan.seed}.txt"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join([*lines, "", *small.told]) + "\n")
    print(
        "\n".join(["", "The smallest plan that still goes wrong:", *lines, f"Its transcript is in {report}"])
    )
    return small


def arguments(parser: ArgumentParser) -> None:
    """What seeds can be asked for."""
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone, with all that happens in it")
    parser.add_argument("--without", default="", help="parts of that seed's plan that are left out: c3,f1")
    parser.add_argument("--plant", choices=sorted(PLANTED), help="with this defect planted")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))


def run_part(asked: Namespace) -> list[Row]:
    """Run what is asked."""
    with server() as on, sites(on, 1 if asked.seed else asked.workers) as here:
        if asked.seed is not None:
            return [_one(here[0], asked)]
        seeds = range(asked.first, asked.first + asked.seeds)
        result = run_seeds(here, seeds, asked.plant)
        for wrong in result.wrong[:SHRUNK]:
            make_small(here[0], wrong, asked.plant)
        return [*_rows(result, seeds), *([] if asked.plant else [_planted(here[0])])]


def _one(site: Site, asked: Namespace) -> Row:
    plan = plan_of(asked.seed).without([name for name in asked.without.split(",") if name])
    with PLANTED[asked.plant]() if asked.plant else nullcontext():
        ended = run(site, plan)
    print("\n".join([*map(str, plan.commands), *map(str, plan.faults), "", *ended.told, "", *ended.found]))
    print(f"{ended.turns} turns, digest {ended.digest}")
    return Row("one seed", 1, ended.found, str(asked.seed), again(plan))


def _rows(result: Result, seeds: range) -> list[Row]:
    wrong = result.wrong
    asked = f"{COMMAND} --from {seeds.start} --seeds {len(seeds)}"
    found = tuple(f"seed {each.plan.seed}: {each.found[0]}" for each in wrong[:SHRUNK])
    more = (f"and {len(wrong) - SHRUNK} more",) if len(wrong) > SHRUNK else ()
    first = again(wrong[0].plan) if wrong else asked
    span = f"{seeds.start} to {seeds.stop - 1}"
    return [
        Row("seeded runs", len(result.ended), found + more, span, first),
        Row("requests of clients in them, repeats counted", result.counted("request"), seed=span),
        Row("faults in them, planned and met", result.counted("fault"), seed=span),
        Row("turns in them", sum(each.turns for each in result.ended), seed=span),
    ]


def _planted(site: Site) -> Row:
    """That the auditor finds what is planted: what it does not find stands in the table as found wrong."""
    missed: list[str] = []
    tried = 0
    for name in PLANTED:
        ended = until_found(site, name, range(1, PLANTED_SEEDS + 1))
        seed = ended.plan.seed if ended else None
        tried += 1
        print(f"       planted: {name}: " + (f"found with seed {seed}" if ended else "NOT FOUND"), flush=True)
        if ended is None:
            missed.append(f"not found: {name}")
    return Row(
        "defects planted, each found", tried, tuple(missed), f"1 to {PLANTED_SEEDS}", f"{COMMAND} --plant …"
    )


PART = Part(
    "simulate", "random commands, faults and turns from a seed, judged by the auditor", arguments, run_part
)
