"""What manifests and Compose name is there: settings, commands, secrets, ports; and what is promised of every pod."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped] # it brings no types

from eci_payments import __version__
from eci_payments.api.server import LAST_S
from eci_payments.cli.app import app
from eci_payments.settings import declared

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OURS = f"eci-payments:{__version__}"
MANIFESTS = [each for each in yaml.safe_load_all((ROOT / "k8s" / "payment-service.yaml").read_text()) if each]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
NAMES = {name.upper() for name in declared()}
SECRET = {name.upper() for name, known in declared().items() if known.kind.secret}
NETWORKED = ("Deployment", "StatefulSet", "Job", "CronJob")


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod's labels and what it is, by the name of whoever makes it."""
    for each in MANIFESTS:
        spec = each.get("spec", {})
        spec = spec["jobTemplate"]["spec"] if each["kind"] == "CronJob" else spec
        if each["kind"] in NETWORKED:
            yield each["metadata"]["name"], spec["template"]


PODS = dict(pods())


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def of_ours() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in PODS.items():
        yield from ((name, each) for each in containers(pod) if each["image"] == OURS)


def config() -> dict[str, str]:
    maps = (each for each in MANIFESTS if each["kind"] == "ConfigMap")
    return next(each["data"] for each in maps if each["metadata"]["name"].startswith("payment-service-"))


def keys_made(script: str) -> set[str]:
    """The keys of all secrets that this script makes: its dictionaries' own."""
    tree = ast.parse((ROOT / script).read_text())
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def test_there_is_one_version():
    tags = {
        *re.findall(
            r"newTag: (\S+)", "".join(p.read_text() for p in ROOT.glob("deploy/k8s/*/**/kustomization.yaml"))
        ),
        *re.findall(r"newTag: (\S+)", (ROOT / "deploy/k8s/base/kustomization.yaml").read_text()),
        *re.findall(r"ECI_VERSION:-([^}]+)\}", (ROOT / "compose.yaml").read_text()),
        *re.findall(r"eci-payments:(\d\S+)", (ROOT / "docs" / "deployment.md").read_text()),
        *re.findall(r"image: eci-payments:(\S+)", (ROOT / "k8s" / "payment-service.yaml").read_text()),
    }
    assert tags == {__version__}
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_every_setting_that_is_set_is_one():
    known = NAMES | {f"{name}_FILE" for name in SECRET}
    assert set(config()) <= known
    for name, container in of_ours():
        assert {each["name"] for each in container.get("env", [])} <= known, name
    for name, service in COMPOSE["services"].items():
        if service["image"].startswith("eci-payments:"):
            assert set(service.get("environment", {})) <= known, name


def test_every_command_that_is_run_is_one():
    commands = {each.name or each.callback.__name__ for each in app.registered_commands if each.callback}
    run = [container["args"][0] for _, container in of_ours() if "args" in container]
    run += [each["command"][0] for each in COMPOSE["services"].values() if each.get("command")]
    assert set(run) <= commands
    assert {"serve", "work", "migrate", "verify", "sandbox", "standins"} <= set(run)


def test_every_secret_that_is_read_is_made():
    for script, text in (
        ("deploy/k8s/overlays/minikube/make_secrets.py", str(MANIFESTS)),
        ("deploy/compose/make_secrets.py", str(COMPOSE)),
    ):
        read = re.findall(r"/run/secrets/(?:payment-service|payment-service-owner|postgres)/([a-z-]+)", text)
        assert read
        assert set(read) <= keys_made(script), script
    told = re.findall(r"--from-literal=([a-z-]+)=", (ROOT / "docs" / "deployment.md").read_text())
    assert set(told) == {"database-url", "fingerprint-key", "migration-database-url", "api-key"}


def test_ports_are_those_of_the_settings():
    ports = {
        (name, each["name"]): each["containerPort"]
        for name, container in of_ours()
        for each in container.get("ports", [])
    }
    assert ports[("payment-service", "http")] == int(config()["SERVICE_PORT"])
    assert ports[("payment-service", "metrics")] == int(config()["ADMIN_PORT"])
    assert ports[("payment-service-worker", "metrics")] == int(config()["WORK_PORT"])


def policy() -> dict[str, Any]:
    policies = (each for each in MANIFESTS if each["kind"] == "NetworkPolicy")
    return next(each["spec"] for each in policies if each["metadata"]["name"] == "payment-service")


def test_the_network_policy_holds_for_all_of_ours_and_cuts_nothing_that_is_needed():
    (chosen,) = policy()["podSelector"]["matchExpressions"]
    labels = [pod["metadata"]["labels"] for pod in PODS.values()]
    components = {
        each["app.kubernetes.io/component"] for each in labels if each.get("app") == "payment-service"
    }
    assert components == set(chosen["values"])
    out = {each["port"] for rule in policy()["egress"] for each in rule["ports"]}
    peers = {int(url.rpartition(":")[2]) for name, url in config().items() if name.endswith("_SERVICE_URL")}
    assert out >= {53, 5432, 443} | peers


@pytest.mark.parametrize("name", [name for name, pod in PODS.items() if "preStop" in str(pod)])
def test_the_grace_period_fits_the_drain(name):
    (container,) = PODS[name]["spec"]["containers"]
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert PODS[name]["spec"]["terminationGracePeriodSeconds"] > waits + LAST_S


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_restricted_and_bounded(name):
    pod = PODS[name]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for each in containers(PODS[name]):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {*each["resources"]["requests"], *each["resources"]["limits"]} == {"cpu", "memory"}
