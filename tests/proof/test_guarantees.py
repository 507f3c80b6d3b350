"""Whatever the page of guarantees names as proof is there."""

from __future__ import annotations

import re
from pathlib import Path

from proof.__main__ import PARTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
COMMANDS = {"eci-payments verify"}


def promises() -> list[str]:
    promised = PAGE[PAGE.index("## Promised") : PAGE.index("## Under these")]
    return [line.split("|")[3] for line in promised.splitlines() if line.startswith("| **")]


def test_every_promise_names_what_shows_it():
    assert len(promises()) > 10
    for shown_by in promises():
        assert re.findall(r"`([^`]+)`", shown_by), shown_by


def test_what_shows_it_is_there():
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for shown_by in promises():
        for name in re.findall(r"`([^`]+)`", shown_by):
            kind, _, rest = name.partition(" ")
            found = rest in verbs if kind == "make" else name in COMMANDS or (ROOT / name).exists()
            assert found, name


def test_every_file_that_the_page_names_is_there():
    named = re.findall(r"`((?:tests|tools|docs|src)/[^`]+)`", PAGE)
    linked = [f"docs/{to}" for to in re.findall(r"\]\(([^)#:]+)", PAGE)]
    assert len(named) > 20
    assert [path for path in named + linked if not (ROOT / path).exists()] == []


def test_every_part_of_the_proof_that_the_page_names_is_there():
    named = set(re.findall(r"python -m proof ([a-z-]+)", PAGE))
    assert named
    assert named <= {part.name for part in PARTS}


def test_the_list_of_documents_leads_to_the_page():
    assert "(docs/guarantees.md)" in (ROOT / "README.md").read_text()
