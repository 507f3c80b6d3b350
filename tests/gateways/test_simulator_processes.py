"""Several processes over one record, some of which die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from eci_payments.gateways.adapters.simulator.record import SimulatorRecord

TESTS = Path(__file__).resolve().parent.parent


def client(record: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "support.simulator_client", str(record), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    """What it still says until its end. By the reader that has read before: only it has what it read ahead."""
    with process:
        assert process.stdout is not None
        return process.stdout.readlines()


def test_one_key_from_many_processes_at_once_is_one_charge(tmp_path: Path):
    path = tmp_path / "fresh" / "simulator.sqlite3"
    clients = [client(path, "one", "the-key", "20") for _ in range(4)]
    for process in clients:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in clients:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [line for process in clients for line in said(process)]
    assert len(outcomes) == 80
    assert len(set(outcomes)) == 1
    assert "Approved" in outcomes[0]
    record = SimulatorRecord(path)
    assert record.totals("INR").takings == 1
    record.close()


def test_what_was_answered_survives_kill_9_and_the_others_go_on(tmp_path: Path):
    path = tmp_path / "simulator.sqlite3"
    answered: set[str] = set()
    for turn in range(3):
        clients = [client(path, "many", f"{turn}-{n}") for n in range(2)]
        for process in clients:
            assert process.stdout is not None
            answered.add(process.stdout.readline().split()[1])
        time.sleep(0.3)
        for process in clients:
            process.kill()
        whole = [line for process in clients for line in said(process) if line.endswith("\n")]
        answered |= {line.split()[1] for line in whole}
    record = SimulatorRecord(path)
    taken = {movement.key for movement in record.movements()}
    totals = record.totals("INR")
    record.close()
    assert len(answered) > 20
    assert answered <= taken
    assert totals.takings == len(taken)
    assert totals.taken_minor == 14950 * len(taken)
