"""The machine: room on its disks, its clock, and how many files a process may open."""

import ctypes
import os
import resource
import shutil
from pathlib import Path

import msgspec

from kefu_core.limits import Limits
from kefu_server.checks import Check, ok, problem, warning

_MIB = 1_048_576
_FULL_BYTES = 200 * _MIB
_LOW_BYTES = 1_024 * _MIB
_LOW_SHARE = 0.05
_INODES_MIN = 1_000
_FILES_MIN = 4_096
_TIME_ERROR = 5
"""What `adjtimex` answers while nothing has set the clock."""
_TIMEX_BYTES = 512


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a disk."""

    free_bytes: int
    total_bytes: int
    free_inodes: int
    """Names that may still be made; 0 where the file system does not count them."""
    inodes: int


def room_at(folder: Path) -> Room:
    """Return what is left where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    state = os.statvfs(folder)
    return Room(
        free_bytes=usage.free,
        total_bytes=usage.total,
        free_inodes=state.f_favail,
        inodes=state.f_files,
    )


def check_disk(folder: Path, room: Room) -> Check:
    """Judge what is left of a disk."""
    facts = {
        "folder": str(folder),
        "free": f"{room.free_bytes / _MIB:,.0f}",
        "share": f"{room.free_bytes / max(1, room.total_bytes):.0%}",
    }
    if room.inodes and room.free_inodes < _INODES_MIN:
        return problem("disk", "inodes", **facts)
    if room.free_bytes < _FULL_BYTES:
        return problem("disk", "full", **facts)
    if room.free_bytes < _LOW_BYTES or room.free_bytes < _LOW_SHARE * room.total_bytes:
        return warning("disk", "low", **facts)
    return ok("disk", "room", **facts)


def clock_state() -> int:
    """Return what the kernel says of its clock; 0 where it says nothing."""
    try:
        return int(
            ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        )
    except (OSError, AttributeError):
        return 0


def check_clock(state: int, now_ms: int, newest_ms: int) -> Check:
    """Judge the clock by the kernel's word and the newest message that is stored."""
    ahead_s = (newest_ms - now_ms) / 1_000
    if ahead_s > 60:
        return problem("clock", "behind", seconds=f"{ahead_s:,.0f}")
    if state == _TIME_ERROR:
        return warning("clock", "alone")
    return ok("clock", "right")


class Descriptors(msgspec.Struct, frozen=True, kw_only=True):
    """What a process may open, and what it has."""

    limit: int
    used: int
    pid: int
    """0: no server runs, so it is the limit of whoever asks."""


def descriptors_of(pid: int | None) -> Descriptors:
    """Return those of the server, or of this process where there is none to look at."""
    if pid is not None:
        try:
            lines = Path(f"/proc/{pid}/limits").read_text("utf-8").splitlines()
            used = len(os.listdir(f"/proc/{pid}/fd"))
            line = next(each for each in lines if each.startswith("Max open files"))
            return Descriptors(limit=_number(line.split()[3]), used=used, pid=pid)
        except (OSError, StopIteration):
            pass
    return Descriptors(
        limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0], used=0, pid=0
    )


def _number(text: str) -> int:
    return 2**31 if text == "unlimited" else int(text)


def check_descriptors(found: Descriptors, limits: Limits) -> Check:
    """Judge whether every connection that the limits allow could be had."""
    wanted = min(limits.node_connections_max, 20_000) + 200
    facts = {
        "limit": f"{found.limit:,}",
        "used": f"{found.used:,}",
        "wanted": f"{wanted:,}",
    }
    if found.used > 0.8 * found.limit:
        return problem("descriptors", "used", **facts)
    if found.limit < min(wanted, _FILES_MIN):
        return warning("descriptors", "low", **facts)
    return ok("descriptors", "enough", **facts)
