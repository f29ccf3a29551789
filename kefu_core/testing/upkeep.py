"""What every store must do for its operator: subclass `UpkeepContract`."""

from collections.abc import AsyncGenerator

import pytest
from msgspec.structs import replace

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.abc.upkeep import Erased
from kefu_core.folding import fold
from kefu_core.languages import text_key
from kefu_core.model import (
    Conversation,
    ConversationStatus,
    Cursor,
    Message,
    MessageKind,
    Person,
    Role,
)
from kefu_core.records import CachedTranslation
from kefu_core.testing.stores import AGENT, SITE, Clock, draft
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

OTHER_SITE = SITE.__class__(id=2, name="other", embed_key="o")
VISITOR_ID = ParticipantId("v1")
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


async def kinds(store: Store, conversation: ConversationId) -> list[str]:
    """Return the kinds of a log's messages."""
    return [str(message.kind) for message in await store.history(conversation)]


async def erased_all(
    store: Store, site_id: int, before: UnixMs, *, limit: int = 200
) -> int:
    """Erase all that is due; returns how many messages that was."""
    count = 0
    async for row in _rows(store, site_id):
        count -= await _erased_count(store, row)
    while await store.erase_old(site_id, before, limit=limit):
        pass
    async for row in _rows(store, site_id):
        count += await _erased_count(store, row)
    return count


async def _rows(store: Store, site_id: int) -> AsyncGenerator[ConversationId]:
    for row in await walked(store, ConversationFilter(site_id=site_id), limit=100):
        yield row


async def _erased_count(store: Store, conversation: ConversationId) -> int:
    log = await store.history(conversation, limit=100_000)
    return sum(message.kind is MessageKind.ERASED for message in log)


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
            (ConversationFilter(sites=frozenset({1})), {mine, late}),
            (ConversationFilter(sites=frozenset({1, 2})), {mine, other, late}),
            (ConversationFilter(sites=frozenset()), set()),
            (ConversationFilter(assignee=AGENT), {mine}),
            (ConversationFilter(visitors=(ParticipantId("v2"),)), {other}),
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

    # -- erasure -----------------------------------------------------------------------

    async def test_erased_messages_keep_all_but_their_content(
        self, store: Store
    ) -> None:
        conversation = await opened(store, 1)
        await store.append(draft(conversation, 1, data={"page": "/a"}, ref=Seq(1)))
        await store.append(
            draft(conversation, 2, sender=AGENT, kind=MessageKind.NOTE, body="VIP")
        )
        await store.append(
            draft(
                conversation,
                3,
                sender=AGENT,
                kind=MessageKind.LABELS,
                body="",
                data={"labels": ["退货"]},
            )
        )
        before = await store.history(conversation)
        row = await store.find_conversation(conversation)
        assert await store.erase_conversation(conversation) == Erased(
            messages=2, next=None
        )
        after = await store.history(conversation)
        gone = {"kind": MessageKind.ERASED, "body": ""}
        assert after == [
            replace(before[0], data={"was": "text"}, **gone),
            replace(before[1], data={"was": "note"}, **gone),
            before[2],
        ]
        assert row is not None
        assert await store.find_conversation(conversation) == replace(row, last_line="")

    async def test_one_message_is_erased_and_never_the_next_in_its_place(
        self, store: Store
    ) -> None:
        conversation = await opened(store, 1)
        for number in (1, 2, 3):
            await store.append(draft(conversation, number))
        for count in (1, 0):
            erased = await store.erase_conversation(
                conversation, after=Seq(1), limit=1, upto=Seq(2)
            )
            assert erased.messages == count
        kinds = [message.kind for message in await store.history(conversation)]
        text = MessageKind.TEXT
        assert kinds == [text, MessageKind.ERASED, text]

    async def test_what_was_made_of_a_message_goes_with_it(self, store: Store) -> None:
        conversation = await opened(store, 1)
        await store.append(draft(conversation, 1, body="first canary"))
        await store.append(draft(conversation, 2, body="second"))
        edit, translation = MessageKind.EDIT, MessageKind.TRANSLATION
        # The last one is of what was made of the first.
        for number, kind, of in ((3, edit, 1), (4, edit, 2), (5, translation, 3)):
            made = draft(conversation, number, kind=kind, body="canary")
            await store.append(replace(made, ref=Seq(of)))
        newest = draft(conversation, 6, kind=MessageKind.EDIT, body="second, mended")
        await store.append(replace(newest, ref=Seq(2), data={"upto": 5}))
        row = await store.find_conversation(conversation)
        assert row is not None
        assert row.last_line == "second, mended"
        erased = await store.erase_conversation(
            conversation, after=Seq(0), limit=1, upto=Seq(1)
        )
        assert erased.messages == 1
        log = await store.history(conversation)
        gone = [message.seq for message in log if message.kind is MessageKind.ERASED]
        assert gone == [1, 3, 5]
        assert [log[at].data for at in (2, 4)] == [
            {"was": "edit"},
            {"was": "translation"},
        ]
        assert await store.find_conversation(conversation) == row
        await store.erase_conversation(conversation, after=Seq(1), limit=1, upto=Seq(2))
        assert {m.body for m in await store.history(conversation)} == {""}
        bare = await store.find_conversation(conversation)
        assert bare == replace(row, last_line="")

    async def test_the_row_is_the_fold_of_what_is_left(self, store: Store) -> None:
        conversation = await opened(store, 1)
        empty = await store.find_conversation(conversation)
        assert empty is not None
        for number, (sender, kind) in enumerate(
            (
                (VISITOR_ID, MessageKind.TEXT),
                (AGENT, MessageKind.CLOSE),
                (VISITOR_ID, MessageKind.TEXT),
                (AGENT, MessageKind.NOTE),
                (AGENT, MessageKind.TEXT),
                (VISITOR_ID, MessageKind.TEXT),
            )
        ):
            await store.append(draft(conversation, number, sender=sender, kind=kind))
        for after in (5, 1, 0):
            await store.erase_conversation(conversation, after=Seq(after), limit=2)
            row = empty
            for message in await store.history(conversation):
                row = fold(row, message)
            assert await store.find_conversation(conversation) == row

    async def test_erasing_goes_in_steps_and_a_second_run_finds_nothing(
        self, store: Store
    ) -> None:
        conversation = await opened(store, 1)
        for number in range(5):
            await store.append(draft(conversation, number))
        steps = [await store.erase_conversation(conversation, limit=2)]
        assert steps[0] == Erased(messages=2, next=Seq(2))
        newest = await store.find_conversation(conversation)
        assert newest is not None
        assert newest.last_line == "m4"
        while (after := steps[-1].next) is not None:
            steps.append(
                await store.erase_conversation(conversation, after=after, limit=2)
            )
        assert [step.messages for step in steps] == [2, 2, 1]
        assert await store.erase_conversation(conversation) == Erased(
            messages=0, next=None
        )
        assert await store.erase_conversation(ConversationId(404)) == Erased(
            messages=0, next=None
        )

    async def test_the_key_of_an_erased_message_is_known_still(
        self, store: Store
    ) -> None:
        conversation = await opened(store, 1)
        await store.append(draft(conversation))
        await store.erase_conversation(conversation)
        again = await store.append(draft(conversation))
        assert again.duplicate
        assert again.message.seq == 1

    async def test_unread_counts_and_cursors_stay_sound(self, store: Store) -> None:
        conversation = await opened(store, 1)
        for number in range(4):
            await store.append(draft(conversation, number))
        cursor = Cursor(
            conversation=conversation, participant=AGENT, delivered=Seq(4), read=Seq(1)
        )
        await store.advance_cursors([cursor])
        await store.erase_conversation(conversation, limit=3)
        assert await store.cursors(conversation) == [cursor]
        # What cannot be read any more is not counted as unread.
        assert await store.count_unread([conversation]) == {conversation: 1}
        appended = await store.append(draft(conversation, 9))
        assert appended.message.seq == 5

    async def test_retention_erases_what_is_older_and_nothing_else(
        self, store: Store, clock: Clock
    ) -> None:
        mine, other = await opened(store, 1), await opened(store, 2, OTHER_SITE.id)
        late = await opened(store, 3)
        for number in range(3):
            await store.append(draft(mine, number))
            await store.append(draft(other, number))
            clock.ms += DAY_MS
        await store.append(draft(late))
        before = UnixMs(clock.ms - DAY_MS - 1)
        assert await kinds(store, mine) == ["text"] * 3
        assert await erased_all(store, 1, before) == 2
        assert await kinds(store, mine) == ["erased", "erased", "text"]
        assert await kinds(store, other) == ["text"] * 3
        assert await kinds(store, late) == ["text"]
        row = await store.find_conversation(mine)
        assert row is not None
        assert row.last_line == "m2"
        clock.ms += 5 * DAY_MS
        assert await erased_all(store, 1, UnixMs(clock.ms)) == 2
        row = await store.find_conversation(mine)
        assert row is not None
        assert row.last_line == ""
        assert await erased_all(store, 1, UnixMs(clock.ms)) == 0

    async def test_retention_goes_on_where_a_conversation_lives_on(
        self, store: Store, clock: Clock
    ) -> None:
        conversation = await opened(store, 1)
        for day in range(8):
            for number in range(60):
                await store.append(draft(conversation, day * 60 + number))
            clock.ms += DAY_MS
            before = UnixMs(clock.ms - 2 * DAY_MS)
            await erased_all(store, 1, before, limit=50)
            log: list[Message] = []
            while page := await store.history(conversation, after=Seq(len(log))):
                log += page
            assert [m.kind is MessageKind.ERASED for m in log] == [
                m.at < before for m in log
            ]

    async def test_the_mark_moves_with_what_is_erased_and_only_then(
        self, store: Store, clock: Clock
    ) -> None:
        marks = [await store.erasure_mark()]
        conversation = await opened(store, 1)
        await store.append(draft(conversation))
        await store.erase_old(1, UnixMs(clock.ms))
        marks.append(await store.erasure_mark())
        await store.erase_conversation(conversation)
        marks.append(await store.erasure_mark())
        await store.append(draft(conversation, 2))
        await store.erase_old(1, UnixMs(clock.ms + 1))
        marks.append(await store.erasure_mark())
        await store.forget_visitor(VISITOR_ID)
        marks.append(await store.erasure_mark())
        assert marks[0] == marks[1] < marks[2] < marks[3] < marks[4]

    async def test_a_forgotten_visitor_has_no_name(self, store: Store) -> None:
        await opened(store, 1)
        await opened(store, 2)
        await store.forget_visitor(VISITOR_ID)
        people = await store.people([VISITOR_ID, ParticipantId("v2")])
        names = {person.id: person.name for person in people}
        assert names == {VISITOR_ID: "", "v2": "visitor 2"}

    async def test_a_forgotten_visitor_takes_the_translations_of_its_site_along(
        self, store: Store
    ) -> None:
        await opened(store, 1)
        entry = CachedTranslation(
            id=1, site_id=SITE.id, key="k", text_key="t", body="who I am"
        )
        other = replace(entry, id=2, site_id=SITE.id + 1)
        await store.put_records(entry, other)
        await store.forget_visitor(VISITOR_ID)
        assert await store.list_records(CachedTranslation) == [other]

    async def test_an_erased_text_takes_what_is_cached_of_it_along(
        self, store: Store, clock: Clock
    ) -> None:
        one, two = await opened(store, 1), await opened(store, 2)
        texts = ("secret", "old", "kept", "not said here")
        other = await opened(store, 3, OTHER_SITE.id)
        await store.append(draft(other, body="secret"))
        await store.append(draft(two, body=" old "))
        clock.ms += DAY_MS
        await store.append(draft(one, 1, body="secret"))
        await store.append(draft(one, 2, body="kept"))
        sites = (SITE.id, OTHER_SITE.id)
        entries = [
            CachedTranslation(
                id=10 * site_id + number,
                site_id=site_id,
                key=text_key("pt", text),
                text_key=text_key(text),
                body="translated",
            )
            for site_id in sites
            for number, text in enumerate(texts)
        ]
        await store.put_records(*entries)
        await store.erase_conversation(one, limit=1, upto=Seq(1))
        left = await store.list_records(CachedTranslation, after=0)
        assert left == entries[1:]
        while await store.erase_old(SITE.id, UnixMs(clock.ms)):
            pass
        left = await store.list_records(CachedTranslation, after=0)
        assert left == entries[2:]

    async def test_last_lines_come_with_the_seq_they_belong_to(
        self, store: Store
    ) -> None:
        first, second = await opened(store, 1), await opened(store, 2)
        await store.append(draft(first))
        lines = await store.last_lines([first, second, ConversationId(404)])
        assert lines == {first: (1, "m1"), second: (0, "")}
        assert await store.last_lines([]) == {}
