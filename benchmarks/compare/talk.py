"""Starts the load of a comparison, sends it commands, hears its reports."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from benchmarks.compare.load import Plan, Report


class TalkError(Exception):
    """The load ended before it should; says why, as far as it said so."""


class Talk:
    """The people of one run. `with Talk(plan, home) as talk:` starts them."""

    def __init__(self, plan: Plan, home: Path, name: str = "load") -> None:
        """Prepare; plan and errors go to files in a folder."""
        self._plan = home / f"{name}.json"
        self._log = home / f"{name}.log"
        self._plan.write_bytes(msgspec.json.encode(plan))
        self._plan.chmod(0o600)  # It holds tokens.
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.compare.load", str(self._plan)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        assert self._process is not None, "entered"
        if exc_type is not None:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()  # The end of the commands ends the load.
        self._process.wait()

    def say(self, command: str) -> None:
        """Send one command."""
        assert self._process is not None, "entered"
        assert self._process.stdin is not None, "asked for a pipe"
        try:
            self._process.stdin.write(command.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._error(command) from None

    def hear(self, state: str) -> Report:
        """Wait for a report.

        Raises:
            TalkError: The load ended before.
        """
        assert self._process is not None, "entered"
        assert self._process.stdout is not None, "asked for a pipe"
        for line in self._process.stdout:
            report = msgspec.json.decode(line, type=Report)
            if report.state == state:
                return report
        raise self._error(state)

    def ask(self, command: str) -> Report:
        """Send a command that is answered by counts; returns them."""
        self.say(command)
        return self.hear("counts")

    def _error(self, wanted: str) -> TalkError:
        said = self._log.read_text("utf-8", "replace").strip().splitlines()
        why = next((line for line in reversed(said) if "Error" in line), "")
        return TalkError(f"the load ended before {wanted!r}: {why.strip(' |+-')}")
