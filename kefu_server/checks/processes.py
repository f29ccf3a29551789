"""Whether a server runs on this database and this port, and which process it is."""

import contextlib
import fcntl
import os
from pathlib import Path

import anyio
import httpx
import msgspec

from kefu_server.checks import WAIT_S, Check, ok, problem, warning
from kefu_server.checks.ports import check_port
from kefu_server.one_server import file_of
from kefu_server.settings import Settings

_LISTENING = "0A"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a server."""

    holds_file: bool | None
    """Whether some server has SQLite's file; None: the database is no file."""
    answers: bool
    """Whether a kefu answers at `bind`."""
    is_ready: bool
    pid: int | None
    """Who listens at `bind`, where this user may know."""


def local_url(settings: Settings) -> str:
    """Return how this machine reaches the server without any proxy."""
    host, port = settings.host_and_port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def find_server(settings: Settings) -> Running:
    """Look for the server; asks it nothing but whether it is well."""
    url = local_url(settings)
    answers = await _status(f"{url}/healthz")
    ready = await _status(f"{url}/readyz") if answers else None
    path = file_of(settings.database)
    port = settings.host_and_port[1]
    return Running(
        holds_file=_is_held(Path(f"{path}.lock")) if path else None,
        answers=answers == 200,
        is_ready=ready == 200,
        pid=await anyio.to_thread.run_sync(listener_on, port),
    )


async def _status(url: str) -> int | None:
    try:
        async with httpx.AsyncClient(timeout=WAIT_S, trust_env=False) as client:
            response = await client.get(url)
            is_ours = response.json().keys() <= {"status", "code", "error", "seen"}
            return response.status_code if is_ours else None
    except (httpx.HTTPError, ValueError, AttributeError):
        return None


def _is_held(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def check_server(settings: Settings, found: Running) -> Check:
    """Judge whether it is our server that listens, and whether it can work."""
    facts = {"bind": settings.bind, "url": local_url(settings)}
    if found.answers and not found.is_ready:
        return problem("server", "unready", **facts)
    if found.answers and found.holds_file is False:
        # Somebody's kefu, with another file than the settings name.
        return problem("server", "other", **facts)
    if found.answers:
        return ok("server", "runs", **facts)
    if found.holds_file:
        return problem("server", "elsewhere", **facts)
    port = check_port(settings.bind)
    return port if port.is_problem else warning("server", "stopped", **facts)


def listener_on(port: int) -> int | None:
    """Return the process that listens on a port; None: nobody, or another user's."""
    sockets = {
        fields[9]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in _lines(table)
        if (fields := line.split())[3:4] == [_LISTENING]
        and int(fields[1].rpartition(":")[2], 16) == port
    }
    if not sockets:
        return None
    wanted = {f"socket:[{number}]" for number in sockets}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for handle in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(handle) in wanted:
                        return int(folder.name)
    return None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()[1:]
    except OSError:
        return []
