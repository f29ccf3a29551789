"""What an operator looks at when something is wrong: figures, and their last minutes.

Figures are what the node counts anyway. A sampler looks at them every few seconds, at
a cost that does not grow with the connections, and keeps twenty minutes in memory: who
opens the page sees what led to this moment. Each process knows of itself alone.
"""

import os
import platform
import secrets
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import msgspec

from kefu_core.counts import HistogramValue
from kefu_core.desk.statistics import DeskStatistics
from kefu_core.errors import CloseCode, StoreError
from kefu_core.store import schema
from kefu_core.store.engine import parse_url
from kefu_server.checks import Check, Verdict, warning
from kefu_server.checks.load import Load, judge_load
from kefu_server.checks.machine import (
    check_descriptors,
    check_disk,
    descriptors_of,
    room_at,
)
from kefu_server.metrics import LoopLag
from kefu_server.settings import Settings
from kefu_server.versions import installed_version
from kefu_server.words import Words

if TYPE_CHECKING:
    from kefu_core.node import Node
    from kefu_server.services import Services

SAMPLE_S = 5.0
_SAMPLES_MAX = 240
_MINUTE = 12
"""Samples of the last minute, by which is judged."""
_SHARE = 0.99
_PING_S = 2.0
_SLOW = str(int(CloseCode.SLOW))


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A few seconds of one process."""

    connections: int
    messages_per_s: float
    delivered_per_s: float
    wait_ms: float
    """99 of 100 messages were stored or refused within this."""
    commit_ms: float
    commit_messages: float
    """On average, in one transaction."""
    lag_ms: float
    messages_waiting: int
    """Not yet stored."""


class _Counted(msgspec.Struct, frozen=True, kw_only=True):
    """All counters at one moment."""

    at: float
    connections: int
    messages: int
    delivered: int
    slow_readers: int
    waiting: int
    waits: HistogramValue
    commits: HistogramValue
    sizes: HistogramValue
    lag: HistogramValue


class Recent:
    """The last twenty minutes of this process."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Take monotonic seconds."""
        self.samples: deque[Sample] = deque(maxlen=_SAMPLES_MAX)
        self._now = now
        self._counted: deque[_Counted] = deque(maxlen=_MINUTE + 1)

    async def run(self, node: "Node", lag: LoopLag) -> None:
        """Look every few seconds, until cancelled."""
        self.look(node, lag)
        while True:
            await anyio.sleep(SAMPLE_S)
            self.look(node, lag)

    def look(self, node: "Node", lag: LoopLag) -> None:
        """Take one sample of what has happened since the one before."""
        counted = _count(self._now(), node, lag)
        if self._counted:
            self.samples.append(_between(self._counted[-1], counted))
        self._counted.append(counted)

    def minute(self) -> tuple[Sample, int]:
        """Return the last minute as one sample, and how many slow readers were cut."""
        first, last = self._counted[0], self._counted[-1]
        return _between(first, last), last.slow_readers - first.slow_readers


def _count(at: float, node: "Node", lag: LoopLag) -> _Counted:
    hub, store = node.hub, node.store.statistics()
    closes = hub.counts.closes
    return _Counted(
        at=at,
        connections=hub.connection_count,
        messages=store.messages,
        delivered=hub.counts.delivered,
        slow_readers=sum(n for (_, code), n in closes.items() if code == _SLOW),
        waiting=store.appends_waiting,
        waits=hub.counts.waits.value(),
        commits=store.commit_s,
        sizes=store.commit_messages,
        lag=lag.late.value(),
    )


def _between(old: _Counted, new: _Counted) -> Sample:
    seconds = max(0.001, new.at - old.at)
    sizes = new.sizes - old.sizes
    return Sample(
        connections=new.connections,
        messages_per_s=round((new.messages - old.messages) / seconds, 2),
        delivered_per_s=round((new.delivered - old.delivered) / seconds, 2),
        wait_ms=_ms(new.waits - old.waits),
        commit_ms=_ms(new.commits - old.commits),
        commit_messages=round(sizes.total / max(1, sum(sizes.counts)), 1),
        lag_ms=_ms(new.lag - old.lag),
        messages_waiting=new.waiting,
    )


def _ms(spread: HistogramValue) -> float:
    return round(spread.quantile(_SHARE) * 1000, 1)


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers."""

    id: str
    """Another one after each start."""
    name: str
    version: str
    python: str
    database: str
    schema: str
    started_at: int
    at: int
    """Now, both Unix milliseconds by its clock."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not well."""

    subject: str
    finding: str
    verdict: Verdict
    title: str
    says: str
    mend: str


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service that translates, since the start."""

    name: str
    calls: int
    failures: int
    is_paused: bool


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What this process does now; of the installation: `agents` and what waits."""

    process: Process
    troubles: list[Trouble]
    every_s: float
    samples: list[Sample]
    """Oldest first, one for each `every_s`."""
    minute: Sample
    connections: dict[str, int]
    pending: int
    participants: int
    outbox_frames: int
    outbox_frames_max: int
    """Of the slowest reader."""
    catch_ups: int
    slow_readers: int
    """Cut since the start."""
    database_reads: int
    agents: dict[str, int]
    conversations_waiting: int
    waiting_s: float
    conversations_answered: int
    visits: int
    disk_free_bytes: int
    disk_total_bytes: int
    services: list[Service]


class Operations:
    """Answers what the page asks."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        in_memory: bool = False,
    ) -> None:
        """Begin with the process."""
        self.recent = Recent(now)
        self.weak: list[str] = []
        """What keeps the database from holding what it acknowledges, at the start."""
        self._settings = settings
        self._now = now
        self._now_ms = now_ms
        self._id = secrets.token_hex(4)
        self._started_ms = now_ms()
        self._database = "" if in_memory else _title_of(settings)

    async def figures(
        self, node: "Node", services: "Services", lag: LoopLag, words: Words
    ) -> Figures:
        """Return everything at this moment; a few small reads. Raises nothing."""
        desk = await services.desk.statistics()
        is_away = await _is_away(services)
        hub, store = services.hub.statistics(), services.store.statistics()
        if not self.recent.samples:
            self.recent.look(node, lag)
        minute, slow_now = self.recent.minute()
        room = await anyio.to_thread.run_sync(room_at, Path(self._settings.data_dir))
        load = Load(
            lag_ms=minute.lag_ms,
            commit_ms=minute.commit_ms,
            messages_waiting=store.appends_waiting,
            is_database_away=is_away,
            conversations_waiting=desk.waiting,
            waiting_s=desk.waiting_s,
            agents_online=_online(desk),
            slow_readers=slow_now,
            connections=hub.connections,
        )
        checks = [
            *judge_load(load),
            check_disk(Path(self._settings.data_dir), room),
            check_descriptors(descriptors_of(os.getpid()), self._settings.limits),
            *self._of_translation(node),
            *(warning("database", "weak", why=text) for text in self.weak),
        ]
        return Figures(
            process=self._process(),
            troubles=_troubles(checks, words),
            every_s=SAMPLE_S,
            samples=list(self.recent.samples),
            minute=minute,
            connections=hub.connections,
            pending=hub.hello_pending,
            participants=hub.participants,
            outbox_frames=hub.outbox_frames,
            outbox_frames_max=hub.outbox_frames_max,
            catch_ups=hub.catch_ups,
            slow_readers=sum(each.get(_SLOW, 0) for each in hub.closes.values()),
            database_reads=store.reads,
            agents=desk.agents,
            conversations_waiting=desk.waiting,
            waiting_s=desk.waiting_s,
            conversations_answered=desk.answered,
            visits=desk.visits,
            disk_free_bytes=room.free_bytes,
            disk_total_bytes=room.total_bytes,
            services=self._services(node),
        )

    def _process(self) -> Process:
        return Process(
            id=self._id,
            name=f"{socket.gethostname()}:{self._settings.host_and_port[1]}",
            version=installed_version(),
            python=platform.python_version(),
            database=self._database,
            schema=schema.newest(),
            started_at=self._started_ms,
            at=self._now_ms(),
        )

    def _services(self, node: "Node") -> list[Service]:
        found = [] if node.economy is None else node.economy.figures.services
        return [
            Service(
                name=each.provider,
                calls=each.calls,
                failures=sum(each.failures.values()),
                is_paused=each.paused_until > self._now(),
            )
            for each in found
        ]

    def _of_translation(self, node: "Node") -> list[Check]:
        paused = [each for each in self._services(node) if each.is_paused]
        return [warning("load", "paused", name=each.name) for each in paused]


def _title_of(settings: Settings) -> str:
    names = {"sqlite": "SQLite", "mysql": "MySQL / MariaDB", "mssql": "SQL Server"}
    engine = parse_url(settings.database).get_backend_name()
    return names.get(engine, "PostgreSQL")


def _online(desk: DeskStatistics) -> int:
    return desk.agents.get("online", 0)


async def _is_away(services: "Services") -> bool:
    try:
        with anyio.fail_after(_PING_S):
            await services.store.ping()
    except (StoreError, TimeoutError):
        return True
    return False


def _troubles(checks: list[Check], words: Words) -> list[Trouble]:
    bad = [check for check in checks if check.verdict is not Verdict.OK]
    bad.sort(key=lambda check: not check.is_problem)
    return [
        Trouble(
            subject=check.subject,
            finding=check.finding,
            verdict=check.verdict,
            title=check.title(words),
            says=check.says(words),
            mend=check.mend(words),
        )
        for check in bad
    ]
