"""A visitor with several numbers: one person, and in each log one sender."""

import msgspec
import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.client import Rejected
from kefu_core.desk.merging import merged
from kefu_core.desk.numbers import conversations_of
from kefu_core.desk.visiting import Report
from kefu_core.errors import CloseCode
from kefu_core.model import MessageKind
from kefu_core.protocol import frames as f
from kefu_core.records import Visit as KeptVisit
from kefu_core.records import VisitorAlias, VisitorIdentity, VisitorProfile
from kefu_core.site import SiteSettings, Talk
from kefu_core.types import ParticipantId, Seq, UnixMs
from kefu_core.upkeep.erasing import erase_visitor
from tests.core.desk.test_offline import LEAVE
from tests.core.desk.world import SEVERAL, Wire, World, eventually, world

pytestmark = pytest.mark.anyio

BOTH = "v3+v1"
"""The token of visitor 3, who was visitor 1 before."""


async def follow(wire: Wire, number: int) -> None:
    await wire.send(f.Follow(conversation=number))
    await wire.until(f.Head)


async def test_whoever_has_several_numbers_has_the_conversations_of_all() -> None:
    async with world() as w:
        mine, other = await w.conversation("v1"), await w.conversation("v2")
        own = await w.conversation("v3")
        elsewhere = await w.conversation("v1", 2)
        wire = Wire(w.stream())
        await wire.send(f.Hello(token=BOTH))
        welcome = await wire.until(f.Welcome)
        assert set(welcome.heads) == {mine, own}
        assert welcome.me.id == "v3"
        for number in (other, elsewhere):
            await wire.send(f.Fetch(id="1", conversation=number, after=Seq(0)))
            assert (await wire.until(f.ErrorFrame)).code == "not_found"
        wire.cut()
        # It goes one way: visitor 1 has nothing of visitor 3.
        async with w.client("v1") as before:
            with pytest.raises(Rejected, match="no such"):
                await before.call("messages.list", {"conversation": own})


async def test_in_a_conversation_a_visitor_has_the_name_that_it_had_there() -> None:
    async with world() as w, w.client(BOTH) as now:
        number = await w.conversation("v1")
        before = await w.live("v1")
        await before.send(f.Send(key="k1", conversation=number, n=1, body="once"))
        first = await before.until(f.Sent)
        before.cut()
        # Sent again under the new number it is the same message, not a second one.
        sent = {"conversation": number, "key": "k1", "body": "once"}
        again = await now.call("message.send", sent)
        assert (again["seq"], again["duplicate"]) == (first.seq, True)
        wire = await w.live(BOTH)
        await follow(wire, number)
        await wire.send(f.Send(key="k2", conversation=number, n=1, body="more"))
        await wire.until(f.Sent)
        log = await w.store.history(number)
        assert [(m.sender, m.key) for m in log] == [("v1", "k1"), ("v1", "k2")]
        assert (await w.store.audit()).faults == []
        # Its own keys are shown to it, live and in pages.
        await wire.send(f.Fetch(id="1", conversation=number, after=Seq(0)))
        page = await wire.until(f.Page)
        assert [m.key for m in page.messages] == ["k1", "k2"]
        listed = await now.call("messages.list", {"conversation": number})
        assert [m["key"] for m in listed["messages"]] == ["k1", "k2"]
        wire.cut()


async def test_receipts_and_typing_are_of_the_name_in_the_conversation() -> None:
    async with world() as w:
        number = await w.conversation("v1")
        await w.say(number, "a1", "hello")
        wire, agent = await w.live(BOTH), await w.live("a1")
        await follow(wire, number)
        await follow(agent, number)
        await wire.send(f.Typing(conversation=number))
        assert (await agent.until(f.TypingEvent)).who == "v1"
        await wire.send(f.Read(conversation=number, seq=Seq(1)))
        receipt = await agent.until(f.Receipt)
        assert (receipt.who, receipt.read) == ("v1", 1)
        wire.cut()
        agent.cut()


async def test_it_ends_rates_and_takes_back_what_it_said_before() -> None:
    async with world() as w, w.client(BOTH) as now, w.client("v2") as other:
        (site,) = [each for each in await w.store.sites() if each.id == 1]
        talk = SiteSettings(talk=Talk(asks_rating=True, recall_within_s=600))
        await w.store.put_site(msgspec.structs.replace(site, settings=talk))
        number = await w.conversation("v1")
        await w.say(number, "v1", "canary")
        await w.say(number, "a1", "yes?")
        for seq in (1, 2):
            with pytest.raises(Rejected, match="no such"):
                await other.call("message.recall", {"conversation": number, "seq": seq})
        with pytest.raises(Rejected, match="no such"):
            await now.call("message.recall", {"conversation": number, "seq": 2})
        await now.call("message.recall", {"conversation": number, "seq": 1})
        await now.call("conversation.end", {"conversation": number})
        await now.call("conversation.rate", {"conversation": number, "score": 5})
        log = await w.store.history(number)
        ended = (MessageKind.RECALL, MessageKind.CLOSE, MessageKind.RATING)
        assert [m.sender for m in log if m.kind in ended] == ["v1"] * 3
        assert (await w.store.audit()).faults == []
        people = await now.call("people.get", {"ids": ["v1", "v2", "v3"]})
        assert [p["id"] for p in people["people"]] == ["v1"]


async def test_it_hears_of_a_conversation_of_any_of_its_numbers() -> None:
    async with world() as w:
        wire = await w.live(BOTH)
        number = await w.conversation("v1")
        w.hub.announce_head(ParticipantId("v1"), number, Seq(3), site_id=1)
        head = await wire.until(f.Head)
        assert (head.conversation, head.last_seq) == (number, 3)
        wire.cut()
        await eventually(lambda: not w.hub._by_alias)


async def merge(w: World) -> None:
    """Write that visitor 1 is visitor 3, whom the site has signed."""
    known = VisitorIdentity(id=3, site_id=1, external_id="42")
    assert await w.store.claim_number(known)
    alias = VisitorAlias(id=1, site_id=1, visitor=ParticipantId("v3"))
    assert await w.store.claim_number(alias)
    profile = await w.store.find_record(VisitorProfile, 3)
    assert profile is not None
    await w.store.put_records(msgspec.structs.replace(profile, name="林晓"))


@pytest.mark.parametrize(
    ("closed", "goes_on"),
    [((), "v3"), (("v3",), "v1"), (("v1",), "v3"), (("v1", "v3"), "v1")],
)
async def test_the_open_conversation_goes_on_the_known_ones_own_first(
    closed: tuple[str, ...], goes_on: str
) -> None:
    async with world() as w, w.client(BOTH) as now, w.client("a1") as agent:
        await merge(w)
        numbers = {}
        for who in ("v3", "v1"):
            numbers[who] = await w.conversation(who)
            await w.say(numbers[who], who, "hello")
        for who in closed:
            row = {"conversation": numbers[who]}
            await agent.call("conversation.close", row)
        if closed == ("v1", "v3"):
            await w.say(numbers["v1"], "a1", "one more thing", MessageKind.NOTE)
        wire = Wire(w.stream())
        await wire.send(f.Hello(token=BOTH))
        assert (await wire.until(f.Welcome)).current == numbers[goes_on]
        wire.cut()
        opened = await now.call("conversation.open")
        assert opened["conversation"]["id"] == numbers[goes_on]
        # Where there is one, no other is opened.
        assert len(await w.store.find_conversations(ConversationFilter())) == 2


async def test_one_that_nobody_has_written_in_does_not_keep_another_back() -> None:
    async with world() as w, w.client(BOTH) as now:
        await merge(w)
        number = await w.conversation("v1")
        await w.say(number, "v1", "hello")
        await w.conversation("v3")
        opened = await now.call("conversation.open")
        assert opened["conversation"]["id"] == number


async def test_agents_see_one_person_by_any_number() -> None:
    async with world() as w, w.client("a1") as agent:
        await merge(w)
        theirs = [await w.conversation(who) for who in ("v1", "v3")]
        await w.conversation("v2")
        await w.say(theirs[0], "v1", "hello")
        shown = [
            await agent.call("visitor.get", {"visitor": number}) for number in (1, 3)
        ]
        assert shown[0] == shown[1]
        assert shown[0]["visitor"]["id"] == 3
        assert sorted(row["id"] for row in shown[0]["conversations"]) == theirs
        names = {row["visitor_name"] for row in shown[0]["conversations"]}
        assert names == {"林晓"}
        # A change of the name is one of all numbers.
        revision = shown[0]["visitor"]["revision"]
        renamed = {"visitor": 1, "revision": revision, "name": "Lin"}
        await agent.call("visitor.put", renamed)
        await eventually(lambda: w.rows[theirs[0]]["visitor_name"] == "Lin")
        # An agent of another site sees nobody.
        async with w.client("a3") as other:
            for number in (1, 3):
                with pytest.raises(Rejected, match="no such"):
                    await other.call("visitor.get", {"visitor": number})


@pytest.mark.parametrize("banned", [1, 3])
async def test_a_ban_of_any_number_is_one_of_the_person(banned: int) -> None:
    async with world() as w, w.client("a1") as agent:
        await merge(w)
        await w.conversation("v1")
        wire = await w.live(BOTH, address="203.0.113.7")
        params = {"visitor": banned, "with_address": True}
        rows = (await agent.call("ban.put", params))["rows"]
        assert [row["value"] for row in rows] == [f"v{banned}", "203.0.113.7"]
        assert (await wire.all_until_closed())[-1].code == CloseCode.BANNED
        for number in (1, 3):
            known = await agent.call("visitor.get", {"visitor": number})
            assert known["ban"]["id"] == rows[0]["id"]
        # By the number alone, from wherever, live or by a request.
        await agent.call("ban.lift", {"ban": rows[1]["id"]})
        with pytest.raises(Exception, match="may not write"):
            await w.desk.call(SEVERAL[BOTH], "conversation.open", {})
        wire = Wire(w.stream(address="198.51.100.1"))
        await wire.send(f.Hello(token=BOTH))
        assert (await wire.until(f.Welcome, f.ErrorFrame)).code == "banned"
        await agent.call("ban.lift", {"ban": rows[0]["id"]})
        wire = await w.live(BOTH)
        await agent.call("ban.put", {"visitor": banned})
        assert (await wire.all_until_closed())[-1].code == CloseCode.BANNED


async def test_the_place_in_the_queue_is_that_of_any_number() -> None:
    async with world() as w, w.client("a1") as agent:
        await merge(w)
        other, mine = await w.conversation("v2"), await w.conversation("v1")
        await w.say(other, "v2", "first")
        await w.say(mine, "v1", "second")
        wire = await w.live(BOTH)
        await wire.send(f.Watch(topic="queue.1.v3"))
        await wire.until(f.Snapshot)
        event = await wire.until(f.Event)
        assert event.put is not None
        assert (event.put["id"], event.put["position"]) == (mine, 2)
        await agent.call("conversation.take", {"conversation": mine})
        while (event := await wire.until(f.Event)).drop != mine:
            pass
        await wire.send(f.Watch(topic="queue.1.v2"))
        assert (await wire.until(f.ErrorFrame)).code == "not_found"
        wire.cut()


async def test_what_was_left_under_another_number_is_left_once_and_answered() -> None:
    async with world() as w, w.client(BOTH) as now, w.client("a1") as agent:
        async with w.client("v1") as before:
            left = await before.call("offline.leave", LEAVE)
        await merge(w)
        assert (await now.call("offline.leave", LEAVE))["id"] == left["id"]
        own = await w.conversation("v3")
        await w.say(own, "v3", "hello")
        params = {"message": left["id"]}
        answered = await agent.call("offline.answer_by_conversation", params)
        assert answered["conversation"]["id"] == own
        await agent.call("offline.answer_by_conversation", params)
        log = await w.store.history(own)
        assert [m.body for m in log if m.kind is MessageKind.TEXT].count(
            LEAVE["body"]
        ) == 1
        assert (await w.store.audit()).faults == []


async def test_visits_under_any_number_are_of_one_visitor() -> None:
    async with world() as w, w.client("a1") as agent:
        await merge(w)
        number = await w.conversation("v1")
        await w.say(number, "v1", "hello")
        now = UnixMs(1)
        await w.store.put_records(
            KeptVisit(
                id=5,
                site_id=1,
                visitor=ParticipantId("v1"),
                started_at=now,
                last_seen_at=now,
            )
        )
        report = Report(page="p", url="https://shop.example/")
        w.desk.visits.report(1, 3, report)
        w.desk.visits.named(3, await w.store.numbers_of(ParticipantId("v3")))
        w.desk.visits.tell()
        (row,) = w.desk.visits.rows()
        assert (row["id"], row["conversation"]) == (3, number)
        for visitor in (1, 3):
            visit = await agent.call("visit.get", {"visitor": visitor})
            assert visit["is_here"]
            assert [each["id"] for each in visit["earlier"]] == [5]


@pytest.mark.parametrize("named", ["v1", "v3"])
async def test_erasing_one_number_erases_the_person(named: str) -> None:
    async with world() as w:
        for who in ("v1", "v2", "v3"):
            await w.say(await w.conversation(who), who, f"canary of {who}")
        await merge(w)
        report = await erase_visitor(w.store, ParticipantId(named))
        assert (report.conversations, report.messages) == (2, 2)
        names = ("v1", "v2", "v3")
        rows = await conversations_of(w.store, [ParticipantId(who) for who in names])
        logs = {row.visitor: str(await w.store.history(row.id)) for row in rows}
        assert [who for who in names if "canary" in logs[who]] == ["v2"]
        people = await w.store.people([ParticipantId("v1"), ParticipantId("v3")])
        assert {person.name for person in people} == {""}
        # Its numbers stay together, so that it can be asked for again.
        again = await erase_visitor(w.store, ParticipantId(named))
        assert (again.conversations, again.messages) == (2, 0)


async def test_who_is_connected_when_a_number_comes_along_comes_back_with_it() -> None:
    async with world() as w, w.client("a1") as agent:
        number = await w.conversation("v1")
        await w.say(number, "v1", "hello")
        await w.conversation("v3")
        before = (await agent.call("visitor.get", {"visitor": 1}))["visitor"]
        wire, other = await w.live(BOTH), await w.live("v2")
        watching = await w.live("a2")
        await watching.send(f.Watch(topic="profiles"))
        await watching.until(f.Snapshot)
        w.desk.visits.report(1, 3, Report(page="p", url="https://shop.example/"))
        await merge(w)
        alias = await w.store.find_record(VisitorAlias, 1)
        assert alias is not None
        await merged(w.desk, alias)
        assert (await wire.all_until_closed())[-1].code == CloseCode.RESTART
        # Nobody else's connection ends; consoles look again, and lists name the person.
        await other.answers(f.Ping())
        other.cut()
        event = await watching.until(f.Event)
        assert event.put is not None
        assert event.put["id"] == before["id"]
        watching.cut()
        assert w.rows[number]["visitor_name"] == "林晓"
        visit = w.desk.visits.find(3)
        assert visit is not None
        assert visit.names == ("v3", "v1")
