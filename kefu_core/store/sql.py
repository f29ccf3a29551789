"""The store on SQL: the appender, the readers and the tables under the contract."""

import secrets
from collections.abc import Callable, Collection, Sequence

import anyio
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.store import (
    Outcome,
    PendingAppend,
    Store,
)
from kefu_core.errors import ConfigurationError, KefuError, StoreUnavailable
from kefu_core.ids import ID_MAX, IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import (
    Agent,
    AgentSession,
    Appended,
    Arrival,
    Conversation,
    Cursor,
    Draft,
    Message,
    Person,
    Site,
)
from kefu_core.store import history, people
from kefu_core.store import tables as t
from kefu_core.store.access import SqlAccess
from kefu_core.store.archive import SqlArchive
from kefu_core.store.copying import COPYING
from kefu_core.store.dumping import RESTORING
from kefu_core.store.keeping import SqlUpkeep
from kefu_core.store.putting import raise_cursors
from kefu_core.store.records import SqlRecords
from kefu_core.store.together import Range, ReadTogether
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs


class SqlStore(SqlAccess, SqlArchive, SqlUpkeep, SqlRecords, Store):
    """One installation in a database, named by a URL."""

    def __init__(
        self,
        url: str,
        *,
        limits: Limits | None = None,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        ids: IdGenerator | None = None,
    ) -> None:
        """Take the URL; nothing is opened yet. Raises `ConfigurationError`."""
        super().__init__(url, limits or Limits(), now=now, now_ms=now_ms)
        self._ids = ids or IdGenerator(now_ms)
        self._searches = anyio.CapacityLimiter(self._limits.searches_max)
        self._epoch = ""
        self._together: ReadTogether | None = None

    # -- life --------------------------------------------------------------------------

    async def __aenter__(self) -> "SqlStore":
        try:
            tasks = await self._open()
            self._together = ReadTogether(self._read, tasks.start_soon)
            self._epoch = await self._do(_load_epoch)
        except BaseException:
            # Not in a scope of its own: the tasks began outside of it.
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._together is not None:
            self._together.close()
        await self._close()

    @property
    def epoch(self) -> str:
        return self._epoch

    async def problems(self) -> list[str]:
        # A connection that writes: some settings belong to the connection.
        return await self._do(lambda c: self._dialect.all_problems(c, self._now_ms))

    # -- the log -----------------------------------------------------------------------

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
        messages: list[Message] = []
        if after is not None:
            wanted = Range(conversation, Seq(after + 1), Seq(after + limit))
            messages = await self._range(wanted)
        elif before is not None:
            first = Seq(max(1, before - limit))
            messages = await self._range(Range(conversation, first, Seq(before - 1)))
        if messages:
            return messages
        # The newest page; or there is nothing, if the log is as it should be.
        return await self._read(
            lambda c: history.page(c, conversation, after, before, limit)
        )

    async def _range(self, wanted: Range) -> list[Message]:
        if wanted.first > wanted.last or wanted.last > ID_MAX:
            return []
        return (await self._gathered.ranges.find([wanted])).get(wanted, [])

    async def heads(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, Seq]:
        return await self._read(lambda c: history.heads(c, conversations))

    # -- conversations -----------------------------------------------------------------

    async def find_conversation(
        self, conversation: ConversationId
    ) -> Conversation | None:
        return (await self.conversations_by_id([conversation])).get(conversation)

    async def conversations_by_id(
        self, conversations: Collection[ConversationId]
    ) -> dict[ConversationId, Conversation]:
        return await self._gathered.rows.find(conversations)

    async def open_conversation(self, site_id: int, visitor: Person) -> Conversation:
        new_id = ConversationId(self._ids.new())
        now = UnixMs(self._now_ms())
        return await self._do(
            lambda c: people.open_conversation(c, site_id, visitor, new_id, now)
        )

    async def conversations_of_visitor(
        self, visitor: ParticipantId, *, limit: int = 50
    ) -> list[Conversation]:
        found = await self._gathered.of_visitors.find([visitor])
        return found.get(visitor, [])[:limit]

    async def list_open_conversations(self, *, limit: int) -> list[Conversation]:
        return await self._read(lambda c: history.still_open(c, limit))

    async def list_queued(
        self, *, after: tuple[UnixMs, ConversationId] | None = None, limit: int
    ) -> list[Conversation]:
        return await self._read(lambda c: history.queued(c, after, limit))

    async def list_answered(
        self, assignee: ParticipantId, *, limit: int
    ) -> list[Conversation]:
        return await self._read(lambda c: history.answered_by(c, assignee, limit))

    async def count_answered(self) -> dict[ParticipantId, int]:
        return await self._read(history.count_answered)

    async def count_unread(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, int]:
        return await self._read(lambda c: history.unread(c, conversations))

    # -- cursors -----------------------------------------------------------------------

    async def advance_cursors(
        self, cursors: Sequence[Cursor], arrivals: Sequence[Arrival] = ()
    ) -> None:
        await self._do(lambda c: raise_cursors(c, cursors, arrivals))

    async def cursors(self, *conversations: ConversationId) -> list[Cursor]:
        found = await self._gathered.cursors.find(conversations)
        return [cursor for cursors in found.values() for cursor in cursors]

    # -- people and sites --------------------------------------------------------------

    async def people(self, ids: Sequence[ParticipantId]) -> list[Person]:
        return await self._read(lambda c: people.people(c, ids))

    async def find_site(self, embed_key: str) -> Site | None:
        return await self._read(lambda c: people.find_site(c, embed_key))

    async def sites(self) -> list[Site]:
        return await self._read(people.sites)

    async def put_site(self, site: Site) -> None:
        await self._do(lambda c: people.put_site(c, site))

    async def change_site(
        self, site_id: int, change: Callable[[Site], Site]
    ) -> Site | None:
        return await self._do(lambda c: people.change_site(c, site_id, change))

    async def find_agent(
        self, *, login: str | None = None, agent_id: int | None = None
    ) -> Agent | None:
        if agent_id is not None:
            return (await self._gathered.agents.find([agent_id])).get(agent_id)
        return await self._read(lambda c: people.find_agent(c, login or ""))

    async def agents(self) -> list[Agent]:
        return await self._read(people.agents)

    async def put_agent(self, agent: Agent) -> None:
        await self._do(lambda c: people.put_agent(c, agent))

    async def renew_presence(
        self, agents: Collection[int], *, until: UnixMs, now: UnixMs
    ) -> None:
        await self._do(lambda c: people.renew_presence(c, agents, until, now))

    async def find_agent_session(self, token_hash: str) -> AgentSession | None:
        return (await self._gathered.sessions.find([token_hash])).get(token_hash)

    async def sessions_of_agent(self, agent_id: int) -> list[AgentSession]:
        return await self._read(lambda c: people.sessions_of_agent(c, agent_id))

    async def live_agent_sessions(self, token_hashes: Sequence[str]) -> set[str]:
        return await self._read(lambda c: people.live_agent_sessions(c, token_hashes))

    async def touch_agent_session(self, token_hash: str, at: UnixMs) -> bool:
        return await self._do(lambda c: people.touch_agent_session(c, token_hash, at))

    async def put_agent_session(self, session: AgentSession) -> None:
        await self._do(lambda c: people.put_agent_session(c, session))

    async def delete_agent_sessions(
        self, *, token_hash: str | None = None, agent_id: int | None = None
    ) -> None:
        await self._do(lambda c: people.delete_agent_sessions(c, token_hash, agent_id))

    # -- reading together --------------------------------------------------------------

    @property
    def _gathered(self) -> ReadTogether:
        if self._together is None:
            raise StoreUnavailable("The store is not open.")
        return self._together


async def _load_epoch(connection: AsyncConnection) -> str:
    found = (await connection.execute(select(t.installation.c.epoch))).scalar()
    if found is not None:
        if str(found).startswith(COPYING):
            raise ConfigurationError(
                "This database is an unfinished copy; run kefu db copy again."
            )
        if str(found).startswith(RESTORING):
            raise ConfigurationError(
                "This database is half restored; run kefu restore again."
            )
        return str(found)
    epoch = secrets.token_hex(8)
    await connection.execute(insert(t.installation).values(id=1, epoch=epoch))
    return epoch
