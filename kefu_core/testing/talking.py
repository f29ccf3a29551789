"""What suites say and take, over any transport."""

import itertools
from collections.abc import Mapping

import anyio
import msgspec

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions, Transport
from kefu_core.client import Client
from kefu_core.protocol import frames as f
from kefu_core.testing.serving import Eager, url_of
from kefu_core.types import ConversationId


class Told(msgspec.Struct, frozen=True):
    """How something wrong was answered."""

    code: str
    """The code of the `error` frame; empty where the connection ended."""
    reason: str

    def is_refused(self, code: str, *, status: int) -> bool:
        """Whether this is a code, or the status of HTTP in its place."""
        return self.code == code or f"HTTP {status}" in self.reason


def send(conversation: ConversationId, n: int, body: str = "") -> f.Send:
    """Return the n-th send of a connection."""
    return f.Send(key=f"k{n}", conversation=conversation, n=n, body=body or f"m{n}")


async def take(
    client: Client, count: int, *, within_s: float = 60
) -> list[tuple[int, str]]:
    """Take messages until there are so many: (seq, body)."""
    found: list[tuple[int, str]] = []
    with anyio.fail_after(within_s):
        async for event in client.events():
            if isinstance(event, f.MessageFrame):
                found.append((event.seq, event.body))
                if len(found) == count:
                    return found
    raise AssertionError("the client ended")


class Mover:
    """A client whose next connection may go another way."""

    def __init__(self, ways: Mapping[Transport, int], who: str, codec: str) -> None:
        """Take transports, each with the port to dial."""
        self._ports = dict(ways)
        self._codec = codec
        self._turns = itertools.cycle(ways)
        self.current = next(self._turns)
        self.client = Client(token=who, dial=self._dial, rng=Eager())

    def turn(self) -> None:
        """Let the next connection use the next transport."""
        self.current = next(self._turns)

    async def _dial(self) -> FrameStream:
        url = url_of(self.current, self._ports[self.current])
        return await self.current.connect(url, DialOptions(codec=self._codec))
