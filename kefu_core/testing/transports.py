"""What every transport must do: subclass `TransportContract` and give it a transport.

::

    class TestPigeons(TransportContract):
        @pytest.fixture
        def transport(self) -> Transport:
            return PigeonTransport()

A transport with an ASGI endpoint also needs the fixture `serve_asgi`, which serves an
endpoint on a listening socket by whichever server its author likes (see `ServeAsgi`).
A real node, real clients and real sockets do the rest; a proxy between them cuts,
swallows and holds up bytes.

Optional fixtures: `codec` (both by default), `open_store` (memory), `neighbours` (other
transports to move to and from), `share` (the part of the exhaustive tests to do).
"""

import anyio
import msgspec
import pytest

from kefu_core.abc.transports import Transport
from kefu_core.client import Client
from kefu_core.errors import ConnectionClosed
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import CODECS
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.proxy import Proxy, proxy_to
from kefu_core.testing.refusals import RefusalContract
from kefu_core.testing.serving import LIMITS, Kit, OpenStore, Peer, ServeAsgi, Served
from kefu_core.testing.talking import Mover, Told, send, take
from kefu_core.transports.registry import find_transport
from kefu_core.types import Seq

HASTY = msgspec.structs.replace(
    LIMITS,
    heartbeat_s=0.4,
    poll_wait_s=0.4,
    poll_session_s=0.8,
    poll_opening_s=0.8,
    hello_timeout_s=0.4,
    revocation_check_s=0.05,
)
"""Somebody who is silent is noticed in a second."""
_EVERY_BYTE_BELOW = 2_048
_STRIDE = 37
_AT_ONCE = 128


class TransportContract(RefusalContract):
    """Tests that take the fixture `transport`; see the module for the others."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture(params=["json", "msgpack"])
    def codec(self, request: pytest.FixtureRequest) -> str:
        """Return the codec of everybody in a test."""
        return str(request.param)

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Return what makes the store."""
        return lambda limits: MemoryStore(limits, now=monotonic, now_ms=unix_ms)

    @pytest.fixture
    def serve_asgi(self) -> ServeAsgi | None:
        """Return what serves an ASGI endpoint; None where there is none."""
        return None

    @pytest.fixture
    def neighbours(self) -> list[Transport]:
        """Return transports to move to and from."""
        return [find_transport("tcp")]

    @pytest.fixture
    def share(self) -> tuple[int, int]:
        """Return (number, of how many) parts of the exhaustive tests to do here."""
        return 0, 1

    @pytest.fixture
    def kit(
        self,
        transport: Transport,
        codec: str,
        open_store: OpenStore,
        serve_asgi: ServeAsgi | None,
    ) -> Kit:
        """Return all of it together."""
        return Kit(transport, codec, open_store, serve_asgi)

    # -- the conversation --------------------------------------------------------------

    async def test_messages_reach_everybody_in_order_and_are_acknowledged(
        self, kit: Kit
    ) -> None:
        async with kit.node() as node:
            conversation = await node.conversation()
            visitor = node.client(kit.transport, "v1")
            agent = node.client(kit.transport, "a1")
            async with visitor, agent:
                for client in (visitor, agent):
                    await client.follow(conversation)
                for number in range(20):
                    who = (visitor, agent)[number % 2]
                    sent = await who.send(conversation, f"m{number}")
                    assert sent.seq == number + 1
                expected = [(n + 1, f"m{n}") for n in range(20)]
                assert await take(visitor, 20) == expected
                assert await take(agent, 20) == expected

    async def test_a_burst_keeps_its_order(self, kit: Kit) -> None:
        async with kit.node() as node:
            conversation = await node.conversation()
            async with node.client(kit.transport, "v1") as visitor:
                await visitor.follow(conversation)
                for number in range(300):
                    visitor.send_nowait(conversation, f"m{number}")
                expected = [(n + 1, f"m{n}") for n in range(300)]
                assert await take(visitor, 300) == expected

    async def test_large_pages_arrive_whole(self, kit: Kit) -> None:
        async with kit.node() as node:
            conversation = await node.conversation()
            bodies = [f"{n:02}" + "客" * 4_000 for n in range(15)]
            await node.append(conversation, *bodies)
            async with node.client(kit.transport, "a1") as agent:
                page = await agent.fetch(conversation, after=0)
                assert [message.body for message in page.messages] == bodies

    async def test_two_connections_of_one_participant_hold_the_same_log(
        self, kit: Kit
    ) -> None:
        async with kit.node() as node:
            conversation = await node.conversation()
            first = node.client(kit.transport, "v1")
            second = node.client(kit.transport, "v1")
            async with first, second:
                for client in (first, second):
                    await client.follow(conversation)
                    await client.fetch(conversation, after=0)
                for number in range(10):
                    for client in (first, second):
                        client.send_nowait(conversation, f"{number}")
                one, other = await take(first, 20), await take(second, 20)
                assert one == other
                assert sorted(int(body) for _, body in one) == sorted([*range(10)] * 2)

    # -- cuts --------------------------------------------------------------------------

    async def test_a_reader_that_missed_more_than_fits_catches_up(
        self, kit: Kit
    ) -> None:
        async with kit.node() as node, node.proxy(kit.transport) as proxy:
            conversation = await node.conversation()
            async with node.client(kit.transport, "a1", port=proxy.port) as agent:
                await agent.follow(conversation)
                await node.append(conversation, "m0")
                assert await take(agent, 1) == [(1, "m0")]
                proxy.is_refusing = True
                await proxy.cut()
                count = node.node.limits.outbox_frames_max + 100
                await node.append(conversation, *(f"m{n}" for n in range(1, count)))
                proxy.is_refusing = False
                expected = [(n + 1, f"m{n}") for n in range(1, count)]
                assert await take(agent, count - 1) == expected

    @pytest.mark.parametrize("way", ["up", "down"])
    async def test_a_cut_at_any_byte_loses_doubles_and_reorders_nothing(
        self, kit: Kit, way: str, share: tuple[int, int]
    ) -> None:
        async with kit.node() as node:
            async with node.proxy(kit.transport) as proxy:
                await _short_exchange(kit, node, proxy, "v0")
                total = getattr(proxy, way).passed_bytes
            offsets = list(range(1, min(total, _EVERY_BYTE_BELOW) + 1))
            offsets += range(_EVERY_BYTE_BELOW + _STRIDE, total + 1, _STRIDE)
            number, of = share
            limiter = anyio.CapacityLimiter(_AT_ONCE)
            cuts = 0

            async def one(offset: int) -> None:
                nonlocal cuts
                async with limiter, node.proxy(kit.transport) as proxy:
                    getattr(proxy, way).cut_at = offset
                    await _short_exchange(kit, node, proxy, f"v{offset}")
                    cuts += proxy.cut_count

            async with anyio.create_task_group() as tasks:
                for offset in offsets[number::of]:
                    tasks.start_soon(one, offset)
            assert cuts >= len(offsets[number::of]) // 2

    async def test_a_burst_survives_moving_between_transports(
        self, kit: Kit, neighbours: list[Transport]
    ) -> None:
        async with kit.node(others=neighbours) as node:
            for number, other in enumerate(neighbours):
                await _move(node, kit.transport, other, f"v{number}1")
                await _move(node, other, kit.transport, f"v{number}2")

    # -- who does not behave -----------------------------------------------------------

    async def test_a_second_hello_is_refused_and_the_session_goes_on(
        self, kit: Kit
    ) -> None:
        async with kit.node() as node:
            peer = await _welcomed(kit, node)
            await peer.say(f.Hello(token="v1"))
            assert (await peer.expect(f.ErrorFrame)).code == "bad_request"
            assert _refusals(kit, node) == 1
            await peer.say(f.Call(id="1", method="echo"))
            await peer.expect(f.Reply, id="1")
            await peer.stream.aclose()

    async def test_who_never_says_hello_is_let_go(self, kit: Kit) -> None:
        async with kit.node(HASTY) as node:
            peer = await node.dial(kit.transport)
            await node.until_empty()
            await peer.stream.aclose()

    async def test_rubbish_on_the_socket_ends_that_connection_only(
        self, kit: Kit
    ) -> None:
        async with kit.node(HASTY) as node, node.proxy(kit.transport) as proxy:
            for rubbish in (b"\x00" * 64, b"KEFU\xff\xff\xff\xff" * 9, b"GET \r\n\r\n"):
                raw = await anyio.connect_tcp("127.0.0.1", proxy.port)
                await raw.send(rubbish)
                await raw.send_eof()
                await _until_ended(raw)
            await _still_serves(kit, node)
            await node.until_empty()

    async def test_another_codec_than_agreed_is_told_and_harms_nobody(
        self, kit: Kit
    ) -> None:
        other = "json" if kit.codec == "msgpack" else "msgpack"
        async with kit.node(HASTY) as node:
            peer = await node.dial(kit.transport)
            peer.stream.codec = CODECS[other]
            with anyio.fail_after(20):
                try:
                    await peer.say(f.Hello(token="v1"))
                    assert (await peer.expect(f.ErrorFrame)).code == "bad_request"
                except ConnectionClosed as closed:
                    # A status of HTTP says it where there is no session yet.
                    assert closed.reason  # noqa: PT017
            assert _refusals(kit, node) == 1
            await peer.stream.aclose()
            await _still_serves(kit, node)

    async def test_an_oversize_batch_is_refused_and_nothing_of_it_is_stored(
        self, kit: Kit
    ) -> None:
        async with kit.node() as node:
            conversation = await node.conversation()
            peer = await _welcomed(kit, node)
            size = node.node.limits.frame_bytes_max + 2_000
            told = await _told(peer, send(conversation, 1, "x" * size))
            assert told.is_refused("too_large", status=413)
            assert _refusals(kit, node) == 1
            await peer.stream.aclose()
            assert await node.store.history(conversation) == []
            await _still_serves(kit, node)

    async def test_more_frames_than_allowed_are_refused_together(
        self, kit: Kit
    ) -> None:
        async with kit.node() as node:
            conversation = await node.conversation()
            peer = await _welcomed(kit, node)
            count = node.node.limits.batch_frames_max + 1
            told = await _told(
                peer, *(send(conversation, n) for n in range(1, count + 1))
            )
            assert told.is_refused("too_large", status=413)
            assert _refusals(kit, node) == 1
            await peer.stream.aclose()
            assert await node.store.history(conversation) == []

    # -- silence -----------------------------------------------------------------------

    @pytest.mark.parametrize("way", ["up", "down"])
    async def test_a_link_dead_one_way_is_noticed_at_both_ends(
        self, kit: Kit, way: str
    ) -> None:
        async with kit.node(HASTY) as node, node.proxy(kit.transport) as proxy:
            async with node.client(kit.transport, "v1", port=proxy.port) as client:
                await client.wait_live()
                proxy.is_refusing = True
                getattr(proxy, way).is_swallowing = True
                with anyio.fail_after(5):
                    while client.is_live or node.hub.connection_count:
                        await anyio.sleep(0.02)
            await node.until_empty()

    async def test_a_quiet_link_that_works_stays_up(self, kit: Kit) -> None:
        async with (
            kit.node(HASTY) as node,
            node.client(kit.transport, "v1") as client,
        ):
            await client.wait_live()
            await anyio.sleep(5 * HASTY.heartbeat_s)
            assert client.is_live
            assert client.connect_count == 1

    async def test_nothing_is_left_of_clients_that_vanish(self, kit: Kit) -> None:
        async with kit.node(HASTY) as node, node.proxy(kit.transport) as proxy:
            conversation = await node.conversation()
            async with anyio.create_task_group() as tasks:
                for who in ("v1", "a1", "a2"):
                    client = node.client(kit.transport, who, port=proxy.port)
                    tasks.start_soon(_talk_for_ever, client, conversation)
                with anyio.fail_after(10):
                    while len(await node.store.history(conversation)) < 9:
                        await anyio.sleep(0.01)
                proxy.up.is_swallowing = proxy.down.is_swallowing = True
                proxy.is_refusing = True
                tasks.cancel_scope.cancel()
            await node.until_empty()

    # -- slow readers ------------------------------------------------------------------

    async def test_who_does_not_read_costs_little_delays_nobody_and_catches_up(
        self, kit: Kit
    ) -> None:
        async with kit.node() as node, node.proxy(kit.transport) as proxy:
            conversation = await node.conversation()
            slow = node.client(kit.transport, "a1", port=proxy.port)
            quick = node.client(kit.transport, "a2")
            async with slow, quick:
                for client in (slow, quick):
                    await client.follow(conversation)
                    await client.fetch(conversation, after=0)
                proxy.down.is_paused = True
                body = "x" * 4_000
                expected = []
                for number in range(1, 501):
                    await node.append(conversation, f"{number} {body}")
                    expected.append((number, f"{number} {body}"))
                assert await take(quick, 500) == expected
                held = [c.outbox.size_bytes for c in node.hub._connections]
                assert max(held) <= node.node.limits.outbox_bytes_max + 8_192
                proxy.down.is_paused = False
                assert await take(slow, 500) == expected


# -- scenes ------------------------------------------------------------------------


async def _welcomed(kit: Kit, node: Served, who: str = "v1") -> Peer:
    peer = await node.dial(kit.transport)
    await peer.say(f.Hello(token=who))
    await peer.expect(f.Welcome)
    return peer


async def _told(peer: Peer, *frames: f.Frame) -> Told:
    """Say something wrong; return how it was answered."""
    try:
        await peer.say(*frames)
        error = await peer.expect(f.ErrorFrame)
    except ConnectionClosed as closed:
        return Told("", closed.reason)
    return Told(error.code, "")


def _refusals(kit: Kit, node: Served) -> int:
    """Return how much was refused, by an error or before there was a session."""
    counts, name = node.hub.counts, kit.transport.name
    return sum(
        count
        for counter in (counts.errors, counts.refused)
        for (transport, _), count in counter.items()
        if transport == name
    )


async def _still_serves(kit: Kit, node: Served) -> None:
    conversation = await node.conversation("v77")
    async with node.client(kit.transport, "v77") as client:
        with anyio.fail_after(10):
            assert (await client.send(conversation, "still here")).seq == 1


async def _until_ended(raw: anyio.abc.SocketStream) -> None:
    with anyio.fail_after(10):
        try:
            while True:
                await raw.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            await anyio.aclose_forcefully(raw)


async def _talk_for_ever(client: Client, conversation: int) -> None:
    async with client:
        await client.follow(conversation)
        for number in range(3):
            await client.send(conversation, f"m{number}")
        await anyio.sleep_forever()


async def _short_exchange(kit: Kit, node: Served, proxy: Proxy, who: str) -> None:
    """Follow, catch up and send, whatever the proxy does meanwhile."""
    conversation = await node.conversation(who)
    await node.append(conversation, "s1")
    async with node.client(kit.transport, who, port=proxy.port) as client:
        with anyio.fail_after(60):
            await client.follow(conversation)
            client.send_nowait(conversation, "m1", key="k1")
            await client.send(conversation, "m2", key="k2")
        assert await take(client, 3) == [(1, "s1"), (2, "m1"), (3, "m2")]
    log = await node.store.history(conversation)
    assert [message.body for message in log] == ["s1", "m1", "m2"]


async def _move(node: Served, before: Transport, after: Transport, who: str) -> None:
    """Change the transport twice with a burst in flight."""
    conversation = await node.conversation(who)
    ports = node.ports
    async with proxy_to(ports[before.name]) as one, proxy_to(ports[after.name]) as two:
        way = Mover({before: one.port, after: two.port}, who, node.codec)
        async with way.client as client:
            await client.follow(conversation)
            for number in range(90):
                client.send_nowait(conversation, f"m{number}")
                if number in (30, 60):
                    way.turn()
                    await one.cut()
                    await two.cut()
            expected = [(n + 1, f"m{n}") for n in range(90)]
            assert await take(client, 90) == expected
    log = await node.store.history(conversation, after=Seq(0))
    assert [message.body for message in log] == [f"m{n}" for n in range(90)]
