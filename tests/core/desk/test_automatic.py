"""What a site says by itself: once, in time, and never in an agent's place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.desk.automatic import LATE_MS, Automatic, filled
from kefu_core.desk.visiting import Answered, InvitationReply, Report
from kefu_core.followers.figures import figures_of
from kefu_core.ids import SYSTEM
from kefu_core.model import Message, MessageKind, Site
from kefu_core.node import unix_ms
from kefu_core.records import VisitorProfile
from kefu_core.site import Hours, Sayings, SiteSettings, Talk
from kefu_core.types import ConversationId, UnixMs
from tests.core.desk.world import PRINCIPALS, World, world

pytestmark = pytest.mark.anyio

TALK = Talk(
    greeting="Welcome to {site}!",
    waiting="One moment",
    away="Nobody",
    waiting_after_s=30,
)


class Clock:
    """The world's clock, which tests move on."""

    def __init__(self, w: World) -> None:
        self._now_ms = w.desk.now_ms
        self.ahead_ms = 0

    def __call__(self) -> int:
        return self._now_ms() + self.ahead_ms


@asynccontextmanager
async def shop(**talk: Any) -> AsyncIterator[tuple[World, Clock]]:
    """Run a world whose first site says something; its turns are the test's."""
    async with world() as w:
        site = (await w.store.sites())[0]
        changed = msgspec.structs.replace(TALK, **talk)
        settings = SiteSettings(talk=changed)
        await w.store.put_site(msgspec.structs.replace(site, settings=settings))
        clock = Clock(w)
        yield w, clock


def node(w: World, clock: Clock) -> Automatic:
    """Return one that was just started, and found what there is in the store."""
    made = Automatic(w.store, w.desk.staffing, clock, clock)
    made.attach(w.hub)
    return made


async def said(w: World, conversation: int) -> list[tuple[str, str]]:
    log: list[Message] = await w.store.history(conversation)  # type: ignore[arg-type]
    lines = [m for m in log if m.kind is MessageKind.AUTO]
    assert {m.sender for m in lines} <= {SYSTEM}
    return [((m.data or {})["about"], m.body) for m in lines]


async def test_each_visitor_is_greeted_in_its_language_where_there_is_one() -> None:
    texts = (
        Sayings(language="pt-BR", greeting="Bem-vindo à {site}!", away="Ninguém"),
        Sayings(language="zh-TW", greeting="歡迎"),
    )
    async with shop(translations=texts) as (w, clock):
        site = (await w.store.sites())[0]
        async with w.client("v1") as visitor:
            opening = {"language": "pt-pt"}
            opened = await visitor.call("conversation.open", opening)
            number = opened["conversation"]["id"]
            assert await said(w, number) == [
                ("greeting", f"Bem-vindo à {site.name}!"),
            ]
            # What is empty in it is said as to everybody.
            await w.say(number, "v1", "alguém?")
            clock.ahead_ms += 30_000
            await node(w, clock).turn()
            assert await said(w, number) == [
                ("greeting", f"Bem-vindo à {site.name}!"),
                ("away", "Ninguém"),
            ]
        async with w.client("v2") as visitor:
            # The page that the visitor is on tells too.
            page = Report(page="p", url="https://shop.example/", language="en-GB")
            w.desk.visits.report(1, 2, page)
            number = await visitor.open_conversation()
            assert await said(w, number) == [("greeting", f"Welcome to {site.name}!")]
            profile = await w.store.find_record(VisitorProfile, 2)
            assert profile is not None
            assert profile.language == "en-GB"


async def test_a_conversation_begins_with_the_greeting_once() -> None:
    async with shop() as (w, _), w.client("v1") as one, w.client("v1") as two:
        number = await one.open_conversation()
        assert await two.open_conversation() == number
        site = (await w.store.sites())[0]
        assert await said(w, number) == [("greeting", f"Welcome to {site.name}!")]
        row = await w.store.find_conversation(number)
        assert row is not None
        # Nobody has written yet, so nobody waits.
        assert (row.waiting_since, row.queued_at, row.first_reply_at) == (None, 0, 0)
        assert row.last_line == ""


async def answer(w: World, number: int, state: Answered) -> None:
    """Let the page of the first visitor say what became of an invitation."""
    reply = InvitationReply(id=number, state=state)
    page = Report(page="p", url="https://shop.example/", invitation=reply)
    w.desk.visits.report(1, 1, page)


async def test_what_an_agent_invited_with_begins_the_conversation_once() -> None:
    async with shop() as (w, _), w.client("v1") as one, w.client("v1") as two:
        w.desk.visits.report(1, 1, Report(page="p", url="https://shop.example/"))
        asked = {"visitor": 1, "text": " May <b>I</b> help? "}
        sent = await w.desk.call(PRINCIPALS["a1"], "visit.invite", asked)
        await answer(w, sent["invitation"], Answered.ACCEPTED)
        # One that nobody has seen yet takes nothing away.
        await w.desk.call(PRINCIPALS["a1"], "visit.invite", {"visitor": 1})
        number = await one.open_conversation()
        assert await two.open_conversation() == number
        assert await said(w, number) == [("invitation", "May <b>I</b> help?")]
        log = await w.store.history(ConversationId(number))
        assert (log[0].seq, log[0].data) == (1, {"about": "invitation", "agent": "a1"})
        row = await w.store.find_conversation(ConversationId(number))
        assert row is not None
        # It is no answer, and nobody waits before the visitor has written.
        assert (row.waiting_since, row.first_reply_at, row.assignee) == (None, 0, None)
        # What goes on has begun already.
        await w.say(number, "v1", "yes")
        assert await one.open_conversation() == number
        about = [about for about, _ in await said(w, number)]
        assert about.count("invitation") == 1
        assert "greeting" not in about


@pytest.mark.parametrize(
    ("text", "state", "visitor"),
    [
        ("May I help?", Answered.REFUSED, "v1"),
        ("May I help?", Answered.SENT, "v1"),
        ("", Answered.ACCEPTED, "v1"),
        ("May I help?", Answered.ACCEPTED, "v2"),
    ],
)
async def test_what_led_nowhere_is_not_quoted(
    text: str, state: Answered, visitor: str
) -> None:
    async with shop() as (w, _), w.client(visitor) as client:
        w.desk.visits.report(1, 1, Report(page="p", url="https://shop.example/"))
        asked = {"visitor": 1, "text": text}
        sent = await w.desk.call(PRINCIPALS["a1"], "visit.invite", asked)
        await answer(w, sent["invitation"], state)
        number = await client.open_conversation()
        assert [about for about, _ in await said(w, number)] == ["greeting"]


async def test_a_rule_named_like_an_agent_speaks_for_nobody() -> None:
    async with shop() as (w, _), w.client("v1") as client:
        w.desk.visits.report(1, 1, Report(page="p", url="https://shop.example/"))
        visit = w.desk.visits.find(1)
        assert visit is not None
        sent = w.desk.visits.invite(visit, "Tea?", name="shop", by="a1")
        await answer(w, sent.id, Answered.ACCEPTED)
        number = await client.open_conversation()
        assert [about for about, _ in await said(w, number)] == ["greeting"]


async def test_who_waits_is_told_once_a_wait_by_whichever_node() -> None:
    async with shop() as (w, clock):
        agent = await w.live("a1")
        nodes = [node(w, clock), node(w, clock)]
        number = await w.conversation()
        await w.say(number, "v1", "anybody?")
        await w.say(number, "v1", "hello?")
        for each in nodes:
            await each.turn()
        assert await said(w, number) == []
        clock.ahead_ms += 30_000
        for each in [*nodes, *nodes, node(w, clock)]:
            await each.turn()
        assert await said(w, number) == [("waiting", "One moment")]
        row = await w.store.find_conversation(number)
        assert row is not None
        assert row.waiting_since is not None
        assert (row.first_reply_at, row.last_line) == (0, "hello?")
        await w.say(number, "a1", "yes")
        while unix_ms() == row.waiting_since:
            await anyio.lowlevel.checkpoint()  # Two waits have two moments.
        await w.say(number, "v1", "one more")
        clock.ahead_ms += 30_000
        for each in nodes:
            await each.turn()
        assert len(await said(w, number)) == 2
        figures = figures_of(await w.store.history(number), lambda at: 1)
        assert figures[1]["1"]["messages_out"] == 1
        agent.cut()


async def test_a_node_that_is_started_later_finds_who_waits() -> None:
    async with shop() as (w, clock):
        agent = await w.live("a1")
        number = await w.conversation()
        await w.say(number, "v1", "anybody?")
        clock.ahead_ms += 30_000
        await node(w, clock).turn()
        assert await said(w, number) == [("waiting", "One moment")]
        agent.cut()


async def test_while_nobody_is_there_that_is_said_at_once_and_nothing_else() -> None:
    async with shop() as (w, clock):
        number = await w.conversation()
        mine = node(w, clock)
        await w.say(number, "v1", "anybody?")
        await mine.turn()
        assert await said(w, number) == [("away", "Nobody")]
        clock.ahead_ms += 31_000
        await mine.turn()
        assert len(await said(w, number)) == 1


async def test_who_was_answered_meanwhile_is_told_nothing() -> None:
    async with shop() as (w, clock):
        agent = await w.live("a1")
        elsewhere, number = node(w, clock), await w.conversation()
        await w.say(number, "v1", "anybody?")
        # This node hears nothing of the answer: another one stored it.
        w.hub.observers.remove(elsewhere)
        await w.say(number, "a1", "yes")
        clock.ahead_ms += 30_000
        elsewhere._look_at = float("inf")
        await elsewhere.turn()
        assert await said(w, number) == []
        agent.cut()


async def test_what_is_long_overdue_is_not_said_any_more() -> None:
    async with shop() as (w, clock):
        number = await w.conversation()
        await w.say(number, "v1", "anybody?")
        clock.ahead_ms += 30_000 + LATE_MS + 1_000
        await node(w, clock).turn()
        assert ("waiting", "One moment") not in await said(w, number)
        assert len(await said(w, number)) <= 1  # The world's own node said it in time.


async def test_a_site_that_says_nothing_is_silent() -> None:
    async with shop(greeting="", waiting="", away="") as (w, clock):
        number = await w.conversation()
        mine = node(w, clock)
        await w.say(number, "v1", "anybody?")
        clock.ahead_ms += 30_000
        await mine.turn()
        assert await said(w, number) == []


def test_a_text_names_the_site_and_when_it_opens() -> None:
    week = ((),) * 7
    hours = Hours(is_on=True, zone="Asia/Shanghai")
    site = Site(id=1, name="Tea {opens}", embed_key="k")
    assert filled("{site}", site, UnixMs(0)) == "Tea {opens}"
    shut = msgspec.structs.replace(site, name="Tea", settings=SiteSettings(hours=hours))
    sunday = UnixMs(1_767_488_400_000)  # 2026-01-04 in Shanghai.
    assert filled("{site}: {opens}", shut, sunday) == "Tea: 01-05 09:00"
    never = SiteSettings(hours=msgspec.structs.replace(hours, week=week))
    shut = msgspec.structs.replace(shut, settings=never)
    assert filled("{opens}.", shut, sunday) == "."
