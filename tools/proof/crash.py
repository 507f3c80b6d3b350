"""The table of crashes: which cases there are, and what came of each.

First every scenario is run without a crash, which tells its points. Then each case is run: the act is killed at its
point, a worker goes on (and is killed, too, where the case says so), everything drains, the client asks again, and
the auditor looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proof.lives import Lives
from proof.scenarios import SCENARIOS, Scenario
from proof.watch import crash_points, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proof.forks import Ended
    from proof.house import Place

FAULTS = (
    "refused",
    "refuse",
    "hang_before",
    "hang_after",
    "cut_after",
    "error_then_success",
    "answer_twice",
    "cut_after,webhook_late",
    "cut_after,webhook_double",
    "cut_after,webhook_reorder",
    "cut_after,webhook_bad_signature",
    "cut_after,webhook_wrong_amount",
)
"""``refused``: nobody listens. The others are the sandbox's: ``refuse`` cuts the line before anything was done. Where
a webhook goes wrong the answer is lost as well, so that the webhook is the first to tell what happened."""
BEFORE_CALL, AFTER_CALL = "before call", "after call"
IDS = "Ids._fetch"
"""Fetching ids leaves nothing behind but a gap: its points are tried once, without faults."""
RIGHT, NOT_PASSED = "right", "not passed again"
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table. ``dies`` are the points: of the act, of its recovery, of the recovery of that."""

    scenario: str
    fault: str | None = None
    dies: tuple[str | None, ...] = (None,)

    def __str__(self) -> str:
        deaths = " → ".join(point or "no crash" for point in self.dies)
        return f"{self.scenario} | {self.fault or '-'} | {deaths}"


ATTEMPTS = 3
"""Where a webhook or a late answer comes at its own time, a point is not passed in every run: so often it is tried."""
APART = 100_000
"""Between the merchants of two attempts."""


@dataclass(slots=True)
class Verdict:
    """What came of a case: its ``wrong``, empty when all is right, and what its last life passed.

    ``missed`` is the point that was not passed in any attempt: what was audited then is a run without a crash.
    """

    case: Case
    wrong: list[str]
    missed: str | None = None
    points: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """One word for the table."""
        return "; ".join(self.wrong) or (f"{RIGHT}, {NOT_PASSED}" if self.missed else RIGHT)


def run(place: Place, merchant: int, case: Case, *, learn: bool = False) -> Verdict:
    """One case from its beginning to the audit, again where its point was not passed."""
    verdict, attempts = attempted(place, merchant, case, learn=learn), 1
    while verdict.missed and not verdict.wrong and attempts < ATTEMPTS:
        verdict = attempted(place, merchant + attempts * APART, case, learn=learn)
        attempts += 1
    return verdict


def attempted(place: Place, merchant: int, case: Case, *, learn: bool = False) -> Verdict:
    """One case from its beginning to the audit. With ``learn`` it ends with its last life."""
    lives = Lives(place, merchant, BY_NAME[case.scenario])
    verdict = Verdict(case, [])
    problem = lives.prepare()
    if problem is not None:
        verdict.wrong.append(f"setup: {problem}")
        return verdict
    for number, point in enumerate(case.dies):
        ended = lives.recover(point) if number else lives.act(point, case.fault)
        _note(verdict, ended, point)
        if verdict.wrong:
            return verdict
        if verdict.missed:
            break
    if learn:
        return verdict
    drained = lives.drain(case.fault)
    if drained.problem is not None:
        verdict.wrong.append(f"drain: {drained.problem}")
        return verdict
    told = drained.result["told"]
    verdict.wrong += _unheard(case, drained.result["post"])
    if drained.result["busy"]:
        verdict.wrong.append(f"{drained.result['busy']} things are still under way")
    verdict.wrong += lives.audit(told)
    return verdict


def _unheard(case: Case, post: dict[str, int] | None) -> list[str]:
    """Where a webhook was to go wrong, and nothing of that was to be seen in a life that was not killed."""
    if post is None or case.dies != (None,):
        return []
    was = {
        "webhook_double": post["letters"] > post["events"],
        "webhook_bad_signature": post["refused"] > 0,
    }.get((case.fault or "").partition(",")[2], post["events"] > 0)
    return [] if was else [f"the fault was not to be seen in the post: {post}"]


def _note(verdict: Verdict, ended: Ended, point: str | None) -> None:
    if ended.problem is not None:
        verdict.wrong.append(ended.problem)
    elif point is not None and not ended.killed:
        verdict.missed = point
    elif point is None:
        verdict.points = crash_points(ended.result["points"])
        verdict.steps = ended.result["steps"]


def traces(scenarios: Iterable[Scenario] = SCENARIOS, *, faults: bool = True) -> list[Case]:
    """The runs without a crash: each scenario, and where it calls the gateway, under every fault."""
    return [
        Case(scenario.name, fault)
        for scenario in scenarios
        for fault in (None, *(FAULTS if scenario.calls and faults else ()))
    ]


def under_every_fault() -> list[Case]:
    """The first operation there is, under each fault; what `make test` has time for."""
    return [Case(SCENARIOS[0].name, fault) for fault in FAULTS]


def crashes(traced: Iterable[Verdict]) -> list[Case]:
    """A crash at every point that these runs passed."""
    return [
        Case(v.case.scenario, v.case.fault, (point,))
        for v in traced
        for point in v.points
        if v.case.fault is None or IDS not in point
    ]


def recoveries(traced: Iterable[Verdict]) -> list[Case]:
    """Runs of recovery, to learn its points: after a call that was never made, and after one that was."""
    found = []
    for verdict in traced:
        if verdict.case.fault is None and BY_NAME[verdict.case.scenario].calls:
            calls = [point for point in verdict.points if point.endswith((BEFORE_CALL, AFTER_CALL))]
            found += [Case(verdict.case.scenario, None, (point, None)) for point in calls]
    return found


def again(traced: Iterable[Verdict]) -> list[Case]:
    """Runs of a second recovery, to learn its points: after a first one that died at each place of a kind."""
    found = []
    for verdict in traced:
        firsts: dict[str, str] = {}
        for point in verdict.points:
            firsts.setdefault(named(point), point)
        found += [
            Case(verdict.case.scenario, None, (verdict.case.dies[0], point, None))
            for point in firsts.values()
            if IDS not in point
        ]
    return found


def deeper(traced: Iterable[Verdict]) -> list[Case]:
    """The crashes of these runs of recovery, at every point they passed."""
    return [
        Case(v.case.scenario, None, (*v.case.dies[:-1], point))
        for v in traced
        for point in v.points
        if IDS not in point
    ]


def sample(cases: Iterable[Case]) -> list[Case]:
    """One case for each phase and side of a commit or call, whatever the operation: what `make test` has time for."""
    kinds: dict[tuple[str, str], Case] = {}
    for case in cases:
        phase, _, what = named(case.dies[-1] or "").partition(" / ")
        kinds.setdefault((phase.partition(" ")[0] + IDS * (IDS in what), what.partition(":")[2]), case)
    return list(kinds.values())
