"""The joined pair behaves as a socket does: whole, in order, until it is cut."""

import anyio
import pytest

from kefu_core.abc.streams import PeerInfo
from kefu_core.errors import ConnectionClosed
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK, BadFrame, Codec
from kefu_core.transports.memory import memory_pair

pytestmark = pytest.mark.anyio

CODECS = pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=lambda c: c.name)


@CODECS
async def test_batches_arrive_whole_and_in_order_both_ways(codec: Codec) -> None:
    client, server = memory_pair(codec)
    await client.send([codec.encode(f.Hello(token="t")), codec.encode(f.Ping())])
    await client.send([codec.encode(f.Bye())])
    assert await server.receive() == [f.Hello(token="t"), f.Ping()]
    assert await server.receive() == [f.Bye()]
    await server.send([codec.encode(f.Pong())])
    assert await client.receive() == [f.Pong()]
    client.cut()
    server.cut()


@CODECS
async def test_each_end_takes_only_what_the_other_may_say(codec: Codec) -> None:
    client, server = memory_pair(codec)
    await client.send([codec.encode(f.Pong()), codec.encode(f.Drain(within_s=1.0))])
    pong, refused = await server.receive()
    assert pong == f.Pong()
    assert isinstance(refused, BadFrame)
    assert refused.code == "unknown_frame"
    client.cut()
    server.cut()


async def test_rubbish_is_received_as_rubbish() -> None:
    client, server = memory_pair(MSGPACK)
    await client.send_bytes(b"\xc1 no frame")
    (bad,) = await server.receive()
    assert isinstance(bad, BadFrame)
    assert bad.fatal
    client.cut()
    server.cut()


async def test_a_batch_larger_than_allowed_is_not_decoded() -> None:
    client, server = memory_pair(JSON, Limits(frame_bytes_max=10))
    await client.send([JSON.encode(f.Hello(token="x" * 20))])
    (bad,) = await server.receive()
    assert isinstance(bad, BadFrame)
    assert bad.code == "too_large"
    client.cut()
    server.cut()


async def test_a_page_larger_than_a_frame_is_read_as_on_other_transports() -> None:
    limits = Limits()
    client, server = memory_pair(JSON, limits)
    page = f.Reply(id="1", result={"text": "x" * limits.page_bytes_max})
    await server.send([JSON.encode(page)])
    assert await client.receive() == [page]
    client.cut()
    server.cut()


async def test_a_reader_learns_the_code_after_the_last_batch() -> None:
    client, server = memory_pair(JSON)
    await server.send([JSON.encode(f.Closed(code=4200))])
    await server.aclose(4200, "restart")
    assert await client.receive() == [f.Closed(code=4200)]
    for _ in range(2):
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        assert closed.value.close_code == 4200
    with pytest.raises(ConnectionClosed):
        await client.send([JSON.encode(f.Ping())])
    client.cut()


async def test_a_cut_ends_a_reader_and_a_writer_that_wait() -> None:
    client, server = memory_pair(JSON, buffered_batches=0)
    ended: list[int] = []

    async def read() -> None:
        with pytest.raises(ConnectionClosed) as closed:
            await server.receive()
        ended.append(closed.value.close_code)

    async def write() -> None:
        with pytest.raises(ConnectionClosed) as closed:
            await server.send([JSON.encode(f.Pong())])
        ended.append(closed.value.close_code)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(write)
            await anyio.wait_all_tasks_blocked()
            client.cut()
    assert ended == [1006, 1006]
    server.cut()


async def test_the_first_code_counts_however_often_it_is_closed() -> None:
    client, server = memory_pair(JSON)
    await server.aclose(4201)
    await server.aclose(1000)
    client.cut()
    assert (client.close_code, server.close_code) == (4201, 4201)


async def test_a_full_wire_makes_the_writer_wait_for_the_reader() -> None:
    client, server = memory_pair(JSON, buffered_batches=1)
    await server.send([JSON.encode(f.Ping())])
    with anyio.move_on_after(0) as attempt:
        await server.send([JSON.encode(f.Pong())])
    assert attempt.cancelled_caught
    assert await client.receive() == [f.Ping()]
    await server.send([JSON.encode(f.Pong())])
    assert await client.receive() == [f.Pong()]
    client.cut()
    server.cut()


async def test_the_servers_end_knows_who_is_there() -> None:
    peer = PeerInfo(transport="memory", address="203.0.113.1", origin="https://shop")
    client, server = memory_pair(JSON, peer=peer)
    assert server.peer is peer
    assert client.peer.transport == "memory"
    client.cut()
    server.cut()


async def test_a_receive_that_was_cancelled_loses_nothing() -> None:
    client, server = memory_pair(JSON)
    with anyio.move_on_after(0):
        await server.receive()
    await client.send([JSON.encode(f.Ping())])
    assert await server.receive() == [f.Ping()]
    client.cut()
    server.cut()
