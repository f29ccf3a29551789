"""Starts generator processes, sends them commands, gathers their reports."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from benchmarks.people import Manners
from benchmarks.plan import Plan, Report
from benchmarks.target import Kefu


class GeneratorError(RuntimeError):
    """A generator's process ended before its time; says why."""


CLIENTS_PER_ADDRESS = 40
"""Well below the limit of an address, also when all of them reconnect at once."""


class Crowd:
    """All visitors and agents of a run, in one or more processes."""

    def __init__(self, plans: list[Plan], directory: Path) -> None:
        """Prepare; entering the block starts the processes."""
        self._plans = plans
        self._directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def histories(self) -> list[Path]:
        """Where the histories are once the crowd has left."""
        return [Path(plan.history) for plan in self._plans]

    def __enter__(self) -> Self:
        for plan in self._plans:
            path = self._directory / f"{plan.name}.plan.json"
            path.write_bytes(msgspec.json.encode(plan))
            path.chmod(0o600)  # It holds tokens.
            command = [sys.executable, "-m", "benchmarks.generator", str(path)]
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for process in self._processes:
            if exc_type is not None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def say(self, command: str) -> None:
        """Send one command to every process."""
        for process in self._processes:
            assert process.stdin is not None, "asked for a pipe"
            process.stdin.write(command.encode() + b"\n")
            process.stdin.flush()

    def hear(self, state: str) -> Report:
        """Wait until every process has reported a state; returns the sums.

        Raises:
            GeneratorError: A process ended before.
        """
        reports = [self._hear_one(process, state) for process in self._processes]
        closes: Counter[str] = Counter()
        for report in reports:
            closes.update(report.closes)
        return Report(
            state=state,
            at=time.monotonic(),
            cpu_s=max(report.cpu_s for report in reports),
            sent=sum(report.sent for report in reports),
            acknowledged=sum(report.acknowledged for report in reports),
            delivered=sum(report.delivered for report in reports),
            requests=sum(report.requests for report in reports),
            deflated=sum(report.deflated for report in reports),
            pages=sum(report.pages for report in reports),
            pages_failed=sum(report.pages_failed for report in reports),
            behind=sum(report.behind for report in reports),
            latencies_ms=sorted(ms for r in reports for ms in r.latencies_ms),
            closes=dict(closes),
            lags_ms=sorted(ms for r in reports for ms in r.lags_ms),
            came_at=sorted(at for r in reports for at in r.came_at),
        )

    @staticmethod
    def _hear_one(process: subprocess.Popen[bytes], state: str) -> Report:
        assert process.stdout is not None, "asked for a pipe"
        for line in process.stdout:
            report = msgspec.json.decode(line, type=Report)
            if report.state == state:
                return report
            if report.state == "failed":
                raise GeneratorError(report.text)
        raise GeneratorError(f"The load generator ended before it was {state}.")

    def ask(self, command: str) -> Report:
        """Send a command that is answered by counts; returns the sums."""
        self.say(command)
        return self.hear("counts")


def make_plans(
    server: Kefu,
    directory: Path,
    *,
    visitors: int,
    agents: list[str],
    transport: str = "websocket",
    transports: Sequence[str] = (),
    manners: Manners | None = None,
    rate: float = 0.0,
    second_tabs: int = 0,
    processes: int = 1,
) -> list[Plan]:
    """Get tokens and share visitors and agents (logins) out to processes.

    `transports` has one for each visitor where they are not all `transport`'s.
    """
    # Each process needs both sides, so that a message's latency is seen by one clock.
    processes = max(1, min(processes, len(agents), visitors))
    agent_tokens = [server.agent_token(login) for login in agents]
    visitor_tokens = [server.visitor_token() for _ in range(visitors)]
    total = visitors + len(agents) + second_tabs
    addresses = [f"127.0.0.{2 + n}" for n in range(1 + total // CLIENTS_PER_ADDRESS)]
    return [
        Plan(
            name=f"p{number}",
            url=server.url(transport),
            transport=transport,
            transports=list(transports[number::processes]),
            urls={name: server.url(name) for name in transports},
            manners=manners,
            visitor_tokens=visitor_tokens[number::processes],
            agent_tokens=agent_tokens[number::processes],
            history=str(directory / f"p{number}.history.jsonl"),
            rate=rate / processes,
            second_tabs=second_tabs // processes,
            addresses=addresses,
        )
        for number in range(processes)
    ]


def generator_count() -> int:
    """Return how many generator processes leave the server a core of its own."""
    return max(1, (os.cpu_count() or 2) - 1)
