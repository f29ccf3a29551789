"""A real server, and people whose clients note all that they do and see."""

import json
import os
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import anyio

from benchmarks.history import History, Reader, Record, Row, What, body_hash
from benchmarks.judge import Verdict, judge
from benchmarks.rows import load_rows
from benchmarks.target import RAISED_LIMITS
from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import (
    AsgiEndpoint,
    DialOptions,
    ServerContext,
    SocketEndpoint,
    Transport,
)
from kefu_core.client import Client, ConnectionChanged
from kefu_core.protocol.frames import MessageFrame, Sent
from kefu_core.testing.proxy import Proxy
from kefu_core.transports.registry import find_transport
from kefu_server import accounts
from kefu_server.settings import load_settings
from tests.server.process import LOGIN, PASSWORD, ServerProcess, environment

TRANSPORTS = ("websocket", "longpoll", "tcp")
LOOK_S = 0.02


class Server(ServerProcess):
    """`kefu serve` with a site, a TCP listener, and tokens for anybody."""

    def __init__(
        self,
        folder: Path,
        *,
        proxies: str = "",
        environ: dict[str, str] | None = None,
        **limits: float,
    ) -> None:
        more = {f"KEFU_LIMITS_{name.upper()}": f"{v}" for name, v in limits.items()}
        more |= {"KEFU_TCP_BIND": "127.0.0.1:0", "KEFU_TRUSTED_PROXIES": proxies}
        super().__init__(folder, **(RAISED_LIMITS | more | (environ or {})))
        self.settings = load_settings(environ=environment(folder, **self._more))

    def __enter__(self) -> Self:
        super().__enter__()
        self.site = accounts.add_site(self.settings, "Shop", [self.url], "en")
        self.tcp_port = int(self.log.partition("tcp=tcp://127.0.0.1:")[2].split()[0])
        self.agent_token = self.log_in()
        # The pipe is read to its end, or a full one would stop the server.
        assert self.process.stderr is not None
        pipe = os.dup(self.process.stderr.fileno())
        threading.Thread(target=self._keep_log, args=(pipe,), daemon=True).start()
        return self

    def _keep_log(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as lines:
            for line in lines:
                self.log += line.decode(errors="replace")

    def until_logged(self, text: str) -> None:
        """Wait for something to be said in the log."""
        give_up_at = time.monotonic() + 10
        while text not in self.log:
            assert time.monotonic() < give_up_at, f"{text!r} is not in {self.log}"
            time.sleep(LOOK_S)

    def visitor(self) -> str:
        """Return a new visitor's token."""
        answer = self._post("/api/visitor/token", site=self.site.embed_key, token=None)
        return str(json.load(answer)["token"])

    def log_in(self, login: str = LOGIN) -> str:
        """Log in, and return what the cookie holds."""
        answer = self._post("/api/agent/login", login=login, password=PASSWORD)
        cookie = answer.headers["Set-Cookie"]
        return str(cookie.partition("=")[2].partition(";")[0])

    def add_agent(self, login: str) -> str:
        """Create one more account, and log in."""
        accounts.add_agent(self.settings, login, login, PASSWORD, is_admin=False)
        return self.log_in(login)

    def _post(self, path: str, **body: object) -> "urllib.request._UrlopenRet":
        headers = {"Content-Type": "application/json", "Origin": self.url}
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        return urllib.request.urlopen(request, timeout=15)

    def judge(self, history: History, conversation: int) -> Verdict:
        """Compare what people noted about a conversation with the database."""
        rows = [
            row
            for row in load_rows(self.settings.database)
            if row.conversation == conversation
        ]
        return judge(history.records, rows)


class Way(Transport):
    """Carries a client by whichever transport is chosen at the moment."""

    name = "way"
    schemes = ("http", "https")
    path = "/"

    def __init__(self, ports: dict[str, int], current: str) -> None:
        self.ports = ports
        self.current = current
        self.streams: list[FrameStream] = []

    def endpoint(self, context: ServerContext) -> AsgiEndpoint | SocketEndpoint:
        raise NotImplementedError("only dials")

    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        at = f"127.0.0.1:{self.ports[self.current]}"
        urls = {
            "websocket": f"ws://{at}/kefu/ws",
            "longpoll": f"http://{at}/kefu/poll",
            "tcp": f"tcp://{at}",
        }
        transport = find_transport(self.current)
        stream = await transport.connect(urls[self.current], options)
        self.streams.append(stream)
        return stream


class Person:
    """One client: an outbox and a display, both on record."""

    def __init__(self, story: "Story", name: str, client: Client) -> None:
        self.name = name
        self.client = client
        self.down_count = 0
        """How often the connection was lost."""
        self.waiting: set[str] = set()
        self.seen = 0
        """The seq shown last."""
        self.reader = Reader(story.history, name)
        self._story = story
        self._count = 0
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        async with self.client:
            async for event in self.client.events():
                if isinstance(event, MessageFrame):
                    self._shown(event)
                elif isinstance(event, Sent):
                    self._stored(event.key, event.seq)
                elif isinstance(event, ConnectionChanged) and not event.is_live:
                    self.down_count += 1

    def say(self, size: int = 20) -> None:
        """Send the next message."""
        self._count += 1
        key = f"{self.name}.{self._count}"
        body = f"{key} ".ljust(size, "茶")
        self._note(What.INVOKE, key, sender=self.client.me, body=body_hash(body))
        self.waiting.add(key)
        self.client.send_nowait(self._story.conversation, body, key=key)

    async def talk(self, count: int, per_s: float, size: int = 20) -> None:
        """Send so many at a pace, whatever becomes of them."""
        for _ in range(count):
            self.say(size)
            await anyio.sleep(1 / per_s)

    async def until_connected(self) -> None:
        while not self.client.is_live:
            await anyio.sleep(LOOK_S)

    def _shown(self, frame: MessageFrame) -> None:
        row = Row(
            conversation=frame.conversation,
            seq=frame.seq,
            sender=frame.sender,
            key=frame.key or "",
            kind=frame.kind,
            body=frame.body,
        )
        self.reader.shown(row, self._story.now())
        self.seen = frame.seq
        if frame.key is not None:
            self._stored(frame.key, frame.seq)

    def _stored(self, key: str, seq: int) -> None:
        if self._told.get(key) == seq or not key.startswith(f"{self.name}."):
            return
        self._told[key] = seq
        self.waiting.discard(key)
        self._note(What.OK, key, seq=seq)

    def _note(self, what: What, key: str, **more: Any) -> None:
        self._story.history.add(
            Record(
                what=what,
                at=self._story.now(),
                process=self.name,
                conversation=self._story.conversation,
                key=key,
                **more,
            )
        )


class Story:
    """One conversation, and everybody who takes part."""

    def __init__(self, server: Server, now: Callable[[], float]) -> None:
        self.server = server
        self.now = now
        self.history = History()
        self.people: list[Person] = []
        self.conversation = 0

    def person(
        self, name: str, token: str, transport: Transport | str, url: str = ""
    ) -> Person:
        """Return one more; `run` of it is to be started."""
        client = Client(
            url or self.server.url, token=token, transport=transport, name=name
        )
        person = Person(self, name, client)
        self.people.append(person)
        return person

    async def begin(self, visitor: Person, *agents: Person) -> None:
        """Open the visitor's conversation, taken by the first agent."""
        await visitor.client.wait_live()
        self.conversation = await visitor.client.open_conversation()
        for number, agent in enumerate(agents):
            await agent.client.wait_live()
            if number == 0:
                params = {"conversation": self.conversation}
                await agent.client.call("conversation.take", params)
        for person in self.people:
            await person.client.follow(self.conversation)

    @property
    def is_complete(self) -> bool:
        """Whether every send is answered and everybody is shown everything."""
        last = max(person.seen for person in self.people)
        return all(p.seen == last and not p.waiting for p in self.people)

    async def until_complete(self) -> None:
        while not self.is_complete:
            await anyio.sleep(LOOK_S)

    async def end(self) -> Verdict:
        """Let the judge look, after everything has come to rest."""
        for person in self.people:
            person.reader.left(self.now())
        return await anyio.to_thread.run_sync(
            self.server.judge, self.history, self.conversation
        )


@asynccontextmanager
async def running(story: Story) -> AsyncIterator[None]:
    """Keep everybody connected inside the block."""
    async with anyio.create_task_group() as tasks:
        for person in story.people:
            tasks.start_soon(person.run)
        yield
        tasks.cancel_scope.cancel()


def ports_of(server: Server) -> dict[str, int]:
    """Return where each transport listens."""
    return dict.fromkeys(("websocket", "longpoll"), server.port) | {
        "tcp": server.tcp_port
    }


def proxied(http: Proxy, tcp: Proxy) -> dict[str, int]:
    """Return where each transport listens, behind proxies."""
    return dict.fromkeys(("websocket", "longpoll"), http.port) | {"tcp": tcp.port}
