"""Which user of the machine PostgreSQL runs as: its programs refuse to run as root.

An ordinary user runs it as themselves. Root runs it as the owner of an existing cluster, else as ``nobody``. Where
that user could not enter the folders on the way (a checkout below a home of mode 0700), the server keeps one Linux
capability of root, CAP_DAC_OVERRIDE, rather than have us open folders that are not ours to everybody. Then a break-out
from the server would be one to root's files: production runs as an ordinary user, or on a PostgreSQL of its own.
"""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from eci_payments.store.embedded.errors import EmbeddedError
from eci_payments.store.embedded.programs import programs_folder

LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True, slots=True)
class Account:
    """The user that owns the cluster and runs the server."""

    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        """Whether that is the user we run as."""
        return self.uid == os.geteuid()

    def command(self, program: Path, *arguments: str, folder: Path) -> list[str]:
        """The command that runs ``program`` as this user, working below ``folder``."""
        plain = [str(program), *arguments]
        if self.is_us:
            return plain
        keep = not (_may_enter(self, folder) and _may_enter(self, programs_folder()))
        return [
            sys.executable,
            "-I",
            "-S",
            str(LAUNCHER),
            str(self.uid),
            str(self.gid),
            str(int(keep)),
            *plain,
        ]


def server_account(cluster: Path) -> Account:
    """The account for the server of ``cluster``, which need not exist. Raises EmbeddedError when there is none."""
    owner = cluster.stat() if cluster.exists() else None
    us = os.geteuid()
    if us != 0:
        if owner is not None and owner.st_uid != us:
            raise EmbeddedError(
                f"{cluster} belongs to user {owner.st_uid}: run as that user, or choose another DATA_DIR"
            )
        user_name(us)
        return Account(us, os.getegid())
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL does not run as root and there is no user nobody: run as another user"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def user_name(uid: int) -> str:
    """The name of a user of this machine. Raises EmbeddedError when it has none, since PostgreSQL asks for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise EmbeddedError(f"user {uid} has no name on this machine: add one, or set DATABASE_URL") from None


def _may_enter(account: Account, folder: Path) -> bool:
    return all(_may_search(account, parent) for parent in [folder, *folder.parents] if parent.exists())


def _may_search(account: Account, folder: Path) -> bool:
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & 0o100)
    return bool(found.st_mode & (0o010 if found.st_gid == account.gid else 0o001))
