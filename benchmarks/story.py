"""Runs the people of `incident` and `soak` beside a server, and judges as they go."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from benchmarks.court import Court
from benchmarks.everybody import GAP_S, PeoplePlan, PeopleReport, wait_of
from benchmarks.target import Kefu

Tick = Callable[[PeopleReport], None]
"""Shows how a run goes."""
LOOK_S = 0.2
SILENT_S = 60.0
"""A people's process that reports nothing for so long has a fault."""
LOAD_MIN = 0.9
"""Of the visitors that were asked for, and of what they were to say."""
EXPECTED_MIN = 200
"""Below so many messages chance alone makes them a tenth more or less."""
MEASURED_S = 60.0
"""Of less than a minute at full load the number of conversations says nothing."""
FILES_MAX = 0.95
FAULTS_IN_LOG = ("fault of ours", "Traceback", "descriptors_low", "Too many open files")
TAIL_CHARS = 2_000


class RunError(Exception):
    """The run says nothing about kefu, or the server is broken; the text says which."""


class Story:
    """One process of people, and the judge who hears of each conversation."""

    def __init__(
        self,
        server: Kefu,
        plan: PeoplePlan,
        court: Court,
        *,
        file_limit: int,
        is_keeping: bool = False,
    ) -> None:
        """Prepare; entering the block lets them come.

        Args:
            server: A server that runs.
            plan: What they do. Its folder is there, and empty.
            court: Judges.
            file_limit: So many files a process may open.
            is_keeping: Leave the histories in the folder also where all is well.
        """
        self._server = server
        self._plan = plan
        self._court = court
        self._file_limit = file_limit
        self._is_keeping = is_keeping
        self._log = Path(plan.folder) / "people.log"
        self._batches: queue.Queue[str] = queue.Queue()
        self._is_bad = threading.Event()
        self._judge_error: Exception | None = None
        self._heard_at = time.monotonic()
        self._process: subprocess.Popen[bytes]
        self._threads: list[threading.Thread] = []
        self._talks_s = self._full_s = 0.0
        self.full_mib = 0.0
        """What the people's process held when all had come."""
        self.last: PeopleReport | None = None
        """What they reported last."""

    def __enter__(self) -> Self:
        path = Path(self._plan.folder) / "people.json"
        path.touch(0o600)  # It holds a password.
        path.write_bytes(msgspec.json.encode(self._plan))
        command = [sys.executable, "-m", "benchmarks.everybody", str(path)]
        pipe = subprocess.PIPE
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log
            )
        for run in (self._listen, self._judge):
            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None, "asked for a pipe"
        decode = msgspec.json.Decoder(PeopleReport).decode
        for line in self._process.stdout:
            report = decode(line)
            self._heard_at = time.monotonic()
            self.last = report
            if report.batch:
                self._batches.put(report.batch)
        self._batches.put("")

    def _judge(self) -> None:
        while path := self._batches.get():
            try:
                verdict = self._court.hear(Path(path))
            except Exception as error:  # Told by whoever waits, in its own thread.
                self._judge_error = error
                self._is_bad.set()
                return
            if not verdict.passed:
                self._is_bad.set()
            elif not self._is_keeping:
                Path(path).unlink()

    # -- while it runs -----------------------------------------------------------------

    @property
    def is_bad(self) -> bool:
        """Whether there is something that ends the run."""
        return self._is_bad.is_set() or bool(self.last and self.last.stuck)

    def look(self) -> None:
        """See that the run is what it should be.

        Raises:
            RunError: Server or people have ended, or a process has no more files.
        """
        if self._judge_error is not None:
            raise RunError(f"The judge could not look: {self._judge_error!r}")
        status = self._server.exit_status
        if status is not None:
            raise RunError(f"The server ended ({status}):\n{_tail(self._server.log)}")
        if self._process.poll() is not None:
            raise RunError(f"The people ended:\n{_tail(self._log)}")
        if time.monotonic() - self._heard_at > SILENT_S:
            raise RunError("The people report nothing any more.")
        if self.last is not None and self.last.files > FILES_MAX * self._file_limit:
            raise RunError(f"{self.last.files} files are open; raise ulimit -n.")

    def run(self, until: float, tick: Tick) -> None:
        """Let them talk until a moment (monotonic), or until something is wrong.

        Raises:
            RunError: See `look`.
        """
        ramped_at = time.monotonic() + self._plan.ramp_s
        while (at := time.monotonic()) < until and not self.is_bad:
            self.look()
            if self.last is not None:
                tick(self.last)
                if at > ramped_at:
                    self.full_mib = self.full_mib or self.last.memory_mib
                    self._full_s += LOOK_S
                    self._talks_s += LOOK_S * self.last.talks
            time.sleep(LOOK_S)

    def finish(self, tick: Tick) -> PeopleReport:
        """Let them finish, and the judge hear of it; return their last words.

        Raises:
            RunError: They did not come to an end, or see `look`.
        """
        assert self._process.stdin is not None, "asked for a pipe"
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        give_up_at = time.monotonic() + 4 * self._plan.rest_s
        while self.last is None or self.last.state != "done":
            if time.monotonic() > give_up_at:
                raise RunError("The people did not come to an end.")
            if self._process.poll() is None:
                self.look()
            elif not self._threads[0].is_alive():
                break
            if self.last is not None:
                tick(self.last)
            time.sleep(LOOK_S)
        self._process.wait()
        for thread in self._threads:
            thread.join()
        if self._judge_error is not None:
            raise RunError(f"The judge could not look: {self._judge_error!r}")
        if self.last is None or self.last.state != "done":
            raise RunError(f"The people ended:\n{_tail(self._log)}")
        return self.last

    # -- afterwards --------------------------------------------------------------------

    def shortcomings(self, last: PeopleReport) -> list[str]:
        """Return why the run was not what was asked for, or not what is promised."""
        found = [f"Not at rest: {text}" for text in last.stuck]
        asked = self._plan.visitors
        if self._full_s >= MEASURED_S:
            talks = self._talks_s / self._full_s
            if talks < LOAD_MIN * asked * self._share_talking:
                found.append(f"The load was {talks:.0f} conversations, not {asked}.")
        expected = last.talk_s / self._plan.pace_s
        if expected > EXPECTED_MIN and last.said < LOAD_MIN * expected:
            found.append(f"Visitors said {last.said} messages, not {expected:.0f}.")
        if last.refused:
            found.append(f"Messages were refused: {last.refused}.")
        return found + faults_in(self._server.log)

    @property
    def _share_talking(self) -> float:
        """Of the places of visitors: between two visits one is empty."""
        return self._plan.stay_s / (self._plan.stay_s + GAP_S)


def faults_in(log: Path) -> list[str]:
    """Return the lines of a server's log that tell of a fault of its own."""
    found = []
    with log.open(errors="replace") as lines:
        for line in lines:
            if any(text in line for text in FAULTS_IN_LOG):
                found.append(f"The server's log: {line.strip()[:TAIL_CHARS]}")
                if len(found) == 5:
                    break
    return found


def waits_of(report: PeopleReport) -> dict[str, float]:
    """Return percentiles of what a message took to the other side, in seconds."""
    found = {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": round(report.wait_max_s, 3)}
    count = sum(report.waits.values())
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        reached = 0
        for bucket, times in sorted(report.waits.items()):
            reached += times
            if reached >= share * count:
                found[name] = round(wait_of(bucket), 4)
                break
    return found


def _tail(path: Path) -> str:
    return path.read_text("utf-8", "replace")[-TAIL_CHARS:]
