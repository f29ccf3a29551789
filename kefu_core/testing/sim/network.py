"""Connections whose bytes take time, stop, get lost, and end at any byte."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketAttribute

from kefu_core.testing.sim.chance import Chance

_WINDOW_BYTES = 65_536


class Wire:
    """Bytes in one direction, in order."""

    def __init__(self, chance: Chance, rng: random.Random, name: str) -> None:
        self.name = name
        self.latency = (0.001, 0.05)
        self.is_bytewise = False
        self.is_hole = False
        """Swallows everything, its end as well."""
        self.window = _WINDOW_BYTES
        self.bytes_left: int | None = None
        """What still passes before the connection breaks."""
        self.on_break: Callable[[], None] = lambda: None
        self.waiting: deque[bytes] = deque()
        """Arrived and not read."""
        self.has_ended = False
        self.is_broken = False
        self.arrived = anyio.Event()
        self.left = anyio.Event()
        self._chance, self._rng = chance, rng
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[tuple[float, bytes]] = deque()
        """(when, bytes); empty bytes are the end."""
        self._last_at = 0.0
        self._clogged_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        """Whether a writer waits."""
        size = sum(len(data) for _, data in self._under_way)
        return size + sum(map(len, self.waiting)) >= self.window

    def write(self, data: bytes) -> None:
        """Send bytes on their way; empty ones are the end."""
        if self.is_broken:
            return
        for part in self._parts(data):
            at = self._loop.time() + self._rng.uniform(*self.latency)
            self._last_at = max(self._last_at, at)
            self._under_way.append((self._last_at, part))
        self._arm()

    def clog(self, seconds: float) -> None:
        """Let nothing arrive for a while."""
        self._clogged_until = max(self._clogged_until, self._loop.time() + seconds)

    def free(self) -> None:
        """End a clog."""
        self._clogged_until = 0.0
        self._arm()

    def break_off(self) -> None:
        """Lose what is under way; the reader's next read fails."""
        self.is_broken = True
        self._under_way.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.arrived.set()
        self.left.set()

    def _parts(self, data: bytes) -> list[bytes]:
        if not self.is_bytewise or len(data) < 2:
            return [data]
        at, parts = 0, []
        while at < len(data):
            step = self._rng.choice((1, 1, 2, 7, 150))
            parts.append(data[at : at + step])
            at += step
        return parts

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._under_way:
            at = max(self._under_way[0][0], self._clogged_until)
            self._timer = self._loop.call_at(at, self._arrive)

    def _arrive(self) -> None:
        now = self._loop.time()
        self._chance.moment = now
        if now < self._clogged_until:
            self._arm()
            return
        while self._under_way and self._under_way[0][0] <= now:
            _, data = self._under_way.popleft()
            if self.is_hole:
                continue
            if self.bytes_left is not None and len(data) >= self.bytes_left:
                self._put(data[: self.bytes_left])
                self.on_break()
                return
            if self.bytes_left is not None:
                self.bytes_left -= len(data)
            if data:
                self._put(data)
            else:
                self.has_ended = True
        self.arrived.set()
        self._arm()

    def _put(self, data: bytes) -> None:
        if data:
            self._chance.note(f"{self.name} {len(data)}")
            self.waiting.append(data)


class SimSocket(ByteStream):
    """One end of a connection."""

    def __init__(self, incoming: Wire, outgoing: Wire, address: str) -> None:
        self._in, self._out = incoming, outgoing
        self._address = address
        self._is_closed = self._said_end = False

    @property
    def extra_attributes(self) -> Any:
        """Where the peer is."""
        return {SocketAttribute.remote_address: lambda: (self._address, 1)}

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        wire = self._in
        await anyio.lowlevel.checkpoint()
        while not wire.waiting:
            if self._is_closed:
                raise anyio.ClosedResourceError
            if wire.is_broken:
                raise anyio.BrokenResourceError
            if wire.has_ended:
                raise anyio.EndOfStream
            wire.arrived = anyio.Event()
            await wire.arrived.wait()
        data = wire.waiting.popleft()
        if len(data) > max_bytes:
            wire.waiting.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        wire.left.set()
        return data

    async def send(self, item: bytes) -> None:
        wire = self._out
        await anyio.lowlevel.checkpoint()
        while wire.is_full and not wire.is_broken and not self._is_closed:
            wire.left = anyio.Event()
            await wire.left.wait()
        if self._is_closed:
            raise anyio.ClosedResourceError
        if wire.is_broken:
            raise anyio.BrokenResourceError
        wire.write(item)

    async def send_eof(self) -> None:
        self._end()
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self._end()
        self._is_closed = True
        self._in.waiting.clear()
        self._in.arrived.set()
        self._out.left.set()
        await anyio.lowlevel.checkpoint()

    def _end(self) -> None:
        if not self._said_end:
            self._said_end = True
            self._out.write(b"")


class Link:
    """A connection: two wires, and what befalls them."""

    def __init__(self, chance: Chance, number: int, who: str) -> None:
        rng = self._rng = chance.rng(f"link {number}")
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self.name = f"{who}#{number}"
        self.up = Wire(chance, rng, f"{self.name} up")
        self.down = Wire(chance, rng, f"{self.name} down")
        address = f"10.0.0.{number % 250}"
        self.client = SimSocket(self.down, self.up, "10.9.9.9")
        self.server = SimSocket(self.up, self.down, address)
        for wire in (self.up, self.down):
            wire.on_break = self.cut
        self._befall()

    def _befall(self) -> None:
        happens, rng = self._chance.happens, self._rng
        if happens("link_slow", 0.2):
            self.up.latency = self.down.latency = (0.2, rng.uniform(0.5, 4.0))
        if happens("late_bytes", 0.2):
            self.up.latency = (1.0, rng.uniform(2.0, 15.0))
        if happens("link_bytewise", 0.3):
            self.up.is_bytewise = self.down.is_bytewise = True
        if happens("cut_at_byte", 0.5):
            wire = rng.choice((self.up, self.down))
            wire.bytes_left = rng.randint(1, rng.choice((60, 400, 3000)))

    def cut(self) -> None:
        """Break both directions; each side learns of it at its own time."""
        for wire in (self.up, self.down):
            delay_s = self._rng.uniform(0.0, 0.1)
            if self._chance.happens("end_unnoticed", 0.5):
                delay_s = self._rng.uniform(1.0, 40.0)
            wire.is_hole = True
            self._loop.call_later(delay_s, wire.break_off)
        self._chance.note(f"{self.name} cut")

    def vanish(self) -> None:
        """Be gone without telling the client."""
        self.up.is_hole = self.down.is_hole = True
        self.up.break_off()

    @property
    def wires(self) -> tuple[Wire, Wire]:
        """Both directions."""
        return self.up, self.down


class SimListener:
    """Where a node accepts."""

    def __init__(self) -> None:
        self._links: deque[SimSocket] = deque()
        self._wake = anyio.Event()

    def connect(self, link: Link) -> None:
        """Bring a connection to the node."""
        self._links.append(link.server)
        self._wake.set()

    async def accept(self) -> SimSocket:
        """Return the next connection."""
        while not self._links:
            self._wake = anyio.Event()
            await self._wake.wait()
        return self._links.popleft()
