"""Where things lie below the data folder."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from eci_payments.store.embedded.errors import EmbeddedError

PORT = 5432
"""Names the socket file only: the server listens on no network address."""
SOCKET_PATH_MAX_BYTES = 103
"""The shortest limit among the systems that we run on: macOS 104 with the closing NUL, Linux 108 (unix(7))."""
SHORT_FOLDER = Path("/tmp")  # noqa: S108 - a folder of our own is made in it, and refused when it is another's

_PLAIN = re.compile(
    r"[A-Za-z0-9_./~@+ -]+"
)  # to PostgreSQL a comma separates hosts, to SQLAlchemy a colon a port


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one embedded server. ``home`` is ``DATA_DIR/postgres``."""

    home: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "data"

    @property
    def unfinished_cluster(self) -> Path:
        """A data directory that is being made; it gets its name when it is complete."""
        return self.home / "data.new"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "server.log"

    @property
    def start_lock(self) -> Path:
        """Held while a server is started or stopped."""
        return self.home / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by every process that uses the server."""
        return self.home / "users.lock"

    @property
    def hba(self) -> Path:
        """Who may connect."""
        return self.home / "hba.conf"

    @property
    def ident(self) -> Path:
        """Which user of the machine may take which role."""
        return self.home / "ident.conf"

    @property
    def sockets(self) -> Path:
        """The folder of the socket: ours, or one in /tmp where ours lies too deep or has a name too rare."""
        near = self.home / "run"
        if len(os.fsencode(near / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_MAX_BYTES and _PLAIN.fullmatch(
            str(near)
        ):
            return near
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return SHORT_FOLDER / f"eci-payments-{name}"


def layout_of(data_dir: Path) -> Layout:
    """Lay out the embedded server of ``data_dir``, whose links are followed so that all processes agree."""
    return Layout(data_dir.resolve() / "postgres")


def make_private_folder(path: Path, uid: int, gid: int) -> None:
    """Make ``path`` a folder that only ``uid`` may enter. Raises EmbeddedError when it is another's already."""
    try:
        path.mkdir(mode=0o700)
        os.chown(path, uid, gid)
    except FileExistsError:
        found = path.lstat()
        if not path.is_dir() or path.is_symlink() or found.st_uid != uid or found.st_mode & 0o077:
            raise EmbeddedError(f"{path} is not a private folder of user {uid}: remove it") from None
