"""A process that begins when the one which started it says so, and ends when that one ends, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
"""prctl(2)."""
POLL_S = 0.5
"""Where the kernel cannot tell us, we look this often."""


def end_with(parent: int | None) -> None:
    """Be sent SIGTERM, and so drain and end, when ``parent`` is gone; None: live by yourself."""
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it ended before we could ask
            os.kill(os.getpid(), signal.SIGTERM)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def pass_gate(descriptor: int | None) -> None:
    """Wait until whoever started us closes the other end of this pipe; None: do not wait.

    So everything is imported by the time the database is there.
    """
    if descriptor is not None:
        os.read(descriptor, 1)
        os.close(descriptor)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
