"""What every store must do for its operator: subclass `UpkeepContract`."""

import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.model import Conversation, ConversationStatus, MessageKind, Person, Role
from kefu_core.testing.stores import AGENT, SITE, Clock, draft
from kefu_core.types import ConversationId, ParticipantId, UnixMs

OTHER_SITE = SITE.__class__(id=2, name="other", embed_key="o")
DAY_MS = 86_400_000


def visitor(number: int) -> Person:
    """Return the visitor of a number."""
    return Person(
        id=ParticipantId(f"v{number}"), name=f"visitor {number}", role=Role.VISITOR
    )


async def opened(store: Store, number: int, site_id: int = 1) -> ConversationId:
    """Return the conversation of a visitor, with both sites made."""
    await store.put_site(SITE)
    await store.put_site(OTHER_SITE)
    return (await store.open_conversation(site_id, visitor(number))).id


async def walked(
    store: Store, wanted: ConversationFilter, *, limit: int = 2
) -> list[ConversationId]:
    """Return the ids that a whole walk meets."""
    found: list[Conversation] = []
    after: ConversationId | None = ConversationId(0)
    while after is not None:
        walk = await store.walk_conversations(wanted, after=after, limit=limit)
        found += walk.conversations
        after = walk.next
    return [row.id for row in found]


class UpkeepContract:
    """Tests that take fixtures `store` (open, empty) and `clock` (settable)."""

    pytestmark = pytest.mark.anyio

    # -- walks -------------------------------------------------------------------------

    async def test_a_walk_meets_every_conversation_once_by_id(
        self, store: Store
    ) -> None:
        ids = [await opened(store, number) for number in range(1, 8)]
        assert await walked(store, ConversationFilter()) == sorted(ids)
        empty = await store.walk_conversations(
            ConversationFilter(), after=ConversationId(max(ids))
        )
        assert (empty.conversations, empty.next) == ([], None)

    async def test_activity_in_mid_walk_moves_nothing(
        self, store: Store, clock: Clock
    ) -> None:
        ids = [await opened(store, number) for number in range(1, 7)]
        first = await store.walk_conversations(ConversationFilter(), limit=3)
        clock.ms += DAY_MS
        for conversation in ids:
            await store.append(draft(conversation))
        assert first.next is not None
        rest = await store.walk_conversations(
            ConversationFilter(), after=first.next, limit=3
        )
        met = [row.id for row in (*first.conversations, *rest.conversations)]
        assert met == sorted(ids)

    async def test_each_filter_narrows_a_walk_and_its_measure(
        self, store: Store, clock: Clock
    ) -> None:
        mine, other, late = [
            await opened(store, 1),
            await opened(store, 2, OTHER_SITE.id),
            await opened(store, 3),
        ]
        began = UnixMs(clock.ms)
        await store.append(draft(mine))
        await store.append(
            draft(
                mine,
                2,
                sender=AGENT,
                kind=MessageKind.ASSIGNMENT,
                data={"assignee": AGENT},
            )
        )
        await store.append(
            draft(
                mine,
                3,
                sender=AGENT,
                kind=MessageKind.LABELS,
                data={"labels": ["退货"]},
            )
        )
        await store.append(draft(other, 4, kind=MessageKind.CLOSE, sender=AGENT))
        clock.ms += DAY_MS
        await store.append(draft(late, 5))
        next_day = UnixMs(began + DAY_MS)
        for wanted, expected in (
            (ConversationFilter(), {mine, other, late}),
            (ConversationFilter(site_id=1), {mine, late}),
            (ConversationFilter(assignee=AGENT), {mine}),
            (ConversationFilter(visitor=ParticipantId("v2")), {other}),
            (ConversationFilter(status=ConversationStatus.CLOSED), {other}),
            (ConversationFilter(label="退货"), {mine}),
            (ConversationFilter(label="退"), set()),
            (ConversationFilter(active_from=next_day), {late}),
            (ConversationFilter(active_before=next_day), {mine, other}),
            (ConversationFilter(site_id=1, active_before=next_day), {mine}),
        ):
            assert set(await walked(store, wanted)) == expected
            extent = await store.measure(wanted)
            heads = await store.heads(sorted(expected))
            assert extent.conversations == len(expected)
            assert extent.messages == sum(heads.values())
