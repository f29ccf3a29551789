"""`profile`: where the microseconds of one message go."""

import pstats
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from rich.progress import Progress

from benchmarks.chat import ChatOptions, run_chat
from benchmarks.flame import draw
from benchmarks.judge import Verdict
from benchmarks.layers import (
    Frame,
    Share,
    Stacks,
    by_function,
    by_layer,
    parse_stacks,
    weigh,
)
from benchmarks.result import Result
from benchmarks.target import has_py_spy

PER_S = 250
"""Samples a second of each thread that runs."""
FUNCTIONS_SHOWN = 25


class ProfileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `profile` is asked to do."""

    chat: ChatOptions
    profiler: str = "auto"
    """`py-spy`, `cProfile`, or `auto`: py-spy where it is installed."""
    flame: str = ""
    """Where the flame graph goes; empty: it is not drawn."""


class ProfileResult(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `profile`."""

    profiler: str
    samples: int
    """Of py-spy; of cProfile thousandths of a second."""
    transport: str
    server: str
    delivered_per_s: float
    server_cpu_us_per_message: float
    """All that the layers share out."""
    layers: list[Share]
    functions: list[Share]
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str


def run_profile(
    options: ProfileOptions, progress: Progress
) -> tuple[ProfileResult, Verdict]:
    """Talk to saturation under a profiler, and share the CPU of a message out."""
    profiler = options.profiler
    if profiler == "auto":
        profiler = "py-spy" if has_py_spy() else "cProfile"
    with tempfile.TemporaryDirectory(prefix="kefu-profile-") as name:
        path = Path(name) / "profile"
        if profiler == "py-spy":
            more = ("--rate", str(PER_S), "--threads", "--full-filenames")
            given = {"profile": str(path), "profile_options": more}
        else:
            module = (sys.executable, "-m", "benchmarks.under_cprofile", str(path))
            given = {"wrapper": module}
        chat = msgspec.structs.replace(options.chat, idle=0, **given)
        result, verdict = run_chat(chat, progress)
        stacks, samples = stacks_of(path, profiler, threads_of(result))
    total_us = result.server_cpu_us_per_message or 0.0
    if options.flame:
        title = (
            f"{total_us:.0f} µs of CPU a delivered message: {chat.transport} on "
            f"{chat.server}, by {profiler}"
        )
        Path(options.flame).write_text(draw(stacks, title), "utf-8")
    found = ProfileResult(
        profiler=profiler,
        samples=samples,
        transport=chat.transport,
        server=chat.server,
        delivered_per_s=result.delivered_per_s,
        server_cpu_us_per_message=total_us,
        layers=by_layer(stacks),
        functions=by_function(stacks, FUNCTIONS_SHOWN),
        machine=result.machine,
        versions=result.versions,
        command=chat.command,
    )
    return found, verdict


def threads_of(result: Result) -> dict[int, float]:
    """Return what each thread took, µs a message; the event loop's is the first."""
    threads = result.details["threads_cpu_us_per_message"]
    assert isinstance(threads, dict), "as `chat` writes it"
    return threads


def stacks_of(
    path: Path, profiler: str, threads_us: dict[int, float]
) -> tuple[Stacks, int]:
    """Return what a profiler has written, and how often it has looked."""
    if profiler == "py-spy":
        samples = parse_stacks(path.read_text("utf-8", "replace").splitlines())
    else:
        # It has watched the event loop's thread, whose number is the process's.
        samples = _functions_of(path, min(threads_us))
    return weigh(samples, threads_us), samples.total()


def _functions_of(path: Path, thread: int) -> "Counter[tuple[Frame, ...]]":
    """Return each function on its caller: that much, and no more, cProfile knows."""
    samples: Counter[tuple[Frame, ...]] = Counter()
    main = Frame(f"thread ({thread}): MainThread", "")
    found = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    for (file, _, function), (_, _, own_s, _, callers) in found.items():
        frame = Frame(function, file)
        if not callers:
            samples[main, frame] += round(own_s * 1_000)
        for (caller_file, _, caller), (_, _, part_s, _) in callers.items():
            below = Frame(caller, caller_file)
            # A built-in is its caller's, as py-spy has it.
            stack = (main, below) if file == "~" else (main, below, frame)
            samples[stack] += round(part_s * 1_000)
    return +samples
