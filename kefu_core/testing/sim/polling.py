"""HTTP without sockets: the real long-poll client talks to the real application."""

from typing import TYPE_CHECKING, Any

import anyio
import httpx

from kefu_core.abc.transports import DialOptions
from kefu_core.testing.sim.chance import Chance
from kefu_core.transports.longpoll.client import LongPollClientStream

if TYPE_CHECKING:
    from kefu_core.testing.sim.world import SimNode, World


class Exchange:
    """One request as the server sees it, and its answer."""

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self.finished = anyio.Event()
        self.status = 0
        """0 while there is no answer, and for ever if none comes."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.scope = anyio.CancelScope()
        self._request_body = body
        self._asgi: dict[str, Any] = {
            "type": "http",
            "method": request.method,
            "path": request.url.path,
            "headers": [(k.lower(), v) for k, v in request.headers.raw],
            "client": ("10.0.1.1", 1),
            "scheme": "http",
        }

    async def serve(self, app: Any) -> None:
        """Let the application answer."""
        try:
            with self.scope:
                await app(dict(self._asgi), self._receive, self._send)
        finally:
            self.finished.set()

    async def _receive(self) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        return {"type": "http.request", "body": self._request_body}

    async def _send(self, event: Any) -> None:
        await anyio.lowlevel.checkpoint()
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], event["headers"]
        else:
            self.body += event["body"]


class SimHttp(httpx.AsyncBaseTransport):
    """What lies between one client and whichever node is up."""

    def __init__(self, world: "World", number: int, who: str) -> None:
        self.name = f"{who}#{number} poll"
        self._world = world
        self._chance: Chance = world.chance
        self._rng = world.chance.rng(f"http {number}")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout_s = request.extensions["timeout"]["read"]
        body = await request.aread()
        with anyio.move_on_after(timeout_s):
            exchange = await self._exchange(request, body)
            self._chance.note(f"{self.name} {exchange.status}")
            headers = exchange.headers
            return httpx.Response(
                exchange.status, headers=headers, content=exchange.body
            )
        raise httpx.ReadTimeout("no answer in time")

    async def _exchange(self, request: httpx.Request, body: bytes) -> Exchange:
        happens, rng = self._chance.happens, self._rng
        await self._travel()
        if happens("request_lost"):
            await self._lost()
        node = self._world.node
        if node is None or not node.is_up:
            raise httpx.ConnectError("nobody listens")
        exchange = self._begin(node, request, body)
        if happens("request_doubled"):
            await anyio.sleep(rng.uniform(0.0, 0.5))
            if node.is_up:
                twin = self._begin(node, request, body)
                exchange = rng.choice((exchange, twin))
        if happens("request_aborted"):
            await anyio.sleep(rng.uniform(0.0, 0.4))
            exchange.scope.cancel()
        await exchange.finished.wait()
        if not exchange.status:
            raise httpx.ReadError("the connection ended without an answer")
        if happens("answer_lost", 0.15):
            await self._lost()
        if happens("answer_slow", 0.05):
            await anyio.sleep(rng.uniform(5.0, 40.0))
        await self._travel()
        return exchange

    def _begin(self, node: "SimNode", request: httpx.Request, body: bytes) -> Exchange:
        exchange = Exchange(request, body)
        node.begin(exchange)
        return exchange

    async def _travel(self) -> None:
        await anyio.sleep(self._rng.uniform(0.001, 0.05))
        while (left_s := self._world.clogged_until - self._world.now()) > 0:
            await anyio.sleep(left_s)

    async def _lost(self) -> None:
        """Fail as networks fail: at once, or by silence."""
        if self._rng.random() < 0.5:
            await anyio.sleep_forever()
        await anyio.sleep(self._rng.uniform(0.0, 2.0))
        raise httpx.ReadError("the connection was reset")


async def open_poll(
    world: "World", number: int, who: str, options: DialOptions
) -> LongPollClientStream:
    """Return the real client's stream over a simulated way."""
    http = httpx.AsyncClient(transport=SimHttp(world, number, who), trust_env=False)
    stream = LongPollClientStream(http, "http://kefu.sim/kefu/poll", options)
    stream._rng = world.chance.rng(f"poll {number}")  # type: ignore[assignment]
    await stream.open()
    return stream
