"""What a benchmark reports: the keys are stable and documented in README.md."""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

from benchmarks.judge import Verdict, upper_bound

PACKAGES = (
    "kefu",
    "hypercorn",
    "uvicorn",
    "granian",
    "httptools",
    "uvloop",
    "wsproto",
    "websockets",
    "msgspec",
    "anyio",
    "sqlalchemy",
    "aiosqlite",
)


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages, by the judge."""

    sent: int
    acknowledged: int
    stored: int
    delivered: int
    lost: int
    doubled: int
    reordered: int


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """From `send` to the other side's receipt, milliseconds."""

    p50: float
    p95: float
    p99: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark's JSON. None: this benchmark does not measure it."""

    messages: Messages
    delivered_per_s: float
    stored_per_s: float
    latency_ms: Latency
    server_cpu_us_per_message: float | None
    echo_cpu_us_per_message: float | None
    cpu_ratio: float | None
    idle_kib_per_connection: float | None
    generator_limited: bool
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str
    exchanges_per_message: float | None = None
    """HTTP exchanges that a delivered message took; None but on long poll."""
    details: dict[str, object] = {}
    """Not stable: what else the run measured."""


def messages_of(verdict: Verdict, delivered: int) -> Messages:
    """Return the judge's counts in the form of the report."""
    counts, faults = verdict.counts, verdict.faults
    return Messages(
        sent=counts.sent,
        acknowledged=counts.acknowledged,
        stored=counts.stored,
        delivered=delivered,
        lost=faults["lost"] + faults["gaps"],
        doubled=faults["doubled"],
        reordered=faults["reordered"],
    )


def latency_of(sorted_ms: Sequence[float]) -> Latency:
    """Return the percentiles of sorted values; zeros when there are none."""

    def percentile(share: float) -> float:
        if not sorted_ms:
            return 0.0
        position = min(len(sorted_ms) - 1, int(share * len(sorted_ms)))
        return round(sorted_ms[position], 2)

    return Latency(p50=percentile(0.5), p95=percentile(0.95), p99=percentile(0.99))


def machine() -> dict[str, str | int | float]:
    """Return what the figures depend on."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min_before": round(psutil.getloadavg()[0], 2),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def versions() -> dict[str, str]:
    """Return the versions of what runs."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "(source)" if package == "kefu" else "(none)"
    return found


def judged(verdict: Verdict) -> dict[str, object]:
    """Return what the judge found, for a run whose figures have a form of their own."""
    return {
        "acknowledged": verdict.counts.acknowledged,
        "faults": verdict.faults,
        "bounds_95": bounds(verdict),
    }


def bounds(verdict: Verdict, *, kills: int = 0) -> dict[str, float]:
    """Return the 95 % bounds that stand beside the zeros."""
    found = {
        "per_message": upper_bound(verdict.counts.acknowledged),
        "per_conversation": upper_bound(verdict.counts.conversations),
    }
    if kills:
        found["per_kill"] = upper_bound(kills)
    return found
