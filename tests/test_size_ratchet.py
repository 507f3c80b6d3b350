"""The check of sizes names what is too long, and each exception that is no longer needed."""

from __future__ import annotations

import pytest

import size_ratchet


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(size_ratchet, "ROOT", tmp_path)
    (tmp_path / "src").mkdir()

    def write(function_lines: int, exceptions: str = "") -> None:
        body = "    x = 1\n" * (function_lines - 1)
        (tmp_path / "src" / "room.py").write_text(
            f"class Thing:\n    def act(self):\n{body.replace('    ', '        ')}"
        )
        (tmp_path / "pyproject.toml").write_text(f"[tool.size_ratchet.exceptions]\n{exceptions}")

    return write


def test_what_fits_passes(project, capsys):
    project(function_lines=10)
    assert size_ratchet.main() == 0
    assert "1 functions: median 10, 90% 10, longest 10" in capsys.readouterr().out


def test_a_long_function_is_named(project, capsys):
    project(function_lines=71)
    assert size_ratchet.main() == 1
    assert "src/room.py::Thing.act: 71 lines, a function has at most 70" in capsys.readouterr().err


def test_a_long_file_is_named(project, capsys):
    project(function_lines=600)
    assert size_ratchet.main() == 1
    assert "src/room.py: 601 lines, a file has at most 500" in capsys.readouterr().err


def test_an_exception_needs_a_reason(project):
    project(function_lines=71, exceptions='"src/room.py::Thing.act" = "one table, read from top to bottom"')
    assert size_ratchet.main() == 0
    project(function_lines=71, exceptions='"src/room.py::Thing.act" = " "')
    assert size_ratchet.main() == 1


def test_an_exception_that_is_not_needed_is_named(project, capsys):
    project(function_lines=10, exceptions='"src/room.py::Thing.act" = "was long"')
    assert size_ratchet.main() == 1
    assert "src/room.py::Thing.act: needs no exception any more" in capsys.readouterr().err
