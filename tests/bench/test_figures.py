"""Verdicts: which numbers a figure is made of, what is held against its target, and that nothing passes by accident."""

from __future__ import annotations

import json
import math

import pytest

from bench.contenders import CONTENDERS, ONE_COMMIT, TWO_COMMITS
from bench.figures import FIGURES, Bound, Figure, Group, Target, Verdict, judge
from bench.report import Report, read


def runs(*rates, **others):
    return [
        {"per_second": float(rate), "mean_ms": 1.0, "p50_ms": 2.0, "p99_ms": 3.0} | others for rate in rates
    ]


def by_name(name):
    return next(figure for figure in FIGURES if figure.name == name)


MANY = Figure(
    "many",
    "ours ÷ theirs",
    Group.CHARGES,
    "per_second",
    "ours",
    ("8", "16"),
    target=Target(Bound.AT_LEAST, 2),
)


def test_the_result_is_the_ratio_of_medians_and_the_spread_is_taken_round_by_round():
    result = judge(MANY, {"ours": runs(50, 100, 60), "8": runs(30, 30, 20), "16": runs(10, 10, 900)})
    assert (result.result, result.over) == (2.0, "8")
    assert (result.least, result.middle, result.most) == (50 / 30, 3.0, 100 / 30)


def test_the_opponent_is_the_client_count_that_was_best_by_its_median():
    rounds = {"ours": runs(100, 100, 100), "8": runs(300, 90, 90), "16": runs(100, 100, 120)}
    assert judge(MANY, rounds).over == "16"


@pytest.mark.parametrize(
    ("bound", "result", "met"),
    [
        (Bound.AT_LEAST, 2.0, True),
        (Bound.AT_LEAST, 1.999, False),
        (Bound.AT_MOST, 2.0, True),
        (Bound.AT_MOST, 2.001, False),
        (Bound.AT_LEAST, math.nan, False),
        (Bound.AT_MOST, math.nan, False),
    ],
)
def test_a_target_is_met_up_to_its_bound_and_never_by_what_could_not_be_measured(bound, result, met):
    assert Target(bound, 2.0).met(result) is met


def test_a_slow_opponent_cannot_be_chosen_by_its_latency():
    rounds = {"ours": runs(100), "8": runs(50, mean_ms=0.1), "16": runs(60, mean_ms=9.0)}
    assert judge(MANY, rounds).over == "16"


def test_a_figure_whose_contender_was_not_measured_has_no_verdict():
    with pytest.raises(KeyError):
        judge(MANY, {"ours": runs(100), "8": runs(50)})


def test_rounds_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError, match="zip"):
        judge(MANY, {"ours": runs(100), "8": runs(50, 50), "16": runs(1, 1)})


def test_every_figure_of_the_charges_names_contenders_that_exist():
    named = {name for figure in FIGURES if figure.group is Group.CHARGES for name in figure.contenders}
    assert named == set(CONTENDERS)


def test_figures_have_names_of_their_own():
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_the_targets_are_those_that_were_set():
    said = {f.name: f"{f.target.bound} {f.target.value:g}" for f in FIGURES if f.target}
    assert said == {
        "charges-64": ">= 2",
        "charges-256": ">= 2.5",
        "p99-at-half": "<= 4",
        "one-connection": "<= 4",
        "replays": ">= 2",
        "reads": ">= 2",
        "deliveries": ">= 0.5",
        "commit-to-answer": "<= 1000",
        "memory": "<= 150",
        "memory-flat": "<= 1.05",
        "large-charges": ">= 0.9",
        "large-by-order": "<= 1.5",
        "large-first-page": "<= 1.5",
        "large-deep-page": "<= 1.5",
    }


def test_latency_figures_compare_with_the_client_counts_of_the_targets():
    half, one = by_name("p99-at-half"), by_name("one-connection")
    assert (half.quantity, half.over, half.over_quantity) == ("p99_ms", ("pgbench-16",), "mean_ms")
    assert (one.quantity, one.over, one.over_quantity) == ("p50_ms", ("pgbench-1",), "mean_ms")


def test_the_rows_with_a_target_are_held_against_two_commits():
    assert by_name("charges-64").over == by_name("charges-256").over == TWO_COMMITS
    assert by_name("charges-64-one-commit").over == ONE_COMMIT


def report():
    rounds = {"charges-64": runs(300, 320, 310), "replays-64": runs(610, 600, 630)}
    rounds |= {name: runs(100, 100, 100) for name in TWO_COMMITS}
    return Report([by_name("charges-64"), by_name("replays")], rounds, {"rounds": "3"}, {"seconds": 1})


def test_a_report_that_was_kept_says_the_same_again():
    kept = json.loads(json.dumps(report().json()))
    again = read(kept)
    assert again.json()["figures"] == kept["figures"]
    assert again.text() == report().text()


def test_the_report_shows_target_result_and_verdict_side_by_side():
    lines = report().text().splitlines()
    charged = next(line.split() for line in lines if line.startswith("charges-64  ") and ">=" in line)
    replayed = next(line.split() for line in lines if line.startswith("replays "))
    assert charged[1:5] == [">=", "2", "3.10", "pass"]
    assert replayed[1:5] == [">=", "2", "1.97", "missed"]
    assert [result.verdict for result in report().results] == [Verdict.PASS, Verdict.MISSED]
