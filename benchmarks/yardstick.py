"""Measures what one echoed frame costs the server."""

import subprocess
import sys
import time
from pathlib import Path

import msgspec

from benchmarks.target import echo_process


class EchoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the echo run measured."""

    echoes: int
    per_s: float
    cpu_us: float
    """CPU microseconds of the server process per echo."""
    server_share: float
    """Of one core."""
    generator_share: float
    frame_bytes: int


def measure_echo(
    directory: Path,
    transport: str,
    *,
    connections: int,
    seconds: float,
    frame_bytes: int,
    server: str = "hypercorn",
) -> EchoResult:
    """Run the echo server and its load for so many seconds."""
    with echo_process(directory, transport, server) as echo:
        arguments = [transport, echo.port, connections, seconds, frame_bytes]
        command = [sys.executable, "-m", "benchmarks.echo_load", *map(str, arguments)]
        marks = []
        with subprocess.Popen(command, stdout=subprocess.PIPE) as load:
            assert load.stdout is not None, "asked for a pipe"
            for line in load.stdout:
                mark = msgspec.json.decode(line)
                marks.append((time.monotonic(), echo.cpu_s(), mark))
    if len(marks) != 2:
        raise RuntimeError("The load of the echo server ended early; see its output.")
    (start, cpu_before, first), (end, cpu_after, last) = marks
    count, wall, cpu = (
        last["count"] - first["count"],
        end - start,
        cpu_after - cpu_before,
    )
    return EchoResult(
        echoes=count,
        per_s=count / wall,
        cpu_us=cpu / max(1, count) * 1e6,
        server_share=cpu / wall,
        generator_share=(last["cpu_s"] - first["cpu_s"]) / wall,
        frame_bytes=frame_bytes,
    )
