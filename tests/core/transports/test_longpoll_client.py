"""The dialling end of long poll against answers that are lost, repeated or strange."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from kefu_core.abc.transports import DialOptions
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.transports.longpoll.client import LongPollClientStream
from kefu_core.types import ConversationId, Seq

pytestmark = pytest.mark.anyio

Answer = httpx.Response | Exception
HELLO = [JSON.encode(f.Hello(token="t"))]
ACK = f.Ack(conversation=ConversationId(1), seq=Seq(1))


def batches(*numbers: int) -> httpx.Response:
    """Answer with batches of one `head` each, whose seq is the batch's number."""
    said = [
        {"n": n, "frames": [{"t": "head", "conversation": 1, "last_seq": n}]}
        for n in numbers
    ]
    headers = {"kefu-session": "s"}
    return httpx.Response(200, json={"batches": said}, headers=headers)


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kefu_core.transports.longpoll.client._RETRY_S", (0.001, 0.002))


class Script:
    """Answers polls and requests going up from two lists; then holds for ever."""

    def __init__(self, polls: list[Answer], ups: list[Answer]) -> None:
        self.polls, self.ups = iter(polls), iter(ups)
        self.requests: list[dict[str, Any]] = []
        self.sessions: list[str | None] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.requests.append(body)
        self.sessions.append(request.headers.get("kefu-session"))
        source: Iterator[Answer] = self.polls if "poll" in body else self.ups
        answer = next(source, None)
        if answer is None:
            if "poll" not in body:
                return batches()
            await anyio.sleep_forever()
        assert answer is not None, "slept for ever"
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def dialled(script: Script) -> AsyncIterator[LongPollClientStream]:
    http = httpx.AsyncClient(transport=httpx.MockTransport(script))
    stream = LongPollClientStream(
        http, "http://kefu/kefu/poll", DialOptions(codec="json")
    )
    await stream.open()
    try:
        with anyio.fail_after(10):
            await stream.send(HELLO)
            yield stream
    finally:
        await stream.aclose()


async def seqs(stream: LongPollClientStream, count: int) -> list[int]:
    """Receive until so many heads came."""
    found: list[int] = []
    while len(found) < count:
        found += [x.last_seq for x in await stream.receive() if isinstance(x, f.Head)]
    return found


async def test_a_batch_that_comes_again_is_passed_on_once() -> None:
    script = Script([batches(1), batches(1, 2), batches(2), batches(1, 2, 3)], [])
    async with dialled(script) as stream:
        assert await seqs(stream, 3) == [1, 2, 3]
    polls = [r for r in script.requests if "poll" in r]
    assert [(r["poll"], r.get("ack", 0)) for r in polls[:5]] == [
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 3),
    ]


async def test_a_batch_after_a_hole_is_left_until_the_hole_is_filled() -> None:
    script = Script([batches(1), batches(3), batches(2, 3)], [])
    async with dialled(script) as stream:
        assert await seqs(stream, 3) == [1, 2, 3]


async def test_answers_come_with_the_reply_while_a_poll_is_held() -> None:
    script = Script([batches(1)], [batches(2)])
    async with dialled(script) as stream:
        await stream.send([JSON.encode(ACK)])
        assert await seqs(stream, 2) == [1, 2]


LOST: list[Callable[[], Answer]] = [
    lambda: httpx.ReadError("reset"),
    lambda: httpx.ReadTimeout("slow"),
    lambda: httpx.RemoteProtocolError("cut in the middle"),
    lambda: AttributeError("a socket that was gone as it came up"),
    lambda: httpx.Response(502),
    lambda: httpx.Response(503, headers={"retry-after": "0"}),
]


@pytest.mark.parametrize("lost", LOST)
async def test_a_lost_answer_is_asked_for_again_with_the_same_number(
    lost: Callable[[], Answer],
) -> None:
    script = Script([batches(1), lost(), batches(2)], [lost(), batches(3)])
    async with dialled(script) as stream:
        assert await seqs(stream, 2) == [1, 2]
        await stream.send([JSON.encode(ACK)])
        assert await seqs(stream, 1) == [3]
    numbers = [r.get("poll") for r in script.requests if "poll" in r]
    assert numbers[:3] == [1, 2, 2]
    assert [r["rid"] for r in script.requests if "rid" in r][:2] == [1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(410, json={"error": "no_session", "text": "Begin anew."}),
        httpx.Response(200, json={}, headers={"kefu-session": "another"}),
        httpx.Response(200, text="<html>", headers={"kefu-session": "s"}),
        httpx.Response(404, text="nothing here"),
    ],
)
async def test_a_session_that_is_gone_ends_the_stream(answer: httpx.Response) -> None:
    async with dialled(Script([batches(1), answer], [])) as stream:
        assert await seqs(stream, 1) == [1]
        with pytest.raises(ConnectionClosed):
            await stream.receive()
        with pytest.raises(ConnectionClosed):
            await stream.send([JSON.encode(ACK)])


async def test_a_way_up_that_is_dead_ends_the_stream_though_polls_look_healthy() -> (
    None
):
    wedged: list[Answer] = [httpx.ReadTimeout("wedged") for _ in range(4)]
    script = Script([batches(1), batches(2)], wedged)
    async with dialled(script) as stream:
        assert await seqs(stream, 2) == [1, 2]
        with pytest.raises(ConnectionClosed):
            await stream.send([JSON.encode(ACK)])
        with pytest.raises(ConnectionClosed):
            await stream.receive()
    assert [r["rid"] for r in script.requests if "rid" in r] == [1, 1, 1, 1]


async def test_an_empty_answer_is_a_sign_of_life() -> None:
    async with dialled(Script([batches(1), batches()], [])) as stream:
        assert await seqs(stream, 1) == [1]
        assert list(await stream.receive()) == []


async def test_leaving_says_goodbye_and_asks_nothing_more() -> None:
    script = Script([batches(1)], [])
    async with dialled(script) as stream:
        await seqs(stream, 1)
    assert script.requests[-1]["frames"] == [{"t": "bye"}]
    assert set(script.sessions[1:]) == {"s"}


async def test_goodbye_is_heard_also_after_a_request_that_never_arrived() -> None:
    asked = anyio.Event()
    refusal = {"error": "out_of_order", "text": "send 1", "expect": 1}

    class Lossy(Script):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content)
            if "rid" in body and body["frames"] != [{"t": "bye"}]:
                asked.set()
                await anyio.sleep_forever()  # and the server knows nothing of it
            return await super().__call__(request)

    refused = [httpx.Response(409, json=refusal) for _ in range(2)]
    script = Lossy([batches(1)], [*refused])
    async with dialled(script) as stream, anyio.create_task_group() as tasks:
        await seqs(stream, 1)
        tasks.start_soon(stream.send, [JSON.encode(ACK)])
        await asked.wait()
        tasks.cancel_scope.cancel()
    goodbyes = [r["rid"] for r in script.requests if "rid" in r]
    assert goodbyes == [2, 2, 1]
