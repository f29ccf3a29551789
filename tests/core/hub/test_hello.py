"""From hello to welcome: who may come in, what they are told, where they go on."""

import anyio
import msgspec
import pytest

from kefu_core.errors import CloseCode
from kefu_core.protocol import frames as f
from kefu_core.types import Seq
from tests.core.hub.world import LIMITS, Faults, Gate, world

pytestmark = pytest.mark.anyio


async def test_a_visitor_is_told_the_heads_of_its_conversations() -> None:
    async with world() as w:
        mine, other = await w.conversation("v1"), await w.conversation("v2")
        await w.append(mine, "m1", "m2")
        await w.append(other, "m1")
        peer = await w.peer("v1")
        (welcome,) = peer.of(f.Welcome)
        assert welcome.heads == {mine: 2}
        assert (welcome.me.id, welcome.epoch, welcome.resumed) == ("v1", "memory", True)
        assert not w.hub.is_followed(mine)


async def test_cursors_are_followed_at_once_from_where_they_stand() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, "m1", "m2", "m3")
        cursors = {conversation: Seq(2)}
        peer = await w.peer("a1", epoch="memory", cursors=cursors)
        assert peer.of(f.Welcome)[0].heads == {conversation: 3}
        assert await peer.bodies(1) == ["m3"]
        await w.append(conversation, "m4")
        assert await peer.bodies(1) == ["m4"]


async def test_what_is_appended_before_the_welcome_is_not_lost() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, "m1")
        w.handler.loaded = gate = Gate()
        peer = await w.connect()
        await peer.say(f.Hello(token="a1", cursors={conversation: Seq(1)}))
        await gate.reached()
        await w.append(conversation, "m2")
        gate.opened.set()
        assert (await peer.expect(f.Welcome)).heads == {conversation: 2}
        assert await peer.bodies(1) == ["m2"]


@pytest.mark.parametrize("who", ["v1", "a1"])
async def test_another_history_is_not_resumed_and_nothing_is_followed(who: str) -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, "m1")
        peer = await w.peer(who, epoch="older", cursors={conversation: Seq(0)})
        assert not peer.of(f.Welcome)[0].resumed
        assert not w.hub.is_followed(conversation)
        await w.append(conversation, "m2")
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []
        await peer.say(f.Follow(conversation=conversation))
        assert await peer.bodies(2) == ["m1", "m2"]


async def test_one_cursor_beyond_its_log_means_that_history_was_replaced() -> None:
    async with world() as w:
        conversation, other = await w.conversation("v1"), await w.conversation("v2")
        await w.append(conversation, "m1")
        await w.append(other, "m1")
        cursors = {conversation: Seq(0), other: Seq(2)}
        peer = await w.peer("a1", epoch="memory", cursors=cursors)
        assert not peer.of(f.Welcome)[0].resumed
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []
        assert not w.hub.is_followed(conversation)
        assert not w.hub.is_followed(other)
        assert w.hub.receipts.of(other) == []


async def test_a_cursor_of_what_one_may_not_see_is_left_out() -> None:
    async with world() as w:
        mine, other = await w.conversation("v1"), await w.conversation("v2")
        await w.append(mine, "m1")
        await w.append(other, "m1")
        cursors = {mine: Seq(0), other: Seq(0), 12345: Seq(7)}
        peer = await w.peer("v1", cursors=cursors)
        (welcome,) = peer.of(f.Welcome)
        assert welcome.resumed
        assert welcome.heads == {mine: 1}
        assert await peer.bodies(1) == ["m1"]
        assert not w.hub.is_followed(other)
        await w.append(other, "m2")
        await peer.until_answered()
        assert [m.conversation for m in peer.of(f.MessageFrame)] == [mine]


@pytest.mark.parametrize("who", ["v1", "a1"])
async def test_one_connection_too_many_is_busy_and_comes_back_later(who: str) -> None:
    limits = msgspec.structs.replace(
        LIMITS, visitor_connections_max=2, agent_connections_max=2
    )
    async with world(limits) as w:
        first, _ = await w.peer(who), await w.peer(who)
        w.store.before["conversations_of_visitor"] = asked = Faults(0)
        third = await w.connect()
        await third.say(f.Hello(token=who))
        assert (await third.expect(f.ErrorFrame)).code == "busy"
        assert await third.until_closed() == CloseCode.OVERLOADED
        assert asked.asked == 0, "the store was asked for somebody who may not stay"
        assert w.hub.connections_of(first.of(f.Welcome)[0].me.id) == 2
        first.stream.cut()
        await first.served.wait()
        await w.peer(who)


async def test_connections_that_come_at_the_same_moment_are_counted_too() -> None:
    limits = msgspec.structs.replace(LIMITS, visitor_connections_max=2)
    async with world(limits) as w:
        w.store.before["conversations_of_visitor"] = gate = Gate()
        peers = [await w.connect() for _ in range(4)]
        for peer in peers:
            await peer.say(f.Hello(token="v1"))
        await gate.reached()
        await anyio.wait_all_tasks_blocked()
        gate.opened.set()
        refused = 0
        for peer in peers:
            answer = await peer.expect(f.Frame)
            if isinstance(answer, f.ErrorFrame):
                refused += 1
                assert answer.code == "busy"
                assert await peer.until_closed() == CloseCode.OVERLOADED
        assert (refused, w.hub.connection_count) == (2, 2)


async def test_a_wrong_token_ends_the_connection_for_good() -> None:
    async with world() as w:
        peer = await w.connect()
        await peer.say(f.Hello(token=""))
        assert (await peer.expect(f.ErrorFrame)).code == "unauthorized"
        assert await peer.until_closed() == CloseCode.UNAUTHORIZED
        assert peer.of(f.Welcome) == []


async def test_a_wrong_token_ends_the_client_for_good() -> None:
    async with world() as w, w.client("") as nobody:
        with pytest.raises(Exception, match="token"):
            await nobody.wait_live()


async def test_a_store_that_is_away_sends_people_away_for_a_while() -> None:
    async with world() as w:
        w.store.before["conversations_of_visitor"] = Faults(1)
        peer = await w.connect()
        await peer.say(f.Hello(token="v1"))
        assert (await peer.expect(f.ErrorFrame)).code == "unavailable"
        assert await peer.until_closed() == CloseCode.OVERLOADED
        await w.peer("v1")


async def test_a_fault_of_ours_says_nothing_of_itself() -> None:
    async with world() as w:
        peer = await w.connect()
        await peer.say(f.Hello(token="crash"))
        refusal = await peer.expect(f.ErrorFrame)
        assert refusal.code == "internal"
        assert "secret" not in refusal.text
        assert await peer.until_closed() == CloseCode.OVERLOADED


async def test_who_left_while_it_was_looked_up_is_not_welcomed() -> None:
    async with world() as w:
        w.store.before["conversations_of_visitor"] = gate = Gate()
        # The peer reads nothing, so the connection lives on while `closed` waits.
        peer = await w.connect(buffered_batches=0)
        conversation = await w.conversation()
        await peer.say(f.Hello(token="v1", cursors={conversation: Seq(0)}))
        await gate.reached()
        await peer.say(f.Bye())
        await anyio.wait_all_tasks_blocked()
        gate.opened.set()
        await anyio.wait_all_tasks_blocked()
        assert w.hub.connections_of(w.connection("v1").me) == 0
        assert not w.connection("v1").was_welcomed
        assert await peer.until_closed() == CloseCode.NORMAL
        assert [type(frame) for frame in peer.log] == [f.Closed]


async def test_who_comes_to_a_node_that_leaves_is_sent_elsewhere() -> None:
    async with world() as w:
        peer = await w.connect()
        w.hub.is_draining = True
        await peer.say(f.Hello(token="v1"))
        assert await peer.until_closed() == CloseCode.RESTART
        assert [type(frame) for frame in peer.log] == [f.Closed]


async def test_who_comes_while_a_node_begins_to_leave_is_sent_elsewhere_too() -> None:
    async with world() as w:
        w.store.before["conversations_of_visitor"] = gate = Gate()
        peer = await w.connect()
        await peer.say(f.Hello(token="v1"))
        await gate.reached()
        w.hub.is_draining = True
        gate.opened.set()
        assert await peer.until_closed() == CloseCode.RESTART
        assert [type(frame) for frame in peer.log] == [f.Closed]


async def test_only_the_unwelcomed_are_counted_as_pending() -> None:
    async with world() as w:
        peer = await w.connect()
        await anyio.wait_all_tasks_blocked()
        assert w.hub.hello_pending == 1
        await peer.say(f.Hello(token="v1"))
        await peer.expect(f.Welcome)
        assert w.hub.hello_pending == 0


async def test_only_so_many_hellos_ask_the_store_at_once_and_none_is_refused() -> None:
    async with world(msgspec.structs.replace(LIMITS, hello_reads_max=2)) as w:
        conversation = await w.conversation()
        asking: list[anyio.Event] = []

        async def wait_for_the_test() -> None:
            asking.append(anyio.Event())
            await asking[-1].wait()

        w.handler.loaded = wait_for_the_test
        peers = [await w.connect() for _ in range(5)]
        for number, peer in enumerate(peers):
            cursors = {conversation: Seq(0)}
            await peer.say(f.Hello(token=f"a{number + 1}", cursors=cursors))
        await anyio.wait_all_tasks_blocked()
        assert len(asking) == 2
        w.handler.loaded = None
        for event in asking:
            event.set()
        for peer in peers:
            await peer.expect(f.Welcome)
