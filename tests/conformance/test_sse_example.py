"""The example of a fourth transport passes the contract unchanged."""

import base64
from collections.abc import MutableMapping
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from examples.sse_transport import SseTransport
from kefu_core.abc.transports import Transport
from kefu_core.limits import Limits
from kefu_core.node import Node, monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.protocol.longpoll import PollRequest
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.serving import OpenHandler, OpenStore, ServeAsgi
from kefu_core.testing.transports import TransportContract
from kefu_core.transports.registry import find_transport
from tests.conformance.conftest import serve_by_hypercorn


@pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")
# On trio, httpx leaves its own generators of what was not read to its end.
@pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")
class TestServerSentEvents(TransportContract):
    @pytest.fixture(params=["asyncio-memory", "trio-memory"])
    def world(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def transport(self) -> Transport:
        return SseTransport()

    @pytest.fixture
    def neighbours(self) -> list[Transport]:
        return [find_transport("websocket")]

    @pytest.fixture
    def open_store(self, world_store: OpenStore) -> OpenStore:
        return world_store

    @pytest.fixture
    def serve_asgi(self) -> ServeAsgi:
        return serve_by_hypercorn

    @pytest.fixture
    def share(self) -> tuple[int, int]:
        return 0, 40


def post(rid: int, *frames: f.Frame) -> bytes:
    said = [msgspec.Raw(msgspec.json.encode(frame)) for frame in frames]
    return msgspec.json.encode(PollRequest(rid=rid, frames=said))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_what_goes_up_twice_counts_once(anyio_backend: str) -> None:
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    node = Node(store, OpenHandler(store), Limits(), transports=[SseTransport()])
    kind = {"content-type": "application/json"}
    hello = msgspec.json.encode(
        PollRequest(hello=msgspec.Raw(msgspec.json.encode(f.Hello(token="v1"))))
    )
    heard, has_welcome, has_pong = b"", anyio.Event(), anyio.Event()

    async def listen(message: MutableMapping[str, Any]) -> None:
        nonlocal heard
        for line in message.get("body", b"").split(b"\n"):
            if line.startswith(b"data: "):
                heard += base64.b64decode(line[6:])
        if b"welcome" in heard:
            has_welcome.set()
        if b"pong" in heard and b'"reply"' in heard:
            has_pong.set()

    async def nothing() -> dict[str, Any]:
        raise AssertionError("nobody reads the body of a GET")

    with anyio.fail_after(20):
        async with (
            node,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=node.asgi("sse")),
                base_url="http://sse",
                headers=kind,
            ) as http,
            anyio.create_task_group() as tasks,
        ):
            opened = await http.post("/", content=hello)
            session = {"kefu-session": opened.headers["kefu-session"]}
            headers = [(k.encode(), v.encode()) for k, v in session.items()]
            scope = {"type": "http", "method": "GET", "headers": headers}
            tasks.start_soon(node.asgi("sse"), scope, nothing, listen)
            await has_welcome.wait()
            asked = post(1, f.Call(id="c1", method="twice?"))
            for body in (asked, asked, post(2, f.Ping())):
                answer = await http.post("/", content=body, headers=session)
                assert answer.status_code == 200
            await has_pong.wait()
            skipped = await http.post("/", content=post(4), headers=session)
            assert (skipped.status_code, skipped.json()["expect"]) == (409, 3)
            tasks.cancel_scope.cancel()
    assert heard.count(b'"reply"') == 1
