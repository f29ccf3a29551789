"""A history for the history page, stored before the server starts again."""

import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import msgspec

from kefu_core.abc.store import Store
from kefu_core.ids import IdGenerator, agent_participant, visitor_participant
from kefu_core.model import Draft, Message, MessageKind, Person, Role
from kefu_core.site import Routing
from kefu_core.types import ConversationId, ParticipantId
from kefu_server.database import open_store
from kefu_server.settings import load_settings
from tests.e2e.world import World

DAY_MS = 86_400_000
MESSAGES = 120
DAYS = 6
ASKED, SENT = 20, 70
"""Seqs of the two messages about sending in the long conversation."""


def day_of(ms: int) -> str:
    """Return the day here, such as 2026-11-25."""
    return time.strftime("%Y-%m-%d", time.localtime(ms / 1000))


class Past:
    """Writes conversations; its clock stands where the next message is stored."""

    def __init__(self, store: Store, clock: "Clock", agent: ParticipantId) -> None:
        self.store = store
        self.clock = clock
        self.agent = agent
        self._ids = IdGenerator(clock)
        self._count = 0
        self.opened: list[ConversationId] = []

    async def open(self, name: str) -> ConversationId:
        """Open a conversation of a new visitor."""
        visitor = Person(
            id=visitor_participant(self._ids.new()), name=name, role=Role.VISITOR
        )
        (site,) = await self.store.sites()
        row = await self.store.open_conversation(site.id, visitor)
        self.visitor = visitor.id
        self.opened.append(row.id)
        return row.id

    async def say(
        self,
        conversation: ConversationId,
        sender: ParticipantId,
        body: str = "",
        kind: MessageKind = MessageKind.TEXT,
        **data: Any,
    ) -> Message:
        """Store a message a second after the one before."""
        self.clock.ms += 1_000
        self._count += 1
        draft = Draft(
            conversation=conversation,
            sender=sender,
            key=f"past-{self._count}",
            kind=kind,
            body=body,
            data=data or None,
        )
        return (await self.store.append(draft)).message

    async def label(self, conversation: ConversationId, *labels: str) -> None:
        await self.say(
            conversation, self.agent, kind=MessageKind.LABELS, labels=list(labels)
        )


class Clock:
    """Unix milliseconds, moved along by hand."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


def store_past(world: World, write: Callable[[Past], Awaitable[None]]) -> None:
    """Stop the server, write, and start it again."""
    world.kill()

    async def run() -> None:
        # Noon, so that a few seconds do not reach into another day.
        today = time.localtime()
        noon = (*today[:3], 12, 0, 0, 0, 0, -1)
        clock = Clock(int(time.mktime(noon) * 1000) - 30 * DAY_MS)
        settings = load_settings(environ=world.environment())
        async with open_store(settings, now_ms=clock) as store:
            (agent,) = await store.agents()
            await _keep_agents(store)
            past = Past(store, clock, agent_participant(agent.id))
            await write(past)
            # The server that was killed may have walked beyond these times already,
            # and would not look for what is older.
            while await store.index_some(past.opened):
                pass

    # The thread's own event loop is the browser's.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(anyio.run, run).result()
    world.start()


async def _keep_agents(store: Store) -> None:
    """Let no conversation go back to the queue, however slow the machine is."""
    routing = Routing(requeue_after_s=None)
    for site in await store.sites():
        changed = msgspec.structs.replace(site.settings, routing=routing)
        await store.put_site(msgspec.structs.replace(site, settings=changed))


async def usual(past: Past) -> None:
    """A long conversation over days, a few short ones, and many for scrolling."""
    for number in range(40):
        row = await past.open(f"Guest {number}")
        await past.say(row, past.visitor, f"hello number {number}")
        past.clock.ms += DAY_MS // 4
    await _long(past)
    refund = await past.open("Emma")
    await past.say(refund, past.visitor, "Where is my refund?")
    await past.say(refund, past.agent, kind=MessageKind.ASSIGNMENT, assignee=past.agent)
    await past.say(refund, past.agent, "ask the bank first", MessageKind.NOTE)
    waiting = await past.open("")
    await past.say(waiting, past.visitor, "你好，我的订单发货了没有？")


async def _long(past: Past) -> None:
    row = await past.open("林晓")
    start = past.clock.ms
    for seq in range(1, MESSAGES - 1):
        past.clock.ms = max(
            past.clock.ms, start + (seq - 1) * DAYS // MESSAGES * DAY_MS
        )
        who = past.visitor if seq % 3 else past.agent
        body = {ASKED: "请问什么时候发货？", SENT: "您好，今天已经发货了。"}.get(
            seq, f"第 {seq} 条消息"
        )
        await past.say(row, who, body)
    await past.label(row, "物流")
    await past.say(row, past.agent, kind=MessageKind.CLOSE)


def hostile(texts: list[str]) -> Callable[[Past], Awaitable[None]]:
    """Return a history in which every text that the page shows is hostile."""

    async def write(past: Past) -> None:
        (site,) = await past.store.sites()
        (agent,) = await past.store.agents()
        await past.store.put_agent(msgspec.structs.replace(agent, name=texts[0]))
        for number, text in enumerate(texts):
            key = f"hostile{number}"
            other = msgspec.structs.replace(
                site, id=site.id + 1 + number, name=text, embed_key=key
            )
            await past.store.put_site(other)
            visitor = Person(
                id=visitor_participant(1_000 + number), name=text, role=Role.VISITOR
            )
            row = await past.store.open_conversation(other.id, visitor)
            past.opened.append(row.id)
            await past.say(row.id, visitor.id, f"needle {text}")
            await past.say(row.id, past.agent, f"needle {text}", MessageKind.NOTE)
            await past.say(
                row.id, past.agent, kind=MessageKind.ASSIGNMENT, assignee=past.agent
            )
            await past.label(row.id, text[:40])

    return write
