"""A crash at one point of each kind; and a step or a commit that has no crash cases is named here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eci_payments.operations.steps import STEPS
from proof.sites import ELSEWHERE, commit_sites

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def verdicts(postgres, tmp_path_factory):
    """The sample of the table, run once for this module in processes of its own."""
    folder = tmp_path_factory.mktemp("proof")
    urls = [
        url.render_as_string(hide_password=False)
        for url in (postgres.admin, postgres.owner, postgres.service)
    ]
    names = ("PROOF_ADMIN_URL", "PROOF_OWNER_URL", "PROOF_SERVICE_URL")
    done = subprocess.run(
        [sys.executable, "-m", "proof", "crash", "--sample", "--workers", "2", "--json", folder / "all.json"],
        cwd=folder,
        env=os.environ | dict(zip(names, urls, strict=True)) | {"PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "all.json").exists(), done.stdout + done.stderr
    return json.loads((folder / "all.json").read_text())


@pytest.mark.timeout(300)
def test_after_a_crash_of_each_kind_everybodys_books_agree(verdicts):
    assert [(each["case"], each["wrong"]) for each in verdicts if each["wrong"]] == []
    crashed = [each for each in verdicts if each["case"]["dies"] != [None] and not each["missed"]]
    assert len(crashed) > 20


def test_every_step_has_its_crash_cases(verdicts):
    passed = {step for each in verdicts for step in each["steps"]}
    missing = {step.name for step in STEPS} - passed
    assert not missing, f"steps without crash cases; add a scenario to tools/proof/scenarios.py: {missing}"


def test_every_commit_has_its_crash_cases(verdicts):
    points = [point for each in verdicts for point in each["points"]]
    covered = {point.partition(" / ")[2].partition(":")[0] for point in points if "commit" in point}
    missing = commit_sites() - covered - ELSEWHERE.keys()
    assert not missing, f"commits without crash cases; see tools/proof/scenarios.py and sites.py: {missing}"
    assert commit_sites() >= ELSEWHERE.keys(), "exceptions that are no longer needed"
