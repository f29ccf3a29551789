"""A history to look back at: two sites, three visitors, two agents, a set clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from kefu_core.abc.store import Store
from kefu_core.model import (
    Agent,
    AgentSession,
    Conversation,
    Draft,
    Message,
    MessageKind,
    Person,
    Role,
)
from kefu_core.node import monotonic, unix_ms
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.types import ConversationId, ParticipantId, UnixMs
from kefu_server.app import KefuApp, create_app
from kefu_server.auth import hash_secret
from kefu_server.settings import Settings
from tests.server.conftest import OTHER_SITE, SITE, connect

HOUR_MS = 3_600_000
START_MS = 1_800_000_000_000
AGENT = ParticipantId("a7")
LIN, EMMA, NAMELESS = (ParticipantId(f"v{number}") for number in (101, 102, 1033))


class Clock:
    """Unix milliseconds, set by tests."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms


class History:
    """An application with an agent logged in, and ways to make history."""

    def __init__(
        self, app: KefuApp, client: httpx.AsyncClient, store: Store, clock: Clock
    ) -> None:
        self.app = app
        self.client = client
        self.store = store
        self.clock = clock
        self._count = 0

    async def open(
        self, visitor: ParticipantId, name: str = "", site_id: int = SITE.id
    ) -> Conversation:
        """Open a conversation an hour after what was last."""
        self.clock.ms += HOUR_MS
        person = Person(id=visitor, name=name, role=Role.VISITOR)
        return await self.store.open_conversation(site_id, person)

    async def say(
        self,
        conversation: ConversationId,
        sender: ParticipantId,
        body: str = "",
        kind: MessageKind = MessageKind.TEXT,
        **data: Any,
    ) -> Message:
        """Store a message a second after what was last."""
        self.clock.ms += 1_000
        self._count += 1
        draft = Draft(
            conversation=conversation,
            sender=sender,
            key=f"key-{self._count}",
            kind=kind,
            body=body,
            data=data or None,
        )
        return (await self.store.append(draft)).message

    async def assign(self, conversation: ConversationId) -> None:
        await self.say(conversation, AGENT, kind=MessageKind.ASSIGNMENT, assignee=AGENT)

    async def label(self, conversation: ConversationId, *labels: str) -> None:
        await self.say(
            conversation, AGENT, kind=MessageKind.LABELS, labels=list(labels)
        )

    async def index(self) -> None:
        """Bring the search index up to the log."""
        while await self.store.index_some():
            pass

    async def ask(self, path: str, **parameters: Any) -> Any:
        """Return the answer of a route below `/api/history/`; `_` ends a keyword."""
        named = {name.rstrip("_"): value for name, value in parameters.items()}
        response = await self.client.get(f"/api/history/{path}", params=named)
        assert response.status_code == 200, response.text
        return response.json()

    async def refusal(self, path: str, **parameters: Any) -> tuple[int, str]:
        """Return the status and the sentence of a refusal."""
        named = {name.rstrip("_"): value for name, value in parameters.items()}
        response = await self.client.get(f"/api/history/{path}", params=named)
        return response.status_code, response.json()["error"]["text"]


async def enter(app: KefuApp, client: httpx.AsyncClient, agent: Agent) -> None:
    """Log an agent in without a password, whose hash is slow by intent."""
    services, secret = app.state.services, f"secret of {agent.login}"
    at = UnixMs(unix_ms())
    await services.store.put_agent_session(
        AgentSession(
            token_hash=hash_secret(secret),
            agent_id=agent.id,
            created_at=at,
            last_used_at=at,
        )
    )
    client.cookies.set(services.auth.cookie, secret)


@asynccontextmanager
async def history_on(
    kind: str, folder: Path, settings: Settings, agent: Agent
) -> AsyncIterator[History]:
    """Serve an empty history from a store of this kind."""
    clock = Clock()
    store: Store
    if kind == "memory":
        store = MemoryStore(now=monotonic, now_ms=clock)
    else:
        url = f"sqlite+aiosqlite:///{folder / 'kefu.db'}"
        store = SqlStore(url, now=monotonic, now_ms=clock)
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app), connect(app) as client:
        other = msgspec.structs.replace(agent, id=9, login="ben", name="Ben <i>")
        for account in (agent, other):
            await store.put_agent(account)
        for site in (SITE, OTHER_SITE):
            await store.put_site(site)
        await enter(app, client, agent)
        yield History(app, client, store, clock)
