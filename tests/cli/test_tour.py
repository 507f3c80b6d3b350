"""The five-minute tour of the README, pasted into a shell line by line: it works, and shows what the README shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.demo import demo

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def tour() -> tuple[str, list[str]]:
    """The commands as one script, and the lines that they are said to print."""
    text = README.read_text()
    section = text[text.index("## A five-minute tour") :]
    section = section[: section.index("\n## ") if "\n## " in section else None]
    blocks = BLOCK.findall(section)
    script = "".join(code for kind, code in blocks if kind == "sh")
    shown = [line for kind, output in blocks if kind == "text" for line in output.splitlines()]
    return script, shown


def test_the_tour_of_the_readme(tmp_path: Path):
    script, shown = tour()
    assert len(shown) > 10
    tmp_path.chmod(0o755)
    with demo(tmp_path / ".data") as running:
        service, standins = (running.address(name) for name in ("API docs", "peers"))
        script = script.replace("http://127.0.0.1:8086", service).replace("http://127.0.0.1:8088", standins)
        script = script.replace(".venv/bin/eci-payments", f"{sys.executable} -m eci_payments")
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=tmp_path,
            env=running.made.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
    assert done.stdout.splitlines() == shown
