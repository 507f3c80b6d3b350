"""docs/performance.md says what its numbers say, and its plots are pictures."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.document import BLOCKS, kept, pictures, rendered
from bench.plots import Bar, bars, line
from bench.report import asked_as

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "performance.md").read_text()


def test_the_tables_are_those_of_the_numbers_beside_them():
    assert rendered(TEXT, kept(DOCS / "performance")) == TEXT, "run make performance"


def test_the_plots_are_those_of_the_numbers_beside_them_and_every_one_is_shown():
    drawn = pictures(kept(DOCS / "performance"))
    assert {name: (DOCS / "performance" / name).read_text() for name in drawn} == drawn
    assert set(re.findall(r"\(performance/([a-z-]+\.svg)\)", TEXT)) == set(drawn)


def test_every_block_that_can_be_written_is_in_the_document():
    assert set(re.findall(r"<!-- ([a-z-]+) -->", TEXT)) == set(BLOCKS)


def test_a_block_that_nothing_writes_is_refused():
    with pytest.raises(KeyError):
        rendered("<!-- nonsense -->\n<!-- /nonsense -->", {})


def test_a_bar_is_as_long_as_its_number_and_its_label_is_only_text():
    picture = ET.fromstring(bars("a & b", [Bar("<x>", 1, 50, 100), Bar("y", 1, 25, 30)]))
    widths = [float(each.get("width", 0)) for each in picture.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.1)
    assert "<x>" in [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]


def test_a_line_goes_up_where_its_numbers_do():
    picture = ET.fromstring(line("memory", [(1, 10), (2, 20)], 150, "charges"))
    drawn = next(picture.iter("{http://www.w3.org/2000/svg}polyline")).get("points", "").split()
    assert float(drawn[1].split(",")[1]) < float(drawn[0].split(",")[1])


def test_a_command_is_kept_without_where_its_files_lie():
    said = asked_as("make bench", ["--only", "replays", "--json", "/x/y.json", "--rounds", "7"])
    assert said["command"] == 'make bench BENCH_ARGS="--only replays --rounds 7"'
    assert asked_as("make bench", [])["command"] == "make bench"
