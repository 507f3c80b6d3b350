"""The secrets of an installation on minikube are made once, whole, or the Job says why not."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from support.certificates import self_signed

SCRIPT = Path(__file__).parents[2] / "deploy" / "k8s" / "overlays" / "minikube" / "make_secrets.py"
ALL = {"postgres", "payment-service", "payment-service-owner"}


@pytest.fixture
def cluster(monkeypatch) -> dict[str, Any]:
    """Its Secrets, as its API keeps them for an account that may create them and read none."""
    secrets: dict[str, Any] = {}

    def answer(request: urllib.request.Request, **_how: object) -> BytesIO:
        assert isinstance(request.data, bytes)
        told = json.loads(request.data)
        name = told["metadata"]["name"]
        if name in secrets:
            raise urllib.error.HTTPError(request.full_url, 409, "there already", Message(), None)
        if "dryRun=All" not in request.full_url:
            secrets[name] = told["stringData"]
        return BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    return secrets


@pytest.fixture
def run(tmp_path):
    self_signed(tmp_path)
    (tmp_path / "certificate.pem").rename(tmp_path / "ca.crt")
    for name, text in (("namespace", "default"), ("token", "t")):
        (tmp_path / name).write_text(text)
    source = SCRIPT.read_text().replace("/run/secrets/kubernetes", str(tmp_path))
    return lambda: exec(compile(source, SCRIPT, "exec"), {"__name__": "__main__"})


def test_all_are_made_once_and_fit_each_other(cluster, run):
    run()
    assert cluster.keys() == ALL
    assert cluster["postgres"]["service-password"] in cluster["payment-service"]["database-url"]
    assert cluster["postgres"]["owner-password"] in cluster["payment-service-owner"]["migration-database-url"]
    before = json.dumps(cluster)
    run()
    assert json.dumps(cluster) == before


def test_somebody_elses_or_half_a_set_is_named(cluster, run):
    cluster["postgres"] = {}
    with pytest.raises(SystemExit, match="none named payment-service or payment-service-owner"):
        run()
    assert cluster == {"postgres": {}}
