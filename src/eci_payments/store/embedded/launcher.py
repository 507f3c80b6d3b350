"""Gives up root for good and becomes another program: ``launcher.py UID GID KEEP PROGRAM ARGUMENT…``.

With KEEP 1 the capability CAP_DAC_OVERRIDE stays (capabilities(7), "ambient"), so that folders of root can be entered.
Runs by itself under ``python -I -S``: the standard library only, nothing of this package.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
"""Capabilities outlive the change of user, and access(2), by which PostgreSQL finds its programs, heeds them."""
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
CANNOT_KEEP = 77
"""Exit code when this system does not let the capability be kept (EX_NOPERM of sysexits.h)."""


def main(arguments: list[str]) -> None:
    """Become the program. Does not return."""
    uid, gid, keep = int(arguments[0]), int(arguments[1]), arguments[2] == "1"
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if keep:
            _check(libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        if keep:
            _keep_capability(libc)
    except (OSError, AttributeError) as error:
        said = f"root cannot run PostgreSQL as user {uid} here ({error}): run as an ordinary user, or set DATABASE_URL"
        print(f"FATAL: {said}", file=sys.stderr)  # noqa: T201 - the log is where it is read
        sys.exit(CANNOT_KEEP)
    os.execv(arguments[3], arguments[3:])  # noqa: S606 - a shell is what is not wanted


def _keep_capability(libc: ctypes.CDLL) -> None:
    wanted = 1 << CAP_DAC_OVERRIDE
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    _check(libc.capset(header, struct.pack("6I", wanted, wanted, wanted, 0, 0, 0)))
    _check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main(sys.argv[1:])
