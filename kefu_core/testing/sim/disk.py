"""What survives a crash, and the real appender in front of it."""

from collections.abc import Collection, Sequence
from typing import Any

import anyio
import msgspec

from kefu_core.abc.store import PendingAppend
from kefu_core.errors import Busy, StoreUnavailable
from kefu_core.folding import is_visitor
from kefu_core.limits import Limits
from kefu_core.model import (
    Arrival,
    Conversation,
    Cursor,
    Draft,
    Message,
    MessageKind,
)
from kefu_core.store.appender import Appender
from kefu_core.store.memory import MemoryStore
from kefu_core.store.planner import Plan, key_of, plan
from kefu_core.store.writing import Committed, DataError, DraftWriter, TemporaryError
from kefu_core.testing.sim.chance import Chance
from kefu_core.types import ConversationId, ParticipantId, Seq

Rows = dict[ConversationId, Conversation]
Logs = dict[ConversationId, list[Message]]


class Disk:
    """The installation's state; nodes come and go around it."""

    def __init__(self) -> None:
        self.epoch = "epoch 1"
        self.rows: Rows = {}
        self.logs: Logs = {}
        self.cursors: dict[tuple[ConversationId, ParticipantId], Cursor] = {}
        self.late: list[dict[str, Any]] = []
        self.ever: dict[tuple[ConversationId, Seq, str], Message] = {}
        """Everything that was ever committed, of replaced histories too, by body."""
        self.lost_keys: set[str] = set()
        """Keys that were stored and that a restored copy lacked."""
        self._epochs = 1
        self._copy: tuple[Rows, Logs] = ({}, {})

    def write(self, planned: Plan) -> None:
        """Commit."""
        for message in planned.messages:
            self.logs.setdefault(message.conversation, []).append(message)
            self.ever[message.conversation, message.seq, message.body] = message
        for row in (*planned.conversations, *planned.touched):
            self.rows[row.id] = row

    def known(self, drafts: Sequence[Draft]) -> list[Message]:
        """Return what is stored under the keys of these drafts."""
        keys = {key_of(draft) for draft in drafts}
        return [m for log in self.logs.values() for m in log if key_of(m) in keys]

    def unread(self, conversation: ConversationId) -> int:
        """Count the visitor's texts beyond what any agent has read."""
        read = max(
            (
                c.read
                for (of, who), c in self.cursors.items()
                if of == conversation and not is_visitor(who)
            ),
            default=0,
        )
        return sum(
            m.kind is MessageKind.TEXT and is_visitor(m.sender)
            for m in self.logs.get(conversation, [])[read:]
        )

    def back_up(self) -> None:
        """Copy the history."""
        self._copy = (dict(self.rows), {c: list(log) for c, log in self.logs.items()})

    def restore(self) -> None:
        """Put the copy in the place of the history."""
        rows, logs = self._copy
        kept = {m.key for log in logs.values() for m in log}
        self.lost_keys |= {m.key for log in self.logs.values() for m in log} - kept
        self.rows = dict(rows)
        self.logs = {c: list(logs.get(c, ())) for c in self.rows}
        self.cursors.clear()
        self.renew()

    def renew(self) -> None:
        """Begin a new epoch."""
        self._epochs += 1
        self.epoch = f"epoch {self._epochs}"


class NoDatabase(DraftWriter):
    """Nothing to connect to: `SimAppender` stores by itself."""

    def __init__(self) -> None:
        self.connection = None

    async def _roll_back(self) -> None:
        pass

    async def _commit(self, drafts: Any, now_ms: Any, *, is_waiting: bool) -> Committed:
        raise AssertionError("the simulated appender asked a database")


class SimAppender(Appender):
    """The appender over a disk; only what talks to a database is replaced."""

    def __init__(
        self, disk: Disk, chance: Chance, limits: Limits, now: Any, now_ms: Any
    ) -> None:
        super().__init__(NoDatabase(), limits, now=now, now_ms=now_ms)
        self._rng.seed(chance.rng("appender").random())
        self.is_dead = False
        """The process is gone: whatever still runs of it reaches nothing."""
        self.away_until = 0.0
        self._disk, self._chance = disk, chance

    async def _transaction(
        self, drafts: Sequence[Draft], timeout_s: float
    ) -> Committed:
        happens, rng = self._chance.happens, self._chance.rng("disk")
        slow = happens("commit_slow", 0.3)
        await anyio.sleep(rng.uniform(0.1, 3.0) if slow else rng.uniform(0.001, 0.02))
        if self.is_dead:
            raise StoreUnavailable
        if self._now() < self.away_until:
            raise TemporaryError("the database is away")
        if happens("commit_fails") or happens("commit_unknown_lost"):
            await anyio.sleep(rng.uniform(0.0, 0.2))
            raise TemporaryError("rolled back, or nobody knows")
        if len(drafts) > 1 and happens("commit_refused", 0.3):
            raise DataError("a planted refusal")
        planned = plan(
            drafts, self._disk.rows, self._disk.known(drafts), self._now_ms()
        )
        self._disk.write(planned)
        self._chance.moment = self._now()
        self._chance.note(f"commit {[(m.seq, m.key) for m in planned.messages]}")
        await anyio.sleep(rng.uniform(0.0, 0.02))
        if happens("commit_unknown_stored", 0.2):
            raise TemporaryError("the answer was lost")
        if self.is_dead:
            raise StoreUnavailable
        return Committed(plan=planned)


class SimStore(MemoryStore):
    """The store of one process: the memory store's reads, the appender's writes."""

    def __init__(
        self, disk: Disk, chance: Chance, limits: Limits, now: Any, now_ms: Any
    ) -> None:
        super().__init__(limits, now=now, now_ms=now_ms, epoch=disk.epoch)
        self._rows, self._logs = disk.rows, disk.logs
        self._disk, self._chance = disk, chance
        self._cursors, self._late = disk.cursors, disk.late
        self.appender = SimAppender(disk, chance, limits, now, now_ms)

    async def __aenter__(self) -> "SimStore":
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self.appender.run)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._tasks is not None, "closed before opened"
        with anyio.CancelScope(shield=True):
            await self.appender.close()
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    def submit(self, append: PendingAppend) -> None:
        if self._chance.happens("queue_full"):
            raise Busy(retry_after_s=0.5)
        self.appender.submit(append)

    async def _read(self) -> None:
        happens, rng = self._chance.happens, self._chance.rng("disk")
        slow = happens("read_slow", 0.3)
        await anyio.sleep(rng.uniform(0.5, 4.0) if slow else rng.uniform(0.0, 0.02))
        if happens("read_fails") or self._now() < self.appender.away_until:
            raise StoreUnavailable(retry_after_s=0.2)

    async def _answer(self) -> None:
        """What was read is on its way, and may be old when it arrives."""
        rng = self._chance.rng("disk")
        slow = self._chance.happens("answer_old", 0.2)
        await anyio.sleep(rng.uniform(0.2, 2.0) if slow else rng.uniform(0.0, 0.02))

    async def history(
        self,
        conversation: ConversationId,
        *,
        after: Seq | None = None,
        before: Seq | None = None,
        limit: int = 100,
    ) -> list[Message]:
        await self._read()
        found = await super().history(
            conversation, after=after, before=before, limit=limit
        )
        await self._answer()
        return found

    async def find_conversation(
        self, conversation: ConversationId
    ) -> Conversation | None:
        await self._read()
        row = await super().find_conversation(conversation)
        await self._answer()
        return row

    async def conversations_by_id(
        self, conversations: Collection[ConversationId]
    ) -> dict[ConversationId, Conversation]:
        await self._read()
        rows = await super().conversations_by_id(conversations)
        await self._answer()
        return rows

    async def conversations_of_visitor(
        self, visitor: ParticipantId, *, limit: int = 50
    ) -> list[Conversation]:
        await self._read()
        rows = await super().conversations_of_visitor(visitor, limit=limit)
        await self._answer()
        return rows

    async def advance_cursors(
        self, cursors: Sequence[Cursor], arrivals: Sequence[Arrival] = ()
    ) -> None:
        if self._chance.happens("cursors_fail", 0.3) or self.appender.is_dead:
            raise StoreUnavailable
        await super().advance_cursors(cursors, arrivals)

    async def cursors(self, *conversations: ConversationId) -> list[Cursor]:
        await self._read()
        return await super().cursors(*conversations)


def wide_limits(chance: Chance) -> Limits:
    """Return the limits of a run."""
    limits = Limits(
        read_timeout_s=10.0,
        drain_s=3.0,
        receipt_interval_s=0.3,
    )
    if not chance.happens("paced", 1.0):
        limits = msgspec.structs.replace(
            limits, frames_per_s=1e6, frames_burst=1_000_000
        )
    if chance.happens("tight_limits", 1.0):
        draw = chance.rng("limits").randint
        limits = msgspec.structs.replace(
            limits,
            outbox_frames_max=draw(1, 6),
            unacknowledged_sends_max=draw(1, 4),
            page_messages_max=draw(1, 5),
            ring_messages=draw(1, 4),
            catchup_reads_max=1,
            commit_messages_max=draw(1, 3),
            poll_retained_frames_max=draw(2, 8),
            appender_wait_s=chance.rng("limits").uniform(0.5, 5.0),
            requests_waiting_max=draw(4, 8),
        )
    return limits
