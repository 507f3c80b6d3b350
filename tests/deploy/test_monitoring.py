"""Dashboards and rules ask only for what the service exports, and their links lead somewhere."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped] # it brings no types

from eci_payments.api.envelope import UNTRACED
from eci_payments.observability.backlog import Unapplied, UnknownOutcomes, Untold, Waiting
from eci_payments.observability.metrics import Metrics
from eci_payments.store.sums import BusinessSums

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NOT_OURS = {
    "up",
    "kube_cronjob_status_last_successful_time",
    "kube_job_created",
    "kube_job_status_failed",
}
"""Prometheus's own, and kube-state-metrics'."""
KEYWORDS = {
    *("sum", "max", "rate", "by", "histogram_quantile", "vector", "absent", "and", "or", "on", "ignoring"),
    *("humanize", "min", "avg", "increase", "without", "unless", "min_over_time", "count"),
}


def exported() -> dict[str, set[str]]:
    """Every series of a process that has seen everything, with its labels."""
    metrics = Metrics()
    metrics.request_ended("POST", "/v1/payments/charge", 201, 0.1)
    metrics.gateway_call("simulator", "CHARGE", "Approved", 0.1)
    metrics.operation_concluded("simulator", "CHARGE", "UPI", "DECLINED", "insufficient_funds")
    metrics.peer_call("order", "DELIVERED", 0.1)
    metrics.webhook_received("simulator", "stored")
    metrics.webhook_applied("simulator", "APPLIED")
    metrics.batch_written("payments", 3, 0.01)
    metrics.watch_queue("payments", lambda: 0)
    metrics.watch_streams(lambda: 0)
    metrics.watch_gateway("simulator", in_flight=lambda: 0, breaker_open=lambda: False)
    metrics.now_waiting(
        Waiting(
            [UnknownOutcomes("simulator", 1, 60.0)],
            [Untold("order", 1, 1, 60.0)],
            0.0,
            0.0,
            [Unapplied("simulator", 1, 1, 60.0)],
        )
    )
    sums = BusinessSums(
        payments_created=1,
        payments_failed=0,
        refunds_processed=0,
        processing_errors=0,
        amount_processed={"INR": Decimal(1)},
        amount_refunded={"INR": Decimal(0)},
        payments_by_status={},
        payments_by_method={},
    )
    text = metrics.exposition(sums, "")[0].decode()
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if series := re.match(r"([a-z_]+)(?:\{(.*)\})? ", line):
            found.setdefault(series[1], {"job", "instance"}).update(re.findall(r'(\w+)="', series[2] or ""))
    return found


def rules() -> list[dict[str, str]]:
    files = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    return [
        rule
        for file in files
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def dashboards() -> list[Path]:
    return sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))


def expressions() -> Iterator[tuple[str, str]]:
    """What is asked, and where."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for file in dashboards():
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{file.name}: {panel['title']}", target["expr"]


def names_in(expression: str) -> set[str]:
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(by|without|on|ignoring) *\([^)]*\)', " ", expression)
    return set(re.findall(r"[a-zA-Z_][\w:]*", bare)) - KEYWORDS


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_only_what_is_exported_is_asked_for(where, expression):
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = exported().keys() | recorded | NOT_OURS
    assert names_in(expression), where
    assert names_in(expression) <= known, where


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_only_labels_that_there_are_select(where, expression):
    for name, selected in re.findall(r"([a-z_]+)\{([^}]*)\}", expression):
        if name not in NOT_OURS:
            assert set(re.findall(r"(\w+) *[=!]", selected)) <= exported()[name], where


def test_the_check_itself_finds_a_name_that_is_not_exported():
    assert not names_in("sum by (le) (rate(no_such_total[5m]))") <= exported().keys()


def test_every_alert_is_tried_out():
    """By ``promtool test rules``, which `make deploy-check` runs."""
    tried = (DEPLOY / "prometheus" / "tests" / "alerts_test.yml").read_text()
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert {name for name in alerts if f"alertname: {name}\n" not in tried} == set()


def test_probes_do_not_dilute_the_errors():
    """They come every second or two; in a quiet hour they would hide that every charge fails."""
    ratios = [rule["expr"] for rule in rules() if ":http_errors:" in rule.get("record", "")]
    assert ratios
    for expression in ratios:
        left_out = re.findall(r'route!~"([^"]*)"', expression)
        assert [set(routes.split("|")) for routes in left_out] == [set(UNTRACED)] * 2, expression


def anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "rule", [rule for rule in rules() if "alert" in rule], ids=lambda rule: rule["alert"]
)
def test_every_alert_leads_to_a_section_of_the_runbook(rule):
    path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert (ROOT / path).is_file()
    assert anchor in anchors(ROOT / path)


@pytest.mark.parametrize("file", dashboards(), ids=lambda file: file.name)
def test_dashboards_are_whole(file):
    panels = json.loads(file.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["targets"] and panel["title"] for panel in panels)
