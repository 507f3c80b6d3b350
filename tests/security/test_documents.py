"""The documents about security name tests and files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/threat-model.md", "docs/asvs.md", "docs/pci-scope.md", "SECURITY.md")
_TEST = re.compile(
    r"`(?:tests/)?((?:[a-z_]+/)*test_[a-z_0-9]+\.py|(?:api|chaos|gateways|operations|security|store)/)`"
)
_CODE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)`")


@pytest.mark.parametrize("page", PAGES)
def test_every_test_and_every_file_that_is_named_is_there(page):
    text = (ROOT / page).read_text()
    for name in _TEST.findall(text):
        assert (ROOT / "tests" / name).exists(), name
    for name in _CODE.findall(text):
        places = (ROOT / "src/eci_payments" / name, ROOT / "tests" / name, ROOT / name)
        assert any(each.exists() for each in places), name


@pytest.mark.parametrize("page", PAGES[:2])
def test_every_row_names_what_shows_it(page):
    rows = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| ")]
    for row in rows:
        if "test" not in row.split("|")[-2] and re.match(
            r"\| (?:\d+\.\d+|api|cli|store|gateways|operations)", row
        ):
            assert "`" in row.split("|")[-2] or "contracts" in row, row
