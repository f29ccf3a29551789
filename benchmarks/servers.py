"""`servers`: the same talk on each ASGI server, by turns in one run."""

from statistics import median

import msgspec
from rich.progress import Progress

from benchmarks.chat import ChatOptions, run_chat
from benchmarks.result import Result, machine, versions

FIGURES = {
    "delivered_per_s": "messages a second",
    "p50": "p50, ms",
    "p99": "p99, ms",
    "server_cpu_us_per_message": "CPU a message, µs",
    "loop_cpu_us_per_message": "of it the event loop's thread, µs",
    "echo_cpu_us_per_message": "CPU of a bare echo, µs",
    "idle_kib_per_connection": "idle connection, KiB",
}
"""What is compared, and how the table calls it."""


class ServersOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `servers` is asked to do."""

    servers: tuple[str, ...] = ("hypercorn", "uvicorn", "granian")
    rounds: int = 3
    """How often each has its turn: a machine is not the same all the time."""
    chat: ChatOptions = ChatOptions()


class ServersResult(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `servers`."""

    servers: dict[str, dict[str, float | None]]
    """For each server the median of its rounds, by the names of `FIGURES`."""
    rounds: dict[str, list[dict[str, float | None]]]
    """All of them, in the order in which they ran."""
    faults: dict[str, list[str]]
    """What the judge found, by server; empty where nothing."""
    messages: dict[str, int]
    """How many messages were judged."""
    generator_limited: list[str]
    """Servers in whose rounds the load generator was the limit at least once."""
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str


def run_servers(options: ServersOptions, progress: Progress) -> ServersResult:
    """Let each server have its turn, round after round."""
    facts = machine()
    rounds: dict[str, list[dict[str, float | None]]] = {}
    faults: dict[str, list[str]] = {}
    messages = dict.fromkeys(options.servers, 0)
    limited: set[str] = set()
    for _ in range(options.rounds):
        for name in options.servers:
            chat = msgspec.structs.replace(options.chat, server=name)
            result, verdict = run_chat(chat, progress)
            rounds.setdefault(name, []).append(figures_of(result))
            messages[name] += verdict.counts.acknowledged
            if result.generator_limited:
                limited.add(name)
            if not verdict.passed:
                faults.setdefault(name, []).append(str(verdict.faults))
    return ServersResult(
        servers={name: medians_of(each) for name, each in rounds.items()},
        rounds=rounds,
        faults=faults,
        messages=messages,
        generator_limited=sorted(limited),
        machine=facts,
        versions=versions(),
        command=options.chat.command,
    )


def figures_of(result: Result) -> dict[str, float | None]:
    """Return what is compared of one round."""
    loop = result.details["event_loop_cpu_us_per_message"]
    assert isinstance(loop, float), "a number, as `chat` writes it"
    return {
        "delivered_per_s": result.delivered_per_s,
        "p50": result.latency_ms.p50,
        "p99": result.latency_ms.p99,
        "server_cpu_us_per_message": result.server_cpu_us_per_message,
        "loop_cpu_us_per_message": loop,
        "echo_cpu_us_per_message": result.echo_cpu_us_per_message,
        "idle_kib_per_connection": result.idle_kib_per_connection,
    }


def medians_of(rounds: list[dict[str, float | None]]) -> dict[str, float | None]:
    """Return the median of each figure; None where no round has it."""
    found: dict[str, float | None] = {}
    for name in FIGURES:
        values = [value for each in rounds if (value := each[name]) is not None]
        found[name] = round(median(values), 1) if values else None
    return found
