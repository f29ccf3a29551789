"""One server to a SQLite file, on a disk of this machine.

SQLite lets several processes write, and commands of kefu do. But two servers would each
tell only its own people of what is written, and on a network's file system SQLite's
shared memory does not work at all: files have been damaged that way.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from kefu_core.errors import ConfigurationError

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs"}
    | {"fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "virtiofs"}
)
"""Types of file systems that are not of this machine's own disks."""
_MOUNTS = Path("/proc/self/mounts")


@contextlib.contextmanager
def only_server(url: str) -> Iterator[None]:
    """Be the only server of this database inside the block, where it is a file.

    Raises:
        ConfigurationError: Another server has it, or it lies on a network; says what
            to do.
    """
    path = file_of(url)
    if path is None or not path.parent.is_dir():
        # Opening what is not there says so in its own words.
        yield
        return
    refuse_network(path, type_of(path, _MOUNTS))
    # A file beside it: locks on the database's own are SQLite's, and closing any
    # descriptor of it would drop those.
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"{path}.lock cannot be written ({error.strerror}); make {path.parent} "
            "writable for this user, or move data_dir to a disk that is."
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"Another kefu serves {path}. Stop it first; to run several servers, "
                "use MySQL, MariaDB, PostgreSQL or SQL Server."
            ) from None
        yield
    finally:
        os.close(lock)


def file_of(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for any other."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    if parsed.database == ":memory:" or parsed.database.startswith("file:"):
        return None
    return Path(parsed.database).absolute()


def type_of(path: Path, mounts: Path) -> str:
    """Return the type of the file system that holds a path; empty if nobody knows."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    place = os.path.realpath(path.parent)
    found, longest = "", -1
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Spaces and such are written as octal numbers.
        point = fields[1].encode().decode("unicode_escape")
        is_inside = place == point or place.startswith(point.rstrip("/") + "/")
        if is_inside and len(point) >= longest:
            found, longest = fields[2], len(point)
    return found


def refuse_network(path: Path, kind: str) -> None:
    """Raise `ConfigurationError` for a file system of the network."""
    if kind in NETWORK:
        raise ConfigurationError(
            f"{path} lies on a network file system ({kind}), where SQLite is not safe. "
            "Move data_dir to a disk of this machine, or use a database server."
        )
