"""Translations follow messages, once, whatever fails; the messages wait for nothing."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from kefu_core.abc.translator import (
    Preview,
    Translated,
    TranslationFailed,
    Translator,
    Trouble,
)
from kefu_core.followers.translating import Translating
from kefu_core.ids import SYSTEM, IdGenerator
from kefu_core.model import Agent, Draft, Message, MessageKind
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import CachedTranslation, VisitorAlias, VisitorProfile
from kefu_core.site import SiteSettings, Translation
from kefu_core.translators.chain import Chain
from kefu_core.translators.economy import Economy
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio

K = MessageKind
WORDS = {"olá": "你好", "hello": "olá", "preço?": "价格?", "好": "bom", "bom": "好"}
IN_ENGLISH = {"olá": "hi there", "preço?": "price?", "好": "good"}


def detect(text: str, likely: str) -> str:
    """Tell Chinese from Portuguese, and English by one word."""
    if any("\u4e00" <= each <= "\u9fff" for each in text):
        return "zh"
    return "en" if "hello" in text else "pt"


class Service(Translator):
    """Knows a few words; is away, slow or of no use as tests say."""

    name = "words"
    texts_max = 10
    chars_max = 1_000

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.trouble: Trouble | None = None
        self.bad = ""
        """A text that it never takes."""
        self.goes_on: anyio.Event | None = None

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        self.asked += [(text, source, target) for text in texts]
        if self.goes_on is not None:
            await self.goes_on.wait()
        if self.trouble is not None:
            raise TranslationFailed("no", self.trouble)
        if self.bad in texts:
            raise TranslationFailed("not this one", Trouble.TEXT)
        words = IN_ENGLISH if target == "en" else WORDS
        return [Translated(text=words.get(text, text)) for text in texts]


class Follower:
    """A node's follower over a world, whose clock tests move."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.service = Service()
        self.ahead_s = 0.0
        self.translating = self.node()

    def node(self, **more: Any) -> Translating:
        def now() -> float:
            return monotonic() + self.ahead_s

        self.economy = Economy(
            Chain([self.service], now=now, rng=random.Random(1)),
            self.w.store,
            ids=IdGenerator(unix_ms),
            now=now,
            now_ms=unix_ms,
        )
        made = Translating(
            self.w.store,
            self.w.hub,
            self.economy,
            now=now,
            now_ms=unix_ms,
            **{"detect": detect, **more},
        )
        self.w.hub.observers.append(made)
        return made

    async def turn_on(self, **settings: Any) -> None:
        site = (await self.w.store.sites())[0]
        wanted = Translation(**{"is_on": True, "language": "zh-CN", **settings})
        changed = replace(site, settings=SiteSettings(translation=wanted))
        await self.w.store.put_site(changed)

    async def lines(self, number: ConversationId) -> list[Message]:
        log = await self.w.store.history(number)
        return [m for m in log if m.kind is K.TRANSLATION]

    async def cached(self) -> list[str]:
        """Return what the store keeps, once all is written."""
        await self.economy.flush()
        return [c.body for c in await self.w.store.list_records(CachedTranslation)]

    async def until(self, number: ConversationId, count: int) -> list[Message]:
        with anyio.fail_after(5):
            while len(lines := await self.lines(number)) < count:
                await anyio.sleep(0.01)
        return lines


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    async with world() as w:
        made = Follower(w)
        await made.turn_on()
        yield made


async def test_each_side_is_told_what_the_other_says(follower: Follower) -> None:
    w = follower.w
    w.tasks.start_soon(follower.translating.run)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    (first,) = await follower.until(number, 1)
    assert (first.sender, first.ref, first.body) == (SYSTEM, 1, "你好")
    assert first.data == {"to": "zh-CN", "from": "pt", "by": "words"}
    await w.say(number, "a1", "好")
    _, second = await follower.until(number, 2)
    assert (second.ref, second.body, (second.data or {})["to"]) == (3, "bom", "pt")
    # The row is as if nothing but the two messages had been said.
    row = await w.store.find_conversation(number)
    assert row is not None
    assert (row.last_line, row.last_sender, row.waiting_since) == ("好", "a1", None)


async def test_what_needs_no_translation_costs_nothing(follower: Follower) -> None:
    w = follower.w
    number = await w.conversation()
    await w.say(number, "v1", "好")
    await w.say(number, "v1", "https://a.example/b 12:30 👍")
    await w.say(number, "a1", "note", K.NOTE)
    await w.say(number, "a1", "好好")
    await follower.translating.bring_up(number)
    assert not follower.service.asked
    assert not await follower.lines(number)


async def test_two_nodes_and_a_second_look_write_one_line(follower: Follower) -> None:
    w, other = follower.w, follower.node()
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    async with anyio.create_task_group() as tasks:
        for node in (follower.translating, other):
            tasks.start_soon(node.bring_up, number)
    await other.bring_up(number)
    assert len(await follower.lines(number)) == 1


async def test_messages_do_not_wait_for_a_service(follower: Follower) -> None:
    w = follower.w
    follower.service.goes_on = anyio.Event()
    w.tasks.start_soon(follower.translating.run)
    number = await w.conversation()
    for count in range(5):
        with anyio.fail_after(1):
            await w.say(number, "v1", f"olá {count}")
    other = await w.conversation("v2")
    await w.say(other, "v2", "olá")
    assert [m.kind for m in await w.store.history(number)] == [K.TEXT] * 5
    follower.service.goes_on.set()
    follower.service.goes_on = None
    await follower.until(other, 1)


async def test_a_failure_is_said_once_and_what_was_missed_follows(
    follower: Follower,
) -> None:
    w, service = follower.w, follower.service
    service.trouble = Trouble.LATER
    w.tasks.start_soon(follower.translating.run)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    (line,) = await follower.until(number, 1)
    assert (line.body, line.data) == ("", {"to": "zh-CN", "failed": "later"})
    await w.say(number, "v1", "preço?")
    await follower.until(number, 2)
    service.trouble = None
    with anyio.fail_after(10):
        while len(lines := await follower.lines(number)) < 4:
            # When it is tried again is noted a moment after the line.
            follower.ahead_s += 4_000
            await anyio.sleep(0.05)
    assert [(m.ref, m.body) for m in lines[2:]] == [(1, "你好"), (3, "价格?")]


async def test_a_text_that_no_service_takes_holds_up_no_other(
    follower: Follower,
) -> None:
    w = follower.w
    follower.service.bad = "<b>preço?</b>"
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await w.say(number, "v1", follower.service.bad)
    await follower.translating.bring_up(number)
    lines = await follower.lines(number)
    assert {m.ref for m in lines if m.body} == {1}
    assert {m.ref for m in lines if "failed" in (m.data or {})} >= {2}
    asked = len(follower.service.asked)
    await follower.translating.bring_up(number)
    assert len(follower.service.asked) == asked


async def test_an_edit_is_translated_and_what_it_replaced_is_not(
    follower: Follower,
) -> None:
    w = follower.w
    number = await w.conversation()
    async with w.client("v1") as visitor:
        await visitor.call("message.send", said(number, "ola"))
        await follower.translating.bring_up(number)
        assert await follower.cached()
        edit = {"conversation": number, "seq": 1, "key": "k", "body": "olá"}
        await visitor.call("message.edit", edit)
        # Nobody is shown the earlier text any more: nothing is kept for it.
        assert await follower.cached() == []
        await follower.translating.bring_up(number)
        (line,) = await follower.lines(number)
        assert (line.ref, line.body) == (2, "你好")
        # Taken back, the message takes all of it along.
        await visitor.call("message.recall", {"conversation": number, "seq": 1})
    log = await w.store.history(number)
    assert {m.body for m in log} == {""}
    assert [m.kind for m in log] == [K.ERASED, K.ERASED, K.ERASED, K.RECALL]
    assert await follower.cached() == []


async def test_a_line_that_meets_a_recall_leaves_nothing(follower: Follower) -> None:
    w, service = follower.w, follower.service
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    service.goes_on = anyio.Event()
    async with w.client("v1") as visitor, anyio.create_task_group() as tasks:
        tasks.start_soon(follower.translating.bring_up, number)
        with anyio.fail_after(5):
            while not service.asked:
                await anyio.sleep(0.01)
        await visitor.call("message.recall", {"conversation": number, "seq": 1})
        service.goes_on.set()
    assert {m.body for m in await w.store.history(number)} == {""}
    # What the service said after the recall was kept, for a moment.
    assert await follower.cached() == []


async def test_nothing_is_asked_where_a_site_does_not_want_it(
    follower: Follower,
) -> None:
    w = follower.w
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await follower.turn_on(is_on=False)
    await follower.node().bring_up(number)
    await follower.turn_on(language="")
    await follower.node().bring_up(number)
    assert not follower.service.asked


async def test_a_conversation_that_is_switched_off_costs_nothing(
    follower: Follower,
) -> None:
    w = follower.w
    w.tasks.start_soon(follower.translating.run)
    number = await w.conversation()
    async with w.client("v1") as visitor, w.client("a1") as agent:
        call = {"conversation": number, "is_on": False}
        # The visitor reads originals; agents still read translations.
        await visitor.call("conversation.translate", call)
        await w.say(number, "a1", "好")
        await w.say(number, "v1", "olá")
        (line,) = await follower.until(number, 1)
        assert (line.ref, line.body) == (3, "你好")
        await agent.call("conversation.translate", call)
        await w.say(number, "v1", "preço?")
        await follower.translating.bring_up(number)
        assert [text for text, *_ in follower.service.asked] == ["olá"]
        # What was missed follows.
        await agent.call("conversation.translate", {**call, "is_on": True})
        _, line = await follower.until(number, 2)
        assert line.body == "价格?"


async def test_a_site_that_is_switched_on_is_begun_with_what_is_open(
    follower: Follower,
) -> None:
    w = follower.w
    await follower.turn_on(is_on=False)
    node = follower.node()
    w.tasks.start_soon(node.run)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await anyio.sleep(0.05)
    assert not follower.service.asked
    await follower.turn_on()
    follower.ahead_s = 10
    (line,) = await follower.until(number, 1)
    assert line.ref == 1


async def test_a_preview_costs_once_and_what_needs_none_says_so(
    follower: Follower,
) -> None:
    w = follower.w
    number = await w.conversation()
    site = (await w.store.sites())[0]

    async def preview(text: str) -> Preview:
        row = await w.store.find_conversation(number)
        assert row is not None
        agent = ParticipantId("a1")
        return await follower.translating.preview(site, row, text, agent=agent)

    # Nothing tells yet what the visitor reads.
    assert await preview("好") == Preview(source="zh")
    await w.say(number, "v1", "olá")
    wanted = Preview(text="bom", source="zh", target="pt", provider="words")
    assert await preview("好") == wanted
    assert await preview("bom") == Preview(source="pt", target="pt")
    await w.say(number, "a1", "好")
    await follower.translating.bring_up(number)
    assert [text for text, *_ in follower.service.asked] == ["好", "olá"]
    assert [m.body for m in await follower.lines(number)] == ["你好", "bom"]


async def test_a_translation_that_an_agent_gives_is_taken_and_no_service_asked(
    follower: Follower,
) -> None:
    w = follower.w
    number = await w.conversation()
    given = {"translation": {"to": "pt-BR", "text": "Temos sim!"}}
    await w.say(number, "a1", "好", data=given)
    await follower.translating.bring_up(number)
    (line,) = await follower.lines(number)
    assert (line.ref, line.body) == (1, "Temos sim!")
    assert line.data == {"to": "pt-BR", "from": "zh-CN", "by": "agent"}
    # Nobody else's words count, nor what is none.
    await w.say(number, "v1", "olá", data=given)
    for rubbish in ({"translation": "x"}, {"translation": {"to": "x y", "text": "x"}}):
        await w.say(number, "a1", "好", data=rubbish)
    await follower.translating.bring_up(number)
    lines = await follower.lines(number)
    assert [m.body for m in lines[1:]] == ["你好", "bom", "bom"]


async def test_without_a_model_the_service_says_what_the_visitor_writes(
    follower: Follower,
) -> None:
    w = follower.w
    node = follower.node(detect=None)
    number = await w.conversation()
    await w.say(number, "a1", "好")
    await w.say(number, "v1", "olá")

    async def translate(texts: Sequence[str], **_: str) -> Sequence[Translated]:
        return [
            Translated(text=WORDS[text], source="zh" if text == "好" else "pt")
            for text in texts
        ]

    follower.service.translate = translate  # type: ignore[method-assign]
    for _ in range(2):
        await node.bring_up(number)
    lines = await follower.lines(number)
    assert [(m.ref, m.body) for m in lines] == [(Seq(2), "你好"), (Seq(1), "bom")]


def said(number: int, body: str) -> dict[str, Any]:
    return {"conversation": number, "key": f"k-{body}", "body": body}


async def told(follower: Follower, number: ConversationId) -> list[tuple[Any, ...]]:
    """Return what lines are of, in which language, and what they say."""
    lines = await follower.lines(number)
    return [(m.ref, (m.data or {})["to"], m.body) for m in lines]


async def read_english(w: World, number: int = 5) -> None:
    agent = Agent(
        id=number, login="emma", name="Emma", password_hash="-", language="en"
    )
    await w.store.put_agent(agent)


async def test_whoever_gets_a_conversation_reads_what_was_said_before(
    follower: Follower,
) -> None:
    w = follower.w
    await read_english(w)
    w.tasks.start_soon(follower.translating.run)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await follower.until(number, 1)
    await w.say(number, "a1", "好")
    await follower.until(number, 2)
    # Routing gives it to somebody who reads another language.
    to_emma = {"assignee": "a5"}
    await w.say(number, SYSTEM, "", K.ASSIGNMENT, to_emma)
    await follower.until(number, 4)
    before = [(1, "zh-CN", "你好"), (3, "pt", "bom")]
    after = [(1, "en", "hi there"), (3, "en", "good")]
    assert await told(follower, number) == before + after
    # What is only for agents says so: the visitor is shown none of it.
    marks = [(m.data or {}).get("for") for m in await follower.lines(number)]
    assert marks == [None, None, None, "agents"]
    # From here on both read everything, and each is asked for once.
    await w.say(number, "v1", "preço?")
    await follower.until(number, 6)
    new = {("en", "price?"), ("zh-CN", "价格?")}
    assert {each[1:] for each in (await told(follower, number))[4:]} == new
    asked = len(follower.service.asked)
    await follower.node().bring_up(number)
    assert len(follower.service.asked) == asked == 6


async def test_a_line_of_an_older_version_is_not_written_again(
    follower: Follower,
) -> None:
    w = follower.w
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await w.hub.append(
        Draft(
            conversation=number,
            sender=SYSTEM,
            key="desk-translation-1",
            kind=K.TRANSLATION,
            body="你好",
            data={"to": "zh-CN", "from": "pt", "by": "words"},
            ref=Seq(1),
        )
    )
    await follower.translating.bring_up(number)
    assert not follower.service.asked
    # Somebody else's language is another line, whatever its key was.
    await read_english(w)
    await w.say(number, "a5", "x", K.NOTE)
    await follower.node().bring_up(number)
    assert await told(follower, number) == [
        (1, "zh-CN", "你好"),
        (1, "en", "hi there"),
    ]


async def test_a_language_that_fails_says_so_and_holds_up_no_other(
    follower: Follower,
) -> None:
    w = follower.w
    await read_english(w)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await w.say(number, "a5", "x", K.NOTE)
    translate = follower.service.translate

    async def but_english(
        texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        if target == "en":
            raise TranslationFailed("no English", Trouble.LANGUAGE)
        return await translate(texts, source=source, target=target)

    follower.service.translate = but_english  # type: ignore[method-assign]
    node = follower.node()
    for _ in range(2):
        await node.bring_up(number)
    assert sorted(await told(follower, number)) == [(1, "en", ""), (1, "zh-CN", "你好")]
    follower.service.translate = translate  # type: ignore[method-assign]
    await follower.node().bring_up(number)
    assert (1, "en", "hi there") in await told(follower, number)


async def test_what_a_visitor_chooses_wins_and_what_was_said_follows_in_it(
    follower: Follower,
) -> None:
    w = follower.w
    w.desk.interpreter = follower.translating
    w.tasks.start_soon(follower.translating.run)
    async with w.client("v1") as visitor:
        call: dict[str, Any] = {"language": "en"}
        # Before there is a conversation nothing is kept of anybody.
        assert not (await visitor.call("visitor.language", call))["is_kept"]
        opened = await visitor.call("conversation.open", {"language": "pt-BR"})
        number = ConversationId(opened["conversation"]["id"])
        await w.say(number, "v1", "olá")
        await w.say(number, "a1", "好")
        await follower.until(number, 2)
        assert (await visitor.call("visitor.language", call))["is_kept"]
        await follower.until(number, 3)
        assert (await told(follower, number))[-1] == (2, "en", "good")
        # It wins over what its texts say; by itself again, nothing is done twice.
        await w.say(number, "v1", "preço?")
        await follower.until(number, 4)
        await w.say(number, "a1", "好")
        lines = await follower.until(number, 5)
        assert (lines[-1].data or {})["to"] == "en"
        await visitor.call("visitor.language", {"language": ""})
        await w.say(number, "a1", "好")
        lines = await follower.until(number, 6)
        assert (lines[-1].body, (lines[-1].data or {})["to"]) == ("bom", "pt-BR")


async def test_an_agent_who_reads_another_language_from_now_on_gets_it(
    follower: Follower,
) -> None:
    w = follower.w
    w.desk.interpreter = follower.translating
    w.tasks.start_soon(follower.translating.run)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    async with w.client("a1") as agent:
        await agent.call("conversation.take", {"conversation": number})
        await follower.until(number, 1)
        await agent.call("account.put", {"language": "en"})
        await follower.until(number, 2)
    found = await told(follower, number)
    assert found == [(1, "zh-CN", "你好"), (1, "en", "hi there")]
    # So it is when an admin says so for it.
    async with w.client("a2") as admin:
        await admin.call("agent.put", {"agent": 1, "language": "pt-BR"})
        await w.say(number, "a1", "好")
        lines = await follower.until(number, 3)
    assert (lines[-1].ref, lines[-1].body) == (5, "bom")


async def test_a_preview_is_from_what_its_agent_writes(follower: Follower) -> None:
    w = follower.w
    await read_english(w)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    likely: list[str] = []

    def detect_likely(text: str, expected: str) -> str:
        likely.append(expected)
        return "en" if text == "hello" else "pt"

    node = follower.node(detect=detect_likely)
    site, row = (await w.store.sites())[0], await w.store.find_conversation(number)
    assert row is not None
    for agent, expected in (("a5", "en"), ("a1", "zh-CN")):
        found = await node.preview(site, row, "hello", agent=ParticipantId(agent))
        assert (found.source, found.target, found.text) == ("en", "pt", "olá")
        assert likely[-1] == expected


async def test_what_somebody_chose_holds_in_conversations_of_its_other_numbers(
    follower: Follower,
) -> None:
    w = follower.w
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await w.say(number, "a1", "好")
    await w.store.put_records(
        VisitorProfile(id=3, site_id=1, chosen_language="en"),
        VisitorAlias(id=1, site_id=1, visitor=ParticipantId("v3")),
    )
    await follower.translating.bring_up(number)
    found = await told(follower, number)
    assert found == [(1, "zh-CN", "你好"), (2, "en", "good")]


async def test_who_only_looks_on_reads_its_own_language_and_the_log_stays_as_it_is(
    follower: Follower,
) -> None:
    w = follower.w
    await read_english(w)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    await w.say(number, "a1", "好")
    await follower.translating.bring_up(number)
    before = await told(follower, number)
    assert all(tag != "en" for _, tag, _ in before)
    site, row = (await w.store.sites())[0], await w.store.find_conversation(number)
    assert row is not None

    async def reads(agent: str) -> list[tuple[int, str, str]]:
        who = ParticipantId(agent)
        found = await follower.translating.read(site, row, agent=who)
        return [(each.ref, each.source, each.text) for each in found]

    assert await reads("a5") == [(1, "pt", "hi there"), (2, "zh", "good")]
    # Who takes part finds it in the log, and whoever looks on next pays nothing.
    assert await reads("a1") == []
    asked = len(follower.service.asked)
    assert len(await reads("a5")) == 2
    assert (len(follower.service.asked), await told(follower, number)) == (
        asked,
        before,
    )


async def test_what_goes_while_somebody_looks_on_is_kept_nowhere(
    follower: Follower,
) -> None:
    w = follower.w
    await read_english(w)
    number = await w.conversation()
    await w.say(number, "v1", "olá")
    site, row = (await w.store.sites())[0], await w.store.find_conversation(number)
    assert row is not None
    follower.service.goes_on = anyio.Event()
    found: list[Any] = []

    async def look() -> None:
        who = ParticipantId("a5")
        found.extend(await follower.translating.read(site, row, agent=who))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        while not follower.service.asked:
            await anyio.sleep(0.01)
        async with w.client("v1") as visitor:
            await visitor.call("message.recall", {"conversation": number, "seq": 1})
        follower.service.goes_on.set()
    assert (found, await follower.cached()) == ([], [])
