"""Workers: processes forked before anything was opened, each with a place of its own, that share the cases."""

from __future__ import annotations

import os
import traceback
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, cast

from proof.crash import Case, Verdict, run
from proof.house import account
from proof.place import place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proof.place import Server

FRESH_AFTER = 300
"""Cases in one database: a worker's loops look at every merchant, and each case leaves one."""


def work(
    on: Server, cases: Sequence[Case], workers: int, *, learn: bool = False, told: Callable[[Verdict], None]
) -> list[Verdict]:
    """Run these cases; ``told`` hears of each as it ends. Raises RuntimeError when a worker ended before its cases."""
    hired: dict[Connection, int] = {}
    for number in range(min(workers, len(cases))):
        reading, child = _hire(on, cases[number::workers], learn=learn)
        hired[reading] = child
    verdicts: list[Verdict] = []
    while hired:
        for ready in cast("list[Connection]", wait(list(hired))):
            try:
                verdict: Verdict = ready.recv()
            except EOFError:
                os.waitpid(hired.pop(ready), 0)
                continue
            told(verdict)
            verdicts.append(verdict)
    if len(verdicts) < len(cases):
        raise RuntimeError(f"{len(cases) - len(verdicts)} cases were not run: a worker ended")
    return verdicts


def _hire(on: Server, cases: Sequence[Case], *, learn: bool) -> tuple[Connection, int]:
    reading, writing = Pipe(duplex=False)
    child = os.fork()
    if child:
        writing.close()
        return reading, child
    try:
        reading.close()
        account("http://127.0.0.1")  # reads the certificates that are believed, for every life
        for begin in range(0, len(cases), FRESH_AFTER):
            with place(on) as here:
                for number, case in enumerate(cases[begin : begin + FRESH_AFTER]):
                    writing.send(run(here, 10 + number, case, learn=learn))
    except Exception:  # noqa: BLE001 - it is this process's last word
        traceback.print_exc()
    finally:
        os._exit(0)
