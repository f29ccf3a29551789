"""The store and the application of these tests; both can be held up or fail."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import anyio

from kefu_core.abc.handler import Handler
from kefu_core.abc.streams import PeerInfo
from kefu_core.errors import Invalid, NotFound, StoreUnavailable, Unauthorized
from kefu_core.limits import Limits
from kefu_core.model import (
    Arrival,
    Conversation,
    Cursor,
    Draft,
    Message,
    Principal,
    Role,
)
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

Hook = Callable[[], Awaitable[None]]


class Gate:
    """A place where somebody waits until it is opened."""

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.opened = anyio.Event()

    async def reached(self) -> None:
        """Wait until somebody waits here."""
        with anyio.fail_after(10):
            await self.arrived.wait()

    async def __call__(self, *_: object) -> None:
        self.arrived.set()
        await self.opened.wait()


class Faults:
    """The store is away for the first so many times it is asked."""

    def __init__(self, times: int = 1) -> None:
        self.left = times
        self.asked = 0

    async def __call__(self, *_: object) -> None:
        await anyio.lowlevel.checkpoint()
        self.asked += 1
        if self.left:
            self.left -= 1
            raise StoreUnavailable(retry_after_s=0.001)


class FaultyStore(MemoryStore):
    """The memory store; `before` holds what is awaited before a method of that name."""

    def __init__(
        self, limits: Limits | None = None, now_ms: Callable[[], int] = unix_ms
    ) -> None:
        super().__init__(limits, now=monotonic, now_ms=now_ms)
        self.before: dict[str, Hook] = {}
        self.arrivals: list[Arrival] = []
        """All that it was to look at."""

    async def _pass(self, name: str) -> None:
        if name in self.before:
            await self.before[name]()

    async def history(
        self,
        conversation: ConversationId,
        *,
        after: Seq | None = None,
        before: Seq | None = None,
        limit: int = 100,
    ) -> list[Message]:
        await self._pass("history")
        return await super().history(
            conversation, after=after, before=before, limit=limit
        )

    async def find_conversation(
        self, conversation: ConversationId
    ) -> Conversation | None:
        await self._pass("find_conversation")
        return await super().find_conversation(conversation)

    async def conversations_of_visitor(
        self, visitor: ParticipantId, *, limit: int = 50
    ) -> list[Conversation]:
        await self._pass("conversations_of_visitor")
        return await super().conversations_of_visitor(visitor, limit=limit)

    async def advance_cursors(
        self, cursors: Sequence[Cursor], arrivals: Sequence[Arrival] = ()
    ) -> None:
        await self._pass("advance_cursors")
        self.arrivals += arrivals
        await super().advance_cursors(cursors, arrivals)

    async def cursors(self, *conversations: ConversationId) -> list[Cursor]:
        await self._pass("cursors")
        return await super().cursors(*conversations)

    def log_of(self, conversation: ConversationId) -> list[str]:
        """What is stored, without a read that could be held up."""
        return [message.body for message in self._logs.get(conversation, [])]


class PlainHandler(Handler):
    """Tokens are participants; visitors read their own conversations, agents all.

    `a1@2` is the participant a1 on site 2. A login has the name of its token.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.before: dict[str, Hook] = {}
        self.loaded: Hook | None = None
        """Awaited after a conversation was read and before it is answered."""
        self.is_valid = True
        self.revoked: set[str] = set()
        self.looked_up: list[list[str]] = []
        self.expires_at_ms = UnixMs(0)
        self.is_typing_shown = True

    def shows_typing(self, site_id: int) -> bool:
        return self.is_typing_shown

    async def _pass(self, name: str) -> None:
        if name in self.before:
            await self.before[name]()

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        await self._pass("authenticate")
        if not token:
            raise Unauthorized
        if token == "crash":
            raise RuntimeError("secret of ours")
        who, _, site = token.partition("@")
        return Principal(
            participant=ParticipantId(who),
            role=Role.AGENT if who.startswith("a") else Role.VISITOR,
            site_id=int(site or 1),
            session=token,
            expires_at_ms=self.expires_at_ms,
        )

    async def revalidate(self, principal: Principal) -> bool:
        await self._pass("revalidate")
        return self.is_valid

    async def find_revoked(self, agents: Collection[Principal]) -> set[Principal]:
        self.looked_up.append(sorted(agent.session for agent in agents))
        await self._pass("find_revoked")
        return {agent for agent in agents if agent.session in self.revoked}

    async def load_conversation(
        self, principal: Principal, conversation: ConversationId
    ) -> Conversation:
        row = await self.store.find_conversation(conversation)
        if self.loaded is not None:
            await self.loaded()
        if row is None or not (
            principal.is_agent or row.visitor == principal.participant
        ):
            raise NotFound
        return row

    def draft(
        self, principal: Principal, conversation: Conversation, send: f.Send
    ) -> Draft:
        if send.body == "bad":
            raise Invalid
        if send.body == "crash":
            raise RuntimeError("secret of ours")
        return Draft(
            conversation=conversation.id,
            sender=principal.participant,
            key=send.key,
            kind=send.kind,
            body=send.body,
        )

    async def conversations(self, principal: Principal) -> Sequence[Conversation]:
        if principal.is_agent:
            return []
        return await self.store.conversations_of_visitor(principal.participant)

    async def call(
        self, principal: Principal, method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        await self._pass("call")
        if method == "crash":
            raise RuntimeError("secret of ours")
        return {"echo": params}

    def may_watch(self, principal: Principal, topic: str) -> bool:
        return principal.is_agent
