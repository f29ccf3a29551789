"""What every store must do with its history: subclass `ArchiveContract`."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from kefu_core import text
from kefu_core.abc.archive import (
    ConversationFilter,
    Hit,
    SearchOrder,
    SearchQuery,
)
from kefu_core.abc.store import Store
from kefu_core.errors import Invalid
from kefu_core.folding import active_at
from kefu_core.model import (
    Conversation,
    ConversationStatus,
    Message,
    MessageKind,
    Person,
    Role,
    Site,
)
from kefu_core.testing.stores import AGENT, Clock, draft
from kefu_core.types import ConversationId, ParticipantId, UnixMs

MINUTE_MS = 60_000
LABELS = ("vip", "退款", "投诉")
AGENTS = (AGENT, ParticipantId("a8"))
TEXTS = (
    "快递到了吗？我要查一下物流",
    "什么时候发货",
    "Please refund order SF-1234 to my card",
    "发货太慢了，申请退款 refund!",
    "好的😀",
    "ＶＩＰ客户，ｃａｆé的优惠券 50% off_now",
    "货发了没有",
    "退款退款退款",
)


async def index_all(store: Store) -> None:
    """Bring the index up to the log, and its parts together."""
    while await store.index_some():
        pass
    while await store.tend_index():
        pass


class World:
    """Sites, visitors, agents and labels drawn by chance, and all that was stored."""

    def __init__(self, store: Store, clock: Clock, seed: int) -> None:
        self.store = store
        self.clock = clock
        self.rng = random.Random(seed)
        self.messages: list[Message] = []
        self.rows: dict[ConversationId, Conversation] = {}
        self._count = 0

    async def open(self, count: int) -> None:
        """Open conversations of as many visitors on two sites."""
        for number in (1, 2):
            site = Site(id=number, name="shop", embed_key=f"k{number}")
            await self.store.put_site(site)
        for number in range(1, count + 1):
            self.clock.ms += self.rng.randrange(20 * MINUTE_MS)
            visitor = Person(id=ParticipantId(f"v{number}"), name="", role=Role.VISITOR)
            site_id = self.rng.choice((1, 2))
            row = await self.store.open_conversation(site_id, visitor)
            self.rows[row.id] = row

    async def say(
        self, conversation: ConversationId, body: str, **changes: Any
    ) -> Message:
        """Append a message."""
        self._count += 1
        changes.setdefault("sender", self.rows[conversation].visitor)
        one = draft(conversation, self._count, body=body, **changes)
        appended = await self.store.append(one)
        assert appended.conversation is not None
        self.rows[conversation] = appended.conversation
        self.messages.append(appended.message)
        return appended.message

    async def live(self, steps: int) -> None:
        """Let things happen to conversations drawn by chance."""
        for _ in range(steps):
            self.clock.ms += self.rng.choice((0, 0, 1, 700, 9 * MINUTE_MS))
            conversation = self.rng.choice(list(self.rows))
            await self._happen(conversation)

    async def _happen(self, conversation: ConversationId) -> None:
        agent = self.rng.choice(AGENTS)
        data: dict[str, Any] | None = None
        kind, body = MessageKind.TEXT, self.rng.choice(TEXTS)
        sender = self.rng.choice((agent, self.rows[conversation].visitor))
        chance = self.rng.random()
        if chance < 0.1:
            kind, sender = MessageKind.NOTE, agent
        elif chance < 0.2:
            kind, data, body = MessageKind.ASSIGNMENT, {"assignee": agent}, ""
        elif chance < 0.3:
            kind, body = MessageKind.CLOSE, ""
        elif chance < 0.45:
            labels = self.rng.sample(LABELS, self.rng.randrange(3))
            kind, data, body = MessageKind.LABELS, {"labels": labels}, ""
        await self.say(conversation, body, kind=kind, sender=sender, data=data)

    def filter(self) -> ConversationFilter:
        """Draw what a list may be narrowed to."""
        rng = self.rng
        drawn: dict[str, Any] = {}
        choices: dict[str, Any] = {
            "site_id": (1, 2, 3),
            "assignee": AGENTS,
            "visitors": self._people(),
            "status": list(ConversationStatus),
            "label": (*LABELS, "none"),
        }
        for name, values in choices.items():
            if rng.random() < 0.25:
                drawn[name] = rng.choice(values)
        first = min(row.opened_at for row in self.rows.values())
        for name in ("active_from", "active_before"):
            if rng.random() < 0.25:
                drawn[name] = UnixMs(rng.randrange(first, self.clock.ms + 1))
        return ConversationFilter(**drawn)

    def _people(self) -> list[tuple[ParticipantId, ...]]:
        """Return everybody, and some who have several numbers."""
        visitors = [row.visitor for row in self.rows.values()]
        pairs = list(itertools.pairwise(visitors))
        return [*((visitor,) for visitor in visitors), *pairs]

    def listed(self, wanted: ConversationFilter) -> list[ConversationId]:
        """Return what a list must show, by looking at every row."""
        rows = sorted(
            self.rows.values(), key=lambda r: (active_at(r.last_at), r.id), reverse=True
        )
        since, until = wanted.active_from, wanted.active_before
        return [
            row.id
            for row in rows
            if is_wanted(row, wanted)
            and (since is None or active_at(row.last_at) >= active_at(since))
            and (until is None or active_at(row.last_at) < until)
        ]

    def found(self, query: SearchQuery) -> list[Message]:
        """Return what a search must find, newest first, by looking at every text."""
        wanted = text.parse_query(query.text)
        since = query.conversations.active_from
        until = query.conversations.active_before
        found = [
            message
            for message in self.messages
            if message.kind in (MessageKind.TEXT, MessageKind.NOTE)
            and text.matches(message.body, wanted)
            and is_wanted(self.rows[message.conversation], query.conversations)
            and query.conversation in (None, message.conversation)
            and query.sender in (None, message.sender)
            and (since is None or message.at >= since)
            and (until is None or message.at < until)
        ]
        return sorted(found, key=lambda message: -message.at)


def is_wanted(row: Conversation, wanted: ConversationFilter) -> bool:
    """Whether a conversation passes a filter, its dates aside."""
    pairs = (
        (wanted.site_id, row.site_id),
        (wanted.assignee, row.assignee),
        (wanted.status, row.status),
    )
    has_label = wanted.label is None or wanted.label in row.labels
    is_theirs = wanted.visitors is None or row.visitor in wanted.visitors
    return has_label and is_theirs and all(want in (None, have) for want, have in pairs)


def places(messages: list[Message]) -> list[tuple[int, int]]:
    """Return which messages these are."""
    return [(message.conversation, message.seq) for message in messages]


async def search_all(store: Store, query: SearchQuery) -> list[Hit]:
    """Return the hits of every page."""
    hits: list[Hit] = []
    while True:
        page = await store.search(query)
        assert page.is_complete
        assert len(page.hits) <= query.limit
        hits += page.hits
        if page.next is None:
            return hits
        query = msgspec.structs.replace(query, before=page.next)


class ArchiveContract:
    """Tests that take fixtures `store` (open, empty) and `clock` (settable)."""

    pytestmark = pytest.mark.anyio

    async def world(
        self, store: Store, clock: Clock, *, seed: int = 1, visitors: int = 1
    ) -> World:
        world = World(store, clock, seed)
        await world.open(visitors)
        return world

    # -- lists -------------------------------------------------------------------------

    async def test_lists_show_what_the_filter_says_whatever_the_pages_size(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, visitors=25)
        await world.live(120)
        seen = 0
        for _ in range(60):
            wanted = world.filter()
            limit = world.rng.choice((1, 2, 3, 7, 50))
            found: list[ConversationId] = []
            before = None
            while rows := await store.find_conversations(
                wanted, before=before, limit=limit
            ):
                assert all(row == world.rows[row.id] for row in rows)
                found += [row.id for row in rows]
                before = rows[-1].last_at, rows[-1].id
            assert found == world.listed(wanted), wanted
            seen += len(found)
        assert seen > 100

    async def test_a_label_list_follows_what_is_labelled_and_when_it_was_active(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, visitors=3)
        vip = ConversationFilter(label="vip")
        for conversation in world.rows:
            data = {"labels": ["vip"]}
            await world.say(conversation, "", kind=MessageKind.LABELS, data=data)
        oldest = min(world.rows)
        clock.ms += 20 * MINUTE_MS
        await world.say(oldest, "hello")
        rows = await store.find_conversations(vip)
        assert [row.id for row in rows] == world.listed(vip)
        assert rows[0].id == oldest
        data = {"labels": ["退款"]}
        await world.say(oldest, "", kind=MessageKind.LABELS, data=data)
        rows = await store.find_conversations(vip)
        assert oldest not in [row.id for row in rows]

    async def test_labels_in_use_are_told_once_and_no_others(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, visitors=6)
        assert await store.labels_in_use() == []
        for conversation in world.rows:
            data = {"labels": ["vip", "退款", f"order {conversation % 2}", "VIP"]}
            await world.say(conversation, "", kind=MessageKind.LABELS, data=data)
        used = {label for row in world.rows.values() for label in row.labels}
        assert await store.labels_in_use() == sorted(used)
        assert len(await store.labels_in_use(limit=2)) == 2
        for conversation in world.rows:
            data = {"labels": ["投诉"]}
            await world.say(conversation, "", kind=MessageKind.LABELS, data=data)
        assert await store.labels_in_use() == ["投诉"]

    async def test_a_moment_leads_to_the_first_message_stored_then_or_later(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock)
        (conversation,) = world.rows
        assert await store.seq_at(conversation, UnixMs(clock.ms)) == 1
        for step in (0, 5, 0, 0, 100, 1, 0, 3):
            clock.ms += step
            await world.say(conversation, "x")
        times = [message.at for message in world.messages]
        for at in range(times[0] - 2, times[-1] + 3):
            first = next((n for n, t in enumerate(times, 1) if t >= at), len(times) + 1)
            assert await store.seq_at(conversation, UnixMs(at)) == first
        assert await store.seq_at(ConversationId(404), UnixMs(0)) == 1

    # -- search ------------------------------------------------------------------------

    async def found(self, world: World, words: str, **changes: Any) -> list[str]:
        await index_all(world.store)
        query = SearchQuery(text=words, **changes)
        return [hit.message.body for hit in await search_all(world.store, query)]

    async def test_two_chinese_characters_are_found_as_written(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock)
        (conversation,) = world.rows
        for body in TEXTS:
            clock.ms += 10
            await world.say(conversation, body)
        assert await self.found(world, "发货") == [TEXTS[3], TEXTS[1]]
        assert await self.found(world, "货发") == [TEXTS[6]]
        assert await self.found(world, "什么时候发货") == [TEXTS[1]]
        assert await self.found(world, "时候什么") == []
        assert await self.found(world, "发货什么") == []
        assert await self.found(world, "发货 什么") == [TEXTS[1]]
        assert await self.found(world, "好的 退款") == []

    async def test_words_are_found_in_any_order_case_and_width(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock)
        (conversation,) = world.rows
        for body in TEXTS:
            clock.ms += 10
            await world.say(conversation, body)
        assert await self.found(world, "ORDER refund") == [TEXTS[2]]
        assert await self.found(world, "退款 Refund") == [TEXTS[3]]
        assert await self.found(world, "refun") == []
        assert await self.found(world, "vip cafe 客户") == [TEXTS[5]]
        assert await self.found(world, "sf 1234") == [TEXTS[2]]

    async def test_notes_names_of_files_and_comments_are_found_and_the_rest_is_not(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock)
        (conversation,) = world.rows
        kinds = set(MessageKind) - {MessageKind.PLACEHOLDER}
        for kind in sorted(kinds):
            data = {"labels": ["发货"], "assignee": "a7", "was": "text"}
            await world.say(conversation, f"发货 {kind}", kind=kind, data=data)
        found = await self.found(world, "发货")
        written = ("edit", "file", "note", "note_edit", "rating", "text", "translation")
        assert sorted(found) == [f"发货 {kind}" for kind in written]

    async def test_operators_quotes_and_wildcards_are_text(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, seed=26)
        (conversation,) = world.rows
        await world.say(conversation, "percent 50% off_now 'quoted' \"twice\"")
        await world.say(conversation, "nothing of it")
        await index_all(store)
        refused = found = 0
        for words in _operators(world.rng, 500):
            query = SearchQuery(text=words, limit=5)
            try:
                page = await store.search(query)
            except Invalid:
                refused += 1
                continue
            assert page.is_complete
            assert places([hit.message for hit in page.hits]) == places(
                world.found(query)
            ), words
            found += len(page.hits)
        assert refused > 20
        assert found > 20

    @pytest.mark.parametrize(
        "words", ["", " ", "货", "货 的", "%_%", "?!。", "😀", "\0", "x" * 201]
    )
    async def test_what_cannot_be_looked_for_is_refused(
        self, store: Store, words: str
    ) -> None:
        with pytest.raises(Invalid):
            await store.search(SearchQuery(text=words))

    async def test_every_filter_and_page_size_finds_what_looking_at_all_finds(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, seed=3, visitors=12)
        found = 0
        for _ in range(3):
            await world.live(60)
            await index_all(store)
            for _ in range(40):
                query = _any_query(world)
                hits = await search_all(store, query)
                assert sorted(places([hit.message for hit in hits])) == sorted(
                    places(world.found(query))
                ), query
                times = [hit.message.at for hit in hits]
                assert times == sorted(times, reverse=True)
                found += len(hits)
        assert found > 300

    async def test_a_hit_shows_where_the_words_stand(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock)
        (conversation,) = world.rows
        body = "前言" * 100 + "请问什么时候发货？" + "后记" * 100
        await world.say(conversation, body)
        await index_all(store)
        page = await store.search(SearchQuery(text="发货 什么"))
        (hit,) = page.hits
        assert hit.conversation == world.rows[conversation]
        assert len(hit.snippet) <= text.SNIPPET_CHARS
        assert hit.snippet in body
        marked = [hit.snippet[start:stop] for start, stop in hit.marks]
        assert marked == ["什么", "发货"]

    async def test_grouped_hits_are_the_first_of_each_conversation(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, seed=5, visitors=6)
        await world.live(120)
        await index_all(store)
        query = SearchQuery(text="退款", is_grouped=True)
        newest: dict[ConversationId, Message] = {}
        for message in world.found(query):
            newest.setdefault(message.conversation, message)
        page = await store.search(query)
        assert len(page.hits) == len(newest) > 3
        assert {h.message.conversation: h.message.at for h in page.hits} == {
            conversation: message.at for conversation, message in newest.items()
        }

    async def test_relevance_puts_short_texts_that_say_it_often_first(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock)
        (conversation,) = world.rows
        for body in ("退款" + "很长的一段话" * 9, "退款退款", "要退款", "没有"):
            clock.ms += 10
            await world.say(conversation, body)
        found = await self.found(world, "退款", order=SearchOrder.RELEVANCE)
        assert [body[:4] for body in found] == ["退款退款", "要退款", "退款很长"]
        best = SearchQuery(
            text="退款", order=SearchOrder.RELEVANCE, is_grouped=True, limit=2
        )
        assert [h.message.body for h in (await store.search(best)).hits] == ["退款退款"]

    async def test_what_is_erased_is_not_found(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, seed=8, visitors=3)
        await world.live(40)
        await index_all(store)
        erased, *_ = world.rows
        await store.erase_conversation(erased)
        await world.live(10)
        await index_all(store)
        for words in ("退款", "发货", "refund"):
            query = SearchQuery(text=words)
            hits = [hit.message for hit in await search_all(store, query)]
            left = {m.seq for m in await store.history(erased) if m.body}
            kept = [
                m
                for m in world.found(query)
                if m.conversation != erased or m.seq in left
            ]
            assert sorted(places(hits)) == sorted(places(kept))

    async def test_what_was_indexed_is_told_and_then_nothing_is_behind(
        self, store: Store, clock: Clock
    ) -> None:
        world = await self.world(store, clock, visitors=4)
        await world.live(30)
        await index_all(store)
        state = await store.index_state()
        assert (state.messages_behind, state.oldest_at) == (0, None)


def _operators(rng: random.Random, count: int) -> Iterator[str]:
    """Yield texts made of what search engines and databases take for operators."""
    parts = (
        *("%", "_", "*", "?", '"', "'", "''", "`", "\\", "/", "--", ";", "#", "|"),
        *("(", ")", "[", "]", "{", "}", "^", "~", "+", "-", ":", "!", "&", "$", "@"),
        *("AND", "OR", "NOT", "NEAR", "LIKE", "\0", "\ud800", "\u200b", "\n", "%s"),
        *("50", "off_now", "percent", "quoted", "nothing", "of", "发货", "' OR 1=1"),
    )
    for _ in range(count):
        yield "".join(rng.choices(parts, k=rng.randrange(1, 6)))


def _any_query(world: World) -> SearchQuery:
    """Draw a search: words that occur, in a mixture of filters."""
    rng = world.rng
    words = ("发货", "退款", "refund", "退款 发货", "order sf", "快递到", "vip", "物流")
    filters = world.filter()
    values: dict[str, Any] = {}
    if rng.random() < 0.2:
        values["conversation"] = rng.choice(list(world.rows))
    if rng.random() < 0.2:
        values["sender"] = rng.choice((*AGENTS, ParticipantId("v1")))
    limit = rng.choice((1, 2, 5, 100))
    return SearchQuery(
        text=rng.choice(words), conversations=filters, limit=limit, **values
    )
