"""The whole contract in dicts: for tests, simulations and trying things out.

Appends wait for one task, as in a database store, so that the order of events is the
same: queue, commit, then every `done` in one step. `before_commit` lets a simulation
delay, fail or lose commits.
"""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from kefu_core.abc.store import Outcome, PendingAppend, Store, StoreStatistics
from kefu_core.counts import SIZES, TIMES_S, Histogram
from kefu_core.errors import (
    Busy,
    Conflict,
    KefuError,
    NotFound,
    OutOfOrder,
    StoreUnavailable,
)
from kefu_core.folding import is_visitor
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import (
    SPOKEN_KINDS,
    Agent,
    AgentSession,
    Appended,
    Arrival,
    Conversation,
    ConversationStatus,
    Cursor,
    Draft,
    Message,
    Person,
    Role,
    Site,
)
from kefu_core.records import AgentPresence
from kefu_core.store.memory_archive import MemoryArchive
from kefu_core.store.memory_records import MemoryRecords
from kefu_core.store.memory_upkeep import MemoryUpkeep
from kefu_core.store.planner import key_of, plan, seekers
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

BeforeCommit = Callable[[Sequence[Draft]], Awaitable[None]]
"""Awaited before a batch is committed; may raise `StoreUnavailable`."""


class MemoryStore(MemoryArchive, MemoryUpkeep, MemoryRecords, Store):
    """A store that forgets everything when it is dropped."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        ids: IdGenerator | None = None,
        epoch: str = "memory",
    ) -> None:
        """Take limits and clocks; ids are drawn from `now_ms` by default."""
        super().__init__()
        self.before_commit: BeforeCommit | None = None
        self._limits = limits or Limits()
        self._now = now
        self._now_ms = now_ms
        self._ids = ids or IdGenerator(now_ms)
        self._epoch = epoch
        self._queue: deque[PendingAppend] = deque()
        self._bytes_waiting = 0
        self._wake = anyio.Event()
        self._is_open = False
        self._tasks: TaskGroup | None = None
        self._commits = 0
        self._sizes = Histogram(SIZES)
        self._stored = 0
        self._rows: dict[ConversationId, Conversation] = {}
        self._logs: dict[ConversationId, list[Message]] = {}
        self._keys: dict[tuple[ConversationId, ParticipantId, str], Message] = {}
        self._cursors: dict[tuple[ConversationId, ParticipantId], Cursor] = {}
        self._late: list[dict[str, Any]] = []
        """Rows of `late_delivery`."""
        self._sites: dict[int, Site] = {}
        self._agents: dict[int, Agent] = {}
        self._sessions: dict[str, AgentSession] = {}

    async def __aenter__(self) -> "MemoryStore":
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run)
        self._is_open = True
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._is_open = False
        while self._queue:
            await self._commit_batch()
        assert self._tasks is not None, "closed before opened"
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    # -- the log -----------------------------------------------------------------------

    def submit(self, append: PendingAppend) -> None:
        limits = self._limits
        if not self._is_open:
            raise StoreUnavailable("The store is closed.")
        if (
            len(self._queue) >= limits.appender_messages_max
            or self._bytes_waiting + append.size > limits.appender_bytes_max
        ):
            raise Busy(retry_after_s=1.0)
        self._queue.append(append)
        self._bytes_waiting += append.size
        self._wake.set()

    async def append(self, draft: Draft) -> Appended:
        finished = anyio.Event()
        outcomes: list[Outcome] = []

        def done(append: PendingAppend, outcome: Outcome) -> None:
            outcomes.append(outcome)
            finished.set()

        size = 200 + len(draft.body)
        self.submit(PendingAppend(draft, done, size=size, submitted_at=self._now()))
        await finished.wait()
        outcome = outcomes[0]
        if isinstance(outcome, KefuError):
            raise outcome
        return outcome

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._queue:
                await anyio.lowlevel.checkpoint()
                await self._commit_batch()

    async def _commit_batch(self) -> None:
        count = min(len(self._queue), self._limits.commit_messages_max)
        batch = [self._queue.popleft() for _ in range(count)]
        self._bytes_waiting -= sum(append.size for append in batch)
        taken = [append for append in batch if not append.void]
        drafts = [append.draft for append in taken]
        outcomes: Sequence[Outcome]
        try:
            if self.before_commit is not None:
                await self.before_commit(drafts)
            outcomes = self._commit(drafts)
        except KefuError as error:
            outcomes = [error] * len(taken)
        by_append = dict(zip(taken, outcomes, strict=True))
        for append in batch:
            append.done(append, by_append.get(append) or OutOfOrder())

    def _commit(self, drafts: list[Draft]) -> list[Outcome]:
        known = [self._keys[key_of(d)] for d in drafts if key_of(d) in self._keys]
        loads = self._count_answered() if seekers(drafts) else None
        planned = plan(drafts, self._rows, known, self._now_ms(), loads)
        for message in planned.messages:
            self._logs.setdefault(message.conversation, []).append(message)
            self._keys[key_of(message)] = message
        for row in (*planned.conversations, *planned.touched):
            self._rows[row.id] = row
        self._commits += 1
        self._sizes.add(len(planned.messages))
        self._stored += len(planned.messages)
        return list(planned.outcomes)

    async def history(
        self,
        conversation: ConversationId,
        *,
        after: Seq | None = None,
        before: Seq | None = None,
        limit: int = 100,
    ) -> list[Message]:
        if after is not None and before is not None:
            raise ValueError("give after or before, not both")
        await anyio.lowlevel.checkpoint()
        log = self._logs.get(conversation, [])
        if after is not None:
            return log[after : after + limit]
        end = len(log) if before is None else max(0, min(len(log), before - 1))
        return log[max(0, end - limit) : end]

    async def heads(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, Seq]:
        await anyio.lowlevel.checkpoint()
        return {c: self._rows[c].last_seq for c in conversations if c in self._rows}

    # -- conversations -----------------------------------------------------------------

    async def find_conversation(
        self, conversation: ConversationId
    ) -> Conversation | None:
        await anyio.lowlevel.checkpoint()
        return self._rows.get(conversation)

    async def conversations_by_id(
        self, conversations: Collection[ConversationId]
    ) -> dict[ConversationId, Conversation]:
        await anyio.lowlevel.checkpoint()
        return {c: self._rows[c] for c in conversations if c in self._rows}

    async def open_conversation(self, site_id: int, visitor: Person) -> Conversation:
        await anyio.lowlevel.checkpoint()
        if site_id not in self._sites:
            raise NotFound("There is no such site.")
        mine = [
            row
            for row in self._rows.values()
            if row.visitor == visitor.id and row.site_id == site_id
        ]
        if mine:
            return max(mine, key=lambda row: (row.last_at, row.id))
        now = UnixMs(self._now_ms())
        self._meet(visitor, site_id, now)
        row = Conversation(
            id=ConversationId(self._ids.new()),
            site_id=site_id,
            visitor=visitor.id,
            last_at=now,
            opened_at=now,
        )
        self._rows[row.id] = row
        return row

    async def conversations_of_visitor(
        self, visitor: ParticipantId, *, limit: int = 50
    ) -> list[Conversation]:
        await anyio.lowlevel.checkpoint()
        mine = [row for row in self._rows.values() if row.visitor == visitor]
        return sorted(mine, key=lambda row: (-row.last_at, -row.id))[:limit]

    async def list_open_conversations(self, *, limit: int) -> list[Conversation]:
        await anyio.lowlevel.checkpoint()
        rows = [
            row
            for row in self._rows.values()
            if row.status is not ConversationStatus.CLOSED
        ]
        return sorted(rows, key=_oldest_waiting_first)[:limit]

    async def list_queued(
        self, *, after: tuple[UnixMs, ConversationId] | None = None, limit: int
    ) -> list[Conversation]:
        await anyio.lowlevel.checkpoint()
        first = after or (UnixMs(0), ConversationId(0))
        rows = [
            row
            for row in self._rows.values()
            if row.queued_at and (row.queued_at, row.id) > first
        ]
        return sorted(rows, key=lambda row: (row.queued_at, row.id))[:limit]

    async def list_answered(
        self, assignee: ParticipantId, *, limit: int
    ) -> list[Conversation]:
        await anyio.lowlevel.checkpoint()
        rows = [
            row
            for row in self._rows.values()
            if row.status is ConversationStatus.ACTIVE and row.assignee == assignee
        ]
        return sorted(rows, key=lambda row: row.id)[:limit]

    async def count_answered(self) -> dict[ParticipantId, int]:
        await anyio.lowlevel.checkpoint()
        return self._count_answered()

    def _count_answered(self) -> dict[ParticipantId, int]:
        return dict(
            Counter(
                row.assignee
                for row in self._rows.values()
                if row.status is ConversationStatus.ACTIVE and row.assignee
            )
        )

    async def count_unread(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, int]:
        await anyio.lowlevel.checkpoint()
        counts = {}
        for conversation in conversations:
            read = max(
                (
                    cursor.read
                    for (c, who), cursor in self._cursors.items()
                    if c == conversation and not is_visitor(who)
                ),
                default=0,
            )
            counts[conversation] = sum(
                message.kind in SPOKEN_KINDS and is_visitor(message.sender)
                for message in self._logs.get(conversation, [])[read:]
            )
        return counts

    # -- cursors -----------------------------------------------------------------------

    async def advance_cursors(
        self, cursors: Sequence[Cursor], arrivals: Sequence[Arrival] = ()
    ) -> None:
        await anyio.lowlevel.checkpoint()
        heard = {(each.conversation, each.participant): each for each in arrivals}
        for cursor in cursors:
            who = (cursor.conversation, cursor.participant)
            if who in heard and cursor.conversation in self._rows:
                self._arrived(heard[who], cursor.delivered)
            old = self._cursors.get(who, cursor)
            self._cursors[who] = msgspec.structs.replace(
                cursor,
                delivered=max(old.delivered, cursor.delivered),
                read=max(old.read, cursor.read),
            )

    async def cursors(self, *conversations: ConversationId) -> list[Cursor]:
        await anyio.lowlevel.checkpoint()
        return [c for (of, _), c in self._cursors.items() if of in conversations]

    # -- people and sites --------------------------------------------------------------

    async def people(self, ids: Sequence[ParticipantId]) -> list[Person]:
        await anyio.lowlevel.checkpoint()
        agents = {f"a{agent.id}": agent for agent in self._agents.values()}
        found: list[Person] = []
        for who in ids:
            visitor, agent = self._visitor(who), agents.get(who)
            if visitor is not None:
                name = self._known_name(visitor.id) or visitor.name
                found.append(Person(id=who, name=name, role=Role.VISITOR))
            elif agent is not None:
                found.append(Person(id=who, name=agent.name, role=agent.role))
        return found

    async def find_site(self, embed_key: str) -> Site | None:
        await anyio.lowlevel.checkpoint()
        for site in self._sites.values():
            if site.embed_key == embed_key:
                return site
        return None

    async def sites(self) -> list[Site]:
        await anyio.lowlevel.checkpoint()
        return sorted(self._sites.values(), key=lambda site: site.id)

    async def put_site(self, site: Site) -> None:
        await anyio.lowlevel.checkpoint()
        self._sites[site.id] = site

    async def change_site(
        self, site_id: int, change: Callable[[Site], Site]
    ) -> Site | None:
        await anyio.lowlevel.checkpoint()
        site = self._sites.get(site_id)
        if site is not None:
            site = self._sites[site_id] = change(site)
        return site

    async def find_agent(
        self, *, login: str | None = None, agent_id: int | None = None
    ) -> Agent | None:
        await anyio.lowlevel.checkpoint()
        if agent_id is not None:
            return self._agents.get(agent_id)
        wanted = (login or "").casefold()
        for agent in self._agents.values():
            if agent.login.casefold() == wanted:
                return agent
        return None

    async def agents(self) -> list[Agent]:
        await anyio.lowlevel.checkpoint()
        return sorted(self._agents.values(), key=lambda agent: agent.id)

    async def put_agent(self, agent: Agent) -> None:
        await anyio.lowlevel.checkpoint()
        for other in self._agents.values():
            same_login = other.login.casefold() == agent.login.casefold()
            if same_login and other.id != agent.id:
                raise Conflict(f"The login {agent.login!r} is taken.")
        self._agents[agent.id] = agent

    async def renew_presence(
        self, agents: Collection[int], *, until: UnixMs, now: UnixMs
    ) -> None:
        await anyio.lowlevel.checkpoint()
        for number in agents:
            new = AgentPresence(id=number, lease_until=until, changed_at=now)
            known = self._records[AgentPresence].setdefault(number, new)
            assert isinstance(known, AgentPresence), "records are kept by their kind"
            lease = max(known.lease_until, until)
            changed = msgspec.structs.replace(known, lease_until=lease)
            self._records[AgentPresence][number] = changed

    async def find_agent_session(self, token_hash: str) -> AgentSession | None:
        await anyio.lowlevel.checkpoint()
        return self._sessions.get(token_hash)

    async def sessions_of_agent(self, agent_id: int) -> list[AgentSession]:
        await anyio.lowlevel.checkpoint()
        found = [s for s in self._sessions.values() if s.agent_id == agent_id]
        return sorted(found, key=lambda s: (s.created_at, s.token_hash))

    async def live_agent_sessions(self, token_hashes: Sequence[str]) -> set[str]:
        await anyio.lowlevel.checkpoint()
        return {
            token_hash
            for token_hash in token_hashes
            if (session := self._sessions.get(token_hash)) is not None
            and (agent := self._agents.get(session.agent_id)) is not None
            and agent.is_active
        }

    async def touch_agent_session(self, token_hash: str, at: UnixMs) -> bool:
        await anyio.lowlevel.checkpoint()
        session = self._sessions.get(token_hash)
        if session is None:
            return False
        self._sessions[token_hash] = msgspec.structs.replace(session, last_used_at=at)
        return True

    async def put_agent_session(self, session: AgentSession) -> None:
        await anyio.lowlevel.checkpoint()
        self._sessions[session.token_hash] = session

    async def delete_agent_sessions(
        self, *, token_hash: str | None = None, agent_id: int | None = None
    ) -> None:
        await anyio.lowlevel.checkpoint()
        self._sessions = {
            key: session
            for key, session in self._sessions.items()
            if key != token_hash and session.agent_id != agent_id
        }

    # -- the installation --------------------------------------------------------------

    @property
    def epoch(self) -> str:
        return self._epoch

    async def ping(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def problems(self) -> list[str]:
        await anyio.lowlevel.checkpoint()
        return ["Everything is kept in memory and is gone when the process ends."]

    def statistics(self) -> StoreStatistics:
        return StoreStatistics(
            appends_waiting=len(self._queue),
            bytes_waiting=self._bytes_waiting,
            commits=self._commits,
            messages=self._stored,
            commit_messages=self._sizes.value(),
            commit_s=Histogram(TIMES_S).value(),
            reads=0,
        )


def _oldest_waiting_first(row: Conversation) -> tuple[bool, int, int]:
    return row.waiting_since is None, row.waiting_since or row.last_at, row.id
