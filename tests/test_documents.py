"""Every document: the files, folders, tests, headings and verbs that it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])
BELOW = ("", "src/eci_payments", "tests", "tools", "docs")
"""What a path in a document may be relative to, beside the document's own folder."""
OF_A_RUN = "build/"
THE_READERS_OWN = {"overlays/production/kustomization.yaml"}
_FILE = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|sql|sh|toml|ya?ml|md|json|svg|txt|lock))`")
_FOLDER = re.compile(r"`((?:tests|src|tools|docs|deploy|k8s)/[\w./-]*)`")
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)")
_VERB = re.compile(r"`make ([a-z][a-z-]*)")
_PICKED = re.compile(r"`pytest[^`]* (tests/[\w/.]+) -k ([\w]+)`")


def anchors(page: Path) -> set[str]:
    """The headings, as GitHub makes links of them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_the_files_and_folders_that_are_named_are_there(page):
    named = {*_FILE.findall((ROOT / page).read_text()), *_FOLDER.findall((ROOT / page).read_text())}
    folders = [ROOT / each for each in BELOW] + [(ROOT / page).parent]
    missing = [name for name in named if not any((folder / name).exists() for folder in folders)]
    assert [name for name in missing if not name.startswith(OF_A_RUN) and name not in THE_READERS_OWN] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_what_is_there(page):
    for name, anchor in _LINK.findall((ROOT / page).read_text()):
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_the_verbs_and_tests_that_are_named_can_be_run(page):
    text = (ROOT / page).read_text()
    verbs = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_VERB.findall(text)) <= verbs
    for file, word in _PICKED.findall(text):
        assert re.search(rf"def test_\w*{word}", (ROOT / file).read_text()), (file, word)
