"""A small history with everything in it."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from kefu_core.abc.store import Store
from kefu_core.model import Agent, Cursor, MessageKind, Person, Role, Site
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.stores import Clock, draft
from kefu_core.types import ConversationId, ParticipantId, Seq

SHOP = Site(
    id=1, name="茶馆", embed_key="tea", allowed_origins=("https://shop.example",)
)
ANA = Agent(id=7, login="ana", name="安娜", password_hash="x", role=Role.AGENT)
ANA_ID = ParticipantId("a7")


def guest(number: int, name: str = "") -> Person:
    return Person(
        id=ParticipantId(f"v{number}"),
        name=name or f"访客{number}",
        role=Role.VISITOR,
    )


@asynccontextmanager
async def memory_store(
    clock: Callable[[], int] | None = None,
) -> AsyncGenerator[MemoryStore]:
    async with MemoryStore(now=time.monotonic, now_ms=clock or Clock()) as store:
        await store.put_site(SHOP)
        await store.put_agent(ANA)
        yield store


async def talk(
    store: Store, number: int, bodies: list[str], **changes: Any
) -> ConversationId:
    """Open a visitor's conversation in which these texts were written."""
    row = await store.open_conversation(SHOP.id, guest(number))
    who = ParticipantId(f"v{number}")
    for place, body in enumerate(bodies):
        await store.append(
            draft(row.id, place, sender=who, body=body, key=f"t{place}", **changes)
        )
    return row.id


async def everything(store: Store, number: int = 1) -> ConversationId:
    """Open a conversation with one message of every kind."""
    row = (await store.open_conversation(SHOP.id, guest(number))).id
    who = ParticipantId(f"v{number}")
    for place, (sender, kind, body, data) in enumerate(
        (
            (who, MessageKind.TEXT, "请问这件几天能到?😀", None),
            (ANA_ID, MessageKind.ASSIGNMENT, "", {"assignee": "a7"}),
            (ANA_ID, MessageKind.TEXT, "明天发货,\n后天到。", {"page": ["a", 1, None]}),
            (ANA_ID, MessageKind.NOTE, "VIP 客户", None),
            (ANA_ID, MessageKind.LABELS, "", {"labels": ["退货", "急"]}),
            (ANA_ID, MessageKind.CLOSE, "", None),
            (who, MessageKind.TEXT, "谢谢", None),
            (ANA_ID, MessageKind.REOPEN, "", None),
        ),
        1,
    ):
        ref = Seq(1) if place == 3 else None
        await store.append(
            draft(
                row,
                place,
                sender=sender,
                kind=kind,
                body=body,
                data=data,
                ref=ref,
            )
        )
    await store.advance_cursors(
        [Cursor(conversation=row, participant=ANA_ID, delivered=Seq(8), read=Seq(7))]
    )
    return row
