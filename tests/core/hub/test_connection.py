"""One connection: nothing after its end, bounded memory, and time that runs out."""

from collections.abc import Sequence
from contextlib import suppress

import anyio
import msgspec
import pytest

from kefu_core.abc.streams import PeerInfo, PushedStream
from kefu_core.errors import CloseCode, ConnectionClosed
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, Received
from kefu_core.transports.memory import memory_pair
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from tests.core.hub.world import LIMITS, Faults, Gate, Peer, bodies, send, world

pytestmark = pytest.mark.anyio

PATIENT = msgspec.structs.replace(LIMITS, heartbeat_s=1e6)


FLOODED = msgspec.structs.replace(LIMITS, frames_per_s=20.0, frames_burst=10)


async def test_a_flood_is_refused_at_a_pace_of_ours() -> None:
    async with world(FLOODED) as w:
        peer, began = await w.peer("v1"), w.hub.now()
        # Fifty came too early, and two hundred and fifty a second are read.
        await peer.say(*[f.Call(id="c", method="echo")] * 59)
        await peer.say(f.Ping())
        await peer.expect(f.Pong)
        assert w.hub.now() - began >= 0.19
        assert len(peer.of(f.ErrorFrame)) == 50


async def test_who_was_cut_off_for_a_flood_comes_back_without_a_burst() -> None:
    limits = msgspec.structs.replace(FLOODED, frames_per_s=1.0, flood_s=1.0)
    async with world(limits) as w:
        call = f.Call(id="c", method="echo")
        peer = await w.peer("v1")
        await peer.say(*[call] * 40)
        assert await peer.until_closed() == CloseCode.OVERLOADED
        for who, refused in (("v1", 9), ("v2", 0)):
            again = await w.peer(who)
            await again.say(*[call] * 9)
            with anyio.move_on_after(5):
                while len(again.log) < 10:
                    await again.expect(f.Frame)
            assert len(again.of(f.ErrorFrame)) == refused
        w.skipped_s = 61.0
        await (await w.peer("v1")).until_answered()


async def test_nothing_is_written_after_closed_however_lively_the_conversation() -> (
    None
):
    async with world() as w:
        conversation = await w.conversation()
        # The peer reads nothing yet, so its end waits in the outbox.
        peer = await w.follower("v1", conversation, buffered_batches=0)
        await w.append(conversation, "m1", "m2")
        connection = w.connection("v1")
        await peer.say(f.Bye())
        await anyio.wait_all_tasks_blocked()
        await w.append(conversation, "m3", "m4")
        agent = await w.follower("a1", conversation)
        await agent.bodies(4)
        await agent.say(
            f.Read(conversation=conversation, seq=Seq(4)),
            f.Typing(conversation=conversation),
        )
        await agent.expect(f.Receipt, who="a1")
        assert connection in w.hub._connections
        assert await peer.until_closed() == CloseCode.NORMAL
        assert [m.seq for m in peer.of(f.MessageFrame)] == [1, 2]
        assert isinstance(peer.log[-1], f.Closed)
        assert len(peer.of(f.Closed)) == 1


async def test_an_answer_that_comes_after_the_end_is_not_written() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.store.before_commit = gate = Gate()
        peer = await w.follower("v1", conversation, buffered_batches=0)
        await peer.say(send(conversation, 1))
        await gate.reached()
        await peer.say(f.Bye(), f.Ping(), send(conversation, 2))
        await anyio.wait_all_tasks_blocked()
        gate.opened.set()
        await anyio.wait_all_tasks_blocked()
        assert await peer.until_closed() == CloseCode.NORMAL
        assert isinstance(peer.log[-1], f.Closed)
        assert not any(peer.of(kind) for kind in (f.Sent, f.Pong, f.ErrorFrame))
        assert w.store.log_of(conversation) == ["m1"]


async def test_who_asks_and_never_reads_is_closed_as_slow_at_a_bounded_cost() -> None:
    limits = msgspec.structs.replace(
        PATIENT, outbox_bytes_max=2_000, write_timeout_s=1_000
    )
    async with world(limits) as w:
        peer = await w.peer("v1", buffered_batches=0)
        connection = w.connection("v1")
        largest = 0
        while connection.session.state != "closed":
            await peer.say(*[f.Ping()] * 100)
            await anyio.wait_all_tasks_blocked()
            largest = max(largest, connection.outbox.size_bytes)
        assert largest <= 4 * limits.outbox_bytes_max
        assert len(connection.outbox) == 1  # Only `closed` is left.
        w.skipped_s += 1_001
        with anyio.fail_after(10):
            await peer.served.wait()
        assert peer.stream.close_code == CloseCode.SLOW


async def test_a_peer_that_accepts_nothing_for_too_long_is_cut_off() -> None:
    limits = msgspec.structs.replace(PATIENT, write_timeout_s=1_000)
    async with world(limits) as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation, buffered_batches=0)
        await w.append(conversation, "m1")
        await anyio.wait_all_tasks_blocked()
        w.skipped_s += 1_001
        with anyio.fail_after(10):
            await peer.served.wait()
        assert peer.stream.close_code == CloseCode.SLOW
        assert not w.hub.is_followed(conversation)


async def test_a_fault_of_ours_in_a_send_ends_one_connection_that_may_come_back() -> (
    None
):
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        other = await w.follower("a1", conversation)
        await peer.say(send(conversation, 1, "crash"))
        code = await peer.until_closed()
        assert code == CloseCode.OVERLOADED
        again = await w.follower("v1", conversation)
        await again.say(send(conversation, 1, "m1"))
        for one in (again, other):
            assert await one.bodies(1) == ["m1"]


async def test_a_node_that_is_cancelled_sends_nobody_away_for_good() -> None:
    async with world() as w, anyio.create_task_group() as tasks:
        ours, theirs = memory_pair(JSON)
        tasks.start_soon(w.hub.serve, theirs)
        await ours.send([JSON.encode(f.Hello(token="v1"))])
        await ours.receive()
        tasks.cancel_scope.cancel()
        with pytest.raises(ConnectionClosed) as closed, anyio.CancelScope(shield=True):
            await ours.receive()
        assert closed.value.close_code == CloseCode.RESTART
        ours.cut()


async def test_a_reader_that_stops_costs_a_bounded_amount_and_delays_nobody() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        await agent.follow(conversation)
        slow = await w.follower("a2", conversation, buffered_batches=1)
        await visitor.wait_live()
        for number in range(3_000):
            visitor.send_nowait(conversation, f"m{number:04}" + "x" * 200)
        assert len(await bodies(agent, 3_000)) == 3_000
        outbox = w.connection("a2").outbox
        assert len(outbox) <= LIMITS.outbox_frames_max + 4
        assert outbox.size_bytes <= LIMITS.outbox_bytes_max + 65_536
        await slow.bodies(3_000)
        assert [m.seq for m in slow.of(f.MessageFrame)] == list(range(1, 3_001))


async def test_rubbish_is_answered_and_the_connection_goes_on() -> None:
    async with world() as w:
        peer = await w.peer("v1")
        await peer.stream.send_bytes(b'{"t":"nonsense","id":"7"}')
        refusal = await peer.expect(f.ErrorFrame)
        assert (refusal.code, refusal.id) == ("unknown_frame", "7")
        await peer.until_answered()


async def test_who_says_no_hello_is_closed() -> None:
    async with world() as w:
        peer = await w.connect()
        await anyio.wait_all_tasks_blocked()
        w.skipped_s += LIMITS.hello_timeout_s
        assert await peer.until_closed() == CloseCode.SILENT


async def test_who_is_silent_is_pinged_and_then_closed() -> None:
    async with world() as w:
        peer = await w.peer("v1")
        w.skipped_s += LIMITS.heartbeat_s
        await peer.expect(f.Ping)
        w.skipped_s += LIMITS.heartbeat_s
        assert await peer.until_closed() == CloseCode.SILENT


async def test_a_login_that_expires_ends_the_connection() -> None:
    async with world(PATIENT) as w:
        w.handler.expires_at_ms = UnixMs(w.hub.now_ms() + 1_000_000)
        peer = await w.peer("v1")
        w.skipped_s += 990
        await peer.until_answered()
        w.skipped_s += 10
        assert await peer.until_closed() == CloseCode.TOKEN_EXPIRED


async def test_a_right_that_ended_is_noticed_within_a_minute() -> None:
    async with world(PATIENT) as w:
        peer = await w.peer("v1")
        w.handler.is_valid = False
        w.skipped_s += 61
        assert await peer.until_closed() == CloseCode.UNAUTHORIZED


async def test_a_right_that_cannot_be_looked_up_is_asked_about_again() -> None:
    async with world(PATIENT) as w:
        w.handler.is_valid = False
        w.handler.before["revalidate"] = asked = Faults(1)
        peer = await w.peer("v1")
        connection = w.connection("v1")
        await connection.revalidate()
        await peer.until_answered()
        assert not connection.needs_revalidation(w.hub.now(), 60.0)
        w.skipped_s += 61
        assert await peer.until_closed() == CloseCode.UNAUTHORIZED
        assert asked.asked == 2


async def test_typing_is_told_to_the_others_and_its_text_to_agents_only() -> None:
    async with world() as w:
        conversation = await w.conversation()
        visitor, tab = [await w.follower("v1", conversation) for _ in range(2)]
        agents = [await w.follower(who, conversation) for who in ("a1", "a2")]
        typing = f.Typing(conversation=conversation, text="unsent")
        await visitor.say(typing)
        for agent in agents:
            event = await agent.expect(f.TypingEvent)
            assert (event.who, event.text, event.is_typing) == ("v1", "unsent", True)
        await agents[0].say(typing)
        assert (await agents[1].expect(f.TypingEvent)).text == ""
        for one in (visitor, tab):
            event = await one.expect(f.TypingEvent)
            assert (event.who, event.text) == ("a1", "")
            await one.until_answered()
            assert len(one.of(f.TypingEvent)) == 1


async def test_nobody_types_in_a_conversation_it_does_not_follow() -> None:
    async with world() as w:
        conversation = await w.conversation()
        stranger = await w.peer("v2")
        owner = await w.follower("v1", conversation)
        await stranger.say(f.Typing(conversation=conversation))
        assert (await stranger.expect(f.ErrorFrame)).code == "not_found"
        await owner.until_answered()
        assert owner.of(f.TypingEvent) == []


async def test_only_the_latest_receipt_waits_for_a_slow_reader() -> None:
    async with world() as w:
        conversation = await w.conversation()
        slow = await w.follower("v1", conversation, buffered_batches=0)
        agent = await w.follower("a1", conversation)
        await w.append(conversation, *(f"m{n}" for n in range(1, 9)))
        await agent.bodies(8)
        for seq in range(1, 9):
            await agent.say(f.Ack(conversation=conversation, seq=Seq(seq)))
            await agent.expect(f.Receipt, who="a1", delivered=seq)
        await slow.bodies(8)
        await slow.expect(f.Receipt, who="a1", delivered=8)
        assert len([r for r in slow.of(f.Receipt) if r.who == "a1"]) == 1


async def test_a_broken_stream_leaves_nothing_behind() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("a1", conversation)
        assert w.hub.connections_of(w.connection("a1").me)
        peer.stream.cut()
        await peer.served.wait()
        assert w.hub.connection_count == 0
        assert not w.hub.is_followed(conversation)


async def test_what_the_hub_tells_of_a_followed_conversation_is_not_announced() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        connection = w.connection("v1")
        connection.announce(f.Head(conversation=conversation, last_seq=Seq(5)))
        other = ConversationId(conversation + 1)
        connection.announce(f.Head(conversation=other, last_seq=Seq(6)))
        assert (await peer.expect(f.Head)).conversation == other


async def test_a_name_of_a_connection_shows_no_token() -> None:
    async with world() as w:
        peer = await w.connect(JSON)
        await peer.say(f.Hello(token="v1"))
        await peer.expect(f.Welcome)
        assert repr(w.connection("v1")) == "<Connection v1 live outbox=0>"


async def _until_ended(peer: Peer) -> None:
    with suppress(ConnectionClosed):
        while True:
            await peer.stream.receive()


async def test_a_slow_read_does_not_keep_the_peer_that_leaves_nor_its_place() -> None:
    limits = msgspec.structs.replace(LIMITS, visitor_connections_max=1)
    async with world(limits) as w:
        conversation = await w.conversation()
        await w.append(conversation, "m1")
        gate = Gate()

        async def uncancellable() -> None:
            with anyio.CancelScope(shield=True):
                await gate()

        w.store.before["history"] = uncancellable
        try:
            for how in ("bye", "cut"):
                peer = await w.follower("v1", conversation)
                await gate.reached()
                if how == "bye":
                    await peer.say(f.Bye())
                else:
                    peer.stream.cut()
                with anyio.fail_after(5):
                    while w.hub.connections_of(ParticipantId("v1")):
                        await anyio.sleep(0.001)
                    await _until_ended(peer)
                assert not peer.served.is_set()
        finally:
            gate.opened.set()
        assert w.hub.counts.closes == {("memory", "1000"): 1, ("memory", "1006"): 1}


async def test_heartbeats_go_on_while_the_store_answers_nobody() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, "m1")
        gates = {name: Gate() for name in ("history", "cursors", "advance_cursors")}
        w.store.before |= gates
        peer = await w.follower("v1", conversation)
        await gates["history"].reached()
        for _ in range(3):
            w.skipped_s += w.limits.heartbeat_s + 1
            await peer.expect(f.Ping)
            await peer.say(f.Pong(), f.Ping())
            await peer.expect(f.Pong)
        for gate in gates.values():
            gate.opened.set()
        assert await peer.bodies(1) == ["m1"]


async def test_a_thousand_who_come_and_go_leave_every_number_at_nought() -> None:
    async with world() as w:
        conversation = await w.conversation()
        for number in range(1_000):
            peer = await w.connect()
            if number % 3:
                await peer.say(f.Hello(token=f"a{number}"), f.Ping())
                await peer.expect(f.Pong)
                await peer.say(
                    f.Follow(conversation=conversation), f.Watch(topic="none")
                )
            peer.stream.cut()
            if number % 50 == 0:
                await w.append(conversation, f"m{number}")
        for peer in w.peers:
            await peer.served.wait()
        left = w.hub.statistics()
        assert left.connections == {}
        assert (left.hello_pending, left.participants, left.conversations) == (0, 0, 0)
        assert sum(w.hub.counts.closes.values()) == 1_000


class Handed(PushedStream):
    """Hands over what a test says; its peer reads for as long as it is let."""

    codec = JSON
    peer = PeerInfo(transport="memory")
    has_room = True

    def __init__(self) -> None:
        self.written = b""
        self.closed_with = 0
        self._gone = anyio.Event()

    async def receive(self) -> Received:
        await self._gone.wait()
        raise ConnectionClosed

    def put(self, encoded: Sequence[bytes]) -> None:
        self.written += b"".join(encoded)

    async def send(self, encoded: Sequence[bytes]) -> None:
        raise AssertionError("the hub writes without waiting")

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self.closed_with = code

    async def say(self, *frames: f.Frame) -> float:
        """Hand frames over as soon as anybody takes them."""
        while self.on_batch is None:
            await anyio.sleep(0.001)
        return self.on_batch(frames)

    async def until(self, word: str) -> None:
        with anyio.fail_after(10):
            while word.encode() not in self.written:
                await anyio.sleep(0.001)

    def leave(self) -> None:
        self._gone.set()


async def test_what_is_handed_over_is_acted_on_and_answered() -> None:
    async with world(FLOODED) as w, anyio.create_task_group() as tasks:
        stream = Handed()
        tasks.start_soon(w.hub.serve, stream)
        assert await stream.say(f.Hello(token="v1")) == 0.0
        await stream.until("welcome")
        assert await stream.say(f.Ping()) == 0.0
        await stream.until("pong")
        assert await stream.say(*[f.Call(id="c", method="echo")] * 30) > 0.0
        await stream.until("error")
        stream.leave()
    assert w.hub.connection_count == 0


async def test_who_reads_nothing_of_a_pushed_stream_is_cut_off() -> None:
    async with world(PATIENT) as w, anyio.create_task_group() as tasks:
        stream = Handed()
        tasks.start_soon(w.hub.serve, stream)
        await stream.say(f.Hello(token="v1"))
        await stream.until("welcome")
        stream.has_room = False
        await stream.say(f.Ping())
        await anyio.sleep(0.01)
        w.skipped_s = PATIENT.write_timeout_s / 2
        stream.has_room = True
        assert stream.on_room is not None
        stream.on_room()
        await stream.until("pong")
        stream.has_room = False
        await stream.say(f.Ping())
        await anyio.sleep(0.01)
        w.skipped_s += PATIENT.write_timeout_s + 1
        with anyio.fail_after(10):
            while not stream.closed_with:
                await anyio.sleep(0.01)
        assert stream.closed_with == CloseCode.SLOW
