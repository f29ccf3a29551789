"""The node, the ways to it, and what befalls them."""

import random
from collections.abc import Sequence
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from kefu_core.abc.handler import Handler
from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.abc.transports import DialOptions, ServerContext
from kefu_core.desk.inbox import TOPIC, Inbox
from kefu_core.errors import (
    ConnectionClosed,
    NotAllowed,
    NotFound,
    RemoteProtocolError,
    StoreUnavailable,
)
from kefu_core.hub import Hub
from kefu_core.model import (
    INTERNAL_KINDS,
    Conversation,
    Draft,
    Principal,
    Role,
)
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import CODECS, server_frame_decoder
from kefu_core.protocol.framing import PREFACE_BYTES, parse_preface, preface
from kefu_core.testing.sim.chance import Chance
from kefu_core.testing.sim.disk import Disk, SimStore, wide_limits
from kefu_core.testing.sim.loop import SimLoop
from kefu_core.testing.sim.network import Link, SimListener
from kefu_core.testing.sim.polling import Exchange, open_poll
from kefu_core.transports.longpoll import LongPollApp
from kefu_core.transports.reading import READ_BATCH_BYTES_MAX, for_reading
from kefu_core.transports.tcp.server import TcpEndpoint
from kefu_core.transports.tcp.stream import TcpStream
from kefu_core.types import ConversationId, ParticipantId

_CANNOT_OPEN = (
    TimeoutError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    RemoteProtocolError,
)
_DIAL_TIMEOUT_S = 10.0


class SimHandler(Handler):
    """Tokens are participants; visitors read their own conversations, agents all."""

    def __init__(self, store: SimStore, chance: Chance) -> None:
        self._store, self._chance = store, chance

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        rng = self._chance.rng("handler")
        slow = self._chance.happens("hello_slow", 0.3)
        await anyio.sleep(rng.uniform(0.5, 8.0) if slow else rng.uniform(0.0, 0.01))
        if self._chance.happens("hello_fails", 0.2):
            raise StoreUnavailable
        is_agent = token.startswith("a")
        return Principal(
            participant=ParticipantId(token),
            role=Role.AGENT if is_agent else Role.VISITOR,
            site_id=0 if is_agent else 1,
        )

    async def revalidate(self, principal: Principal) -> bool:
        return True

    async def load_conversation(
        self, principal: Principal, conversation: ConversationId
    ) -> Conversation:
        row = await self._store.find_conversation(conversation)
        if row is None or not (
            principal.is_agent or row.visitor == principal.participant
        ):
            raise NotFound
        return row

    def draft(
        self, principal: Principal, conversation: Conversation, send: f.Send
    ) -> Draft:
        if send.kind in INTERNAL_KINDS and not principal.is_agent:
            raise NotAllowed
        return Draft(
            conversation=conversation.id,
            sender=principal.participant,
            key=send.key,
            kind=send.kind,
            body=send.body,
        )

    async def conversations(self, principal: Principal) -> Sequence[Conversation]:
        if principal.is_agent:
            return []
        return await self._store.conversations_of_visitor(principal.participant)

    async def call(
        self, principal: Principal, method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        return {"method": method, **params}

    def may_watch(self, principal: Principal, topic: str) -> bool:
        return principal.is_agent and topic == TOPIC


class SimNode:
    """One process from its start to its end."""

    def __init__(self, world: "World") -> None:
        chance = world.chance
        self.is_up = False
        self.store = SimStore(
            world.disk, chance, world.limits, world.now, world.unix_ms
        )
        self.hub = Hub(
            self.store,
            SimHandler(self.store, chance),
            world.limits,
            now=world.now,
            now_ms=world.unix_ms,
            rng=chance.rng("hub"),
        )
        context = ServerContext(
            server=self.hub,
            limits=world.limits,
            now=world.now,
            rng=chance.rng("endpoints"),
        )
        self.listener = SimListener()
        self._inbox = Inbox(self.store, world.limits, self.hub.lists.topic(TOPIC))
        self.links: list[Link] = []
        self.ended = anyio.Event()
        self._chance = chance
        self._tcp = TcpEndpoint(context)
        self._poll = LongPollApp(context)
        self._exchanges: list[Exchange] = []
        self._tasks: TaskGroup | None = None
        self._scope = anyio.CancelScope()
        self._stop = anyio.Event()

    async def run(
        self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until the process ends."""
        try:
            with self._scope:
                await self._serve(task_status)
        finally:
            self.is_up = False
            self.ended.set()
        self._check_left()

    async def _serve(self, task_status: TaskStatus[None]) -> None:
        async with self.store, anyio.create_task_group() as tasks:
            await tasks.start(self.hub.run)
            self.hub.observers.append(self._inbox)
            await self._inbox.load()
            tasks.start_soon(self._inbox.run)
            async with self._poll:
                self._tasks = tasks
                tasks.start_soon(self._tcp.serve, self.listener)  # type: ignore[arg-type]
                self.is_up = True
                task_status.started()
                try:
                    await self._stop.wait()
                    await self.hub.drain()
                finally:
                    self.is_up = False
            tasks.cancel_scope.cancel()

    def stop(self) -> None:
        """Leave gracefully."""
        self._stop.set()

    def die(self, *, silently: bool) -> None:
        """End now: nothing more comes out of this process."""
        self.is_up = False
        self.store.appender.is_dead = True
        for link in self.links:
            if silently:
                link.vanish()
            else:
                link.cut()
        for exchange in self._exchanges:
            if not exchange.finished.is_set():
                exchange.status = 0
                exchange.finished.set()
        self._scope.cancel()

    def begin(self, exchange: Exchange) -> None:
        """Serve a request."""
        assert self._tasks is not None, "a request before the start"
        self._exchanges = [e for e in self._exchanges if not e.finished.is_set()]
        self._exchanges.append(exchange)
        self._tasks.start_soon(exchange.serve, self._poll)

    def _check_left(self) -> None:
        """What a node that ended must not hold any more."""
        hub = self.hub
        if hub.connection_count or hub.hello_pending:
            self._chance.violated("an ended node holds connections")
        if any(hub.is_followed(c) for c in self.store._rows):
            self._chance.violated("an ended node holds followers")


class World:
    """Everything outside of the clients."""

    def __init__(self, chance: Chance, loop: SimLoop, tasks: TaskGroup) -> None:
        self.chance, self.loop = chance, loop
        self.limits = wide_limits(chance)
        self.disk = Disk()
        self.node: SimNode | None = None
        self.clogged_until = 0.0
        """Requests stand still until then."""
        self.links: list[Link] = []
        self._tasks = tasks
        self._wall_ms = 1_700_000_000_000
        self._numbers = 0

    def now(self) -> float:
        """Return monotonic seconds."""
        self.chance.moment = self.loop.time()
        return self.chance.moment

    def unix_ms(self) -> int:
        """Return the wall clock, which may jump."""
        return self._wall_ms + int(self.loop.time() * 1000)

    def jump(self, seconds: float) -> None:
        """Move the wall clock."""
        self._wall_ms += int(seconds * 1000)

    async def start_node(self) -> None:
        """Start a process on the disk."""
        node = SimNode(self)
        await self._tasks.start(node.run)
        self.node = node
        self.chance.note(f"node up, {self.disk.epoch}")

    # -- clients -----------------------------------------------------------------------

    async def dial(self, who: str, way: str, codec: str) -> FrameStream:
        """Open a stream to whichever node is up. Raises `ConnectionClosed`."""
        rng = self.chance.rng("dial")
        self._numbers += 1
        number = self._numbers
        slow = self.chance.happens("dial_slow", 0.2)
        await anyio.sleep(rng.uniform(1.0, 9.0) if slow else rng.uniform(0.001, 0.1))
        if self.chance.happens("dial_fails", 0.3):
            raise ConnectionClosed(1006, "no route")
        if way == "longpoll":
            return await open_poll(self, number, who, DialOptions(codec=codec))
        node = self.node
        if node is None or not node.is_up:
            raise ConnectionClosed(1006, "nobody listens")
        link = Link(self.chance, number, who)
        self.links = [x for x in self.links if not x.down.is_broken][-20:]
        self.links.append(link)
        node.links.append(link)
        node.listener.connect(link)
        return await _open_tcp(link, codec)


async def _open_tcp(link: Link, codec_name: str) -> TcpStream:
    codec = CODECS[codec_name]
    stream = link.client
    try:
        with anyio.fail_after(_DIAL_TIMEOUT_S):
            await stream.send(preface(codec))
            data = b""
            while len(data) < PREFACE_BYTES:
                data += await stream.receive(PREFACE_BYTES - len(data))
            if parse_preface(data) is not codec:
                raise RemoteProtocolError("The server chose another codec.")
    except _CANNOT_OPEN as error:
        await stream.aclose()
        raise ConnectionClosed(1006, str(error) or type(error).__name__) from error
    options = DialOptions(codec=codec_name)
    decoder = server_frame_decoder(codec, for_reading(options.limits))
    peer = PeerInfo(transport="tcp")
    return TcpStream(stream, codec, decoder, peer, READ_BATCH_BYTES_MAX)  # type: ignore[arg-type]


class Weather:
    """Befalls the world at random moments."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world, self._rng = world, rng
        self._chance = world.chance

    async def blow(self) -> None:
        """Go on until cancelled."""
        while True:
            await anyio.sleep(self._rng.uniform(0.1, 2.0))
            self._world.now()
            self._links()
            await self._swizzle()
            self._store()
            await self._process()

    def _links(self) -> None:
        happens, rng = self._chance.happens, self._rng
        for link in self._world.links:
            if link.down.is_broken:
                continue
            if happens("cut_now", 0.05):
                link.cut()
            if happens("half_open_up", 0.03):
                link.up.is_hole = True
            if happens("half_open_down", 0.03):
                link.down.is_hole = True
            if happens("stall", 0.1):
                link.down.window = rng.choice((200, 1000))
                link.down.clog(rng.uniform(1.0, 12.0))

    async def _swizzle(self) -> None:
        if not self._chance.happens("swizzle_clog", 0.05):
            return
        wires = [wire for link in self._world.links for wire in link.wires]
        self._world.clogged_until = self._world.now() + self._rng.uniform(1.0, 8.0)
        self._rng.shuffle(wires)
        for wire in wires:
            wire.clog(1000.0)
            await anyio.sleep(self._rng.uniform(0.0, 1.0))
        self._rng.shuffle(wires)
        for wire in wires:
            wire.free()
            await anyio.sleep(self._rng.uniform(0.0, 1.0))

    def _store(self) -> None:
        happens, world = self._chance.happens, self._world
        if happens("store_away", 0.15) and world.node is not None:
            appender = world.node.store.appender
            appender.away_until = world.now() + self._rng.uniform(0.5, 9.0)
        if happens("clock_jump", 0.1):
            world.jump(self._rng.choice((-86_400, -10, 3_600)))
        if self._rng.random() < 0.1:
            world.disk.back_up()

    async def _process(self) -> None:
        happens, world = self._chance.happens, self._world
        node = world.node
        assert node is not None, "the weather blows after the start"
        if happens("crash", 0.06):
            node.die(silently=False)
        elif happens("crash_silent", 0.04):
            node.die(silently=True)
        elif happens("drain", 0.05):
            node.stop()
        elif happens("restore", 0.05):
            node.die(silently=False)
            world.disk.restore()
        elif happens("copy", 0.04):
            node.die(silently=False)
            world.disk.renew()
        else:
            return
        await self.bring_back()

    async def bring_back(self) -> None:
        """Start another process where the last one is gone or going."""
        world = self._world
        assert world.node is not None, "there was none before"
        with anyio.CancelScope(shield=True):
            await world.node.ended.wait()
            await anyio.sleep(self._rng.uniform(0.05, 3.0))
            await world.start_node()
