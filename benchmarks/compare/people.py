"""People who talk, whatever the target's protocol is."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, ClassVar, Protocol

from benchmarks.compare.wire import Wire, open_wire

now = time.monotonic
ANSWER_S = 60.0
BACK_S = 60.0
"""How long who was cut off tries to come back."""
AWAY_S = (0.5, 1.5)
"""How long who was cut off stays away: Socket.IO's own delay, for everybody alike."""


class Told(Protocol):
    """What is told of people: the load notes it."""

    errors: Counter[str]
    rng: Random

    def acknowledged(self, key: str) -> None:
        """The server said that it has a message."""

    def shown(self, person: "Person", key: str) -> None:
        """A message of the other side was displayed."""

    def ended(self, person: "Person") -> None:
        """The server ended a live connection; nobody asked it to."""


class Person(ABC):
    """One participant, over one connection after another."""

    subprotocol: ClassVar[str] = ""

    def __init__(
        self, told: Told, url: str, name: str, secret: str, address: str, *, keeps: bool
    ) -> None:
        """Prepare; `connect` connects.

        Args:
            told: Who notes what happens.
            url: Where to connect.
            name: An agent's name begins with `a`, a visitor's with `v`.
            secret: A token or password, where the target knows such.
            address: To connect from.
            keeps: Uses what the target has for those who were away.
        """
        self.told = told
        self.url = url
        self.name = name
        self.secret = secret
        self.address = address
        self.keeps = keeps
        self.wire: Wire | None = None
        self.is_live = False
        self.rooms: list[Any] = []
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._early: dict[str, Any] = {}
        """What the server said before anybody waited for it."""

    async def connect(self) -> None:
        """Connect, say who this is, and come back to the rooms there were."""
        self._early.clear()
        self.wire = await open_wire(
            self.url,
            self.received,
            self._ended,
            subprotocol=self.subprotocol,
            local_host=self.address,
        )
        async with asyncio.timeout(ANSWER_S):
            await self.enter()
        self.is_live = True

    @abstractmethod
    async def enter(self) -> None:
        """Say who this is over the new connection, and come back to the rooms."""

    @abstractmethod
    async def meet(self, agent: "Person", number: int) -> None:
        """Open the conversation of this visitor with an agent; both then follow it."""

    @abstractmethod
    def say(self, room: Any, key: str, text: str) -> None:
        """Send a message, whose text ends in `#` and its key."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Take one message of the WebSocket."""

    def tick(self) -> None:  # noqa: B027  # Most have nothing that is due.
        """Do what is due, some times a second."""

    def cut(self, *, is_told: bool) -> Wire | None:
        """Lose the connection at once, by a reset or without a word."""
        wire, self.wire = self.wire, None
        self.is_live = False
        if wire is not None and is_told:
            wire.reset()
        elif wire is not None:
            wire.forsake()
        return wire

    async def come_back(self) -> None:
        """Be away for a moment, then connect again, and again where that fails."""
        give_up_at = now() + BACK_S
        while not self.is_live and now() < give_up_at:
            self.cut(is_told=True)
            await asyncio.sleep(self.told.rng.uniform(*AWAY_S))
            try:
                await self.connect()
            except Exception as error:
                self.told.errors[f"not back: {type(error).__name__}: {error}"] += 1

    def _ended(self) -> None:
        was_live, self.is_live = self.is_live, False
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ConnectionError("ended by the server"))
        if was_live:
            self.told.ended(self)

    async def answer_to(self, name: str, ask: Callable[[], None]) -> Any:
        """Ask, and wait until `answered` is called with this name."""
        if name in self._early:
            return self._early.pop(name)
        future = asyncio.get_running_loop().create_future()
        self._answers[name] = future
        try:
            ask()
            async with asyncio.timeout(ANSWER_S):
                return await future
        finally:
            self._answers.pop(name, None)

    def answered(self, name: str, value: Any, *, may_be_early: bool = False) -> bool:
        """Hand an answer to who waits for it; whether anybody does."""
        future = self._answers.get(name)
        if future is None or future.done():
            if may_be_early:
                self._early[name] = value
            return False
        future.set_result(value)
        return True
