"""A transport that dials as browsers do, and counts the requests of its streams."""

import msgspec

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import (
    AsgiEndpoint,
    DialOptions,
    ServerContext,
    SocketEndpoint,
    Transport,
)


class Counting(Transport):
    """A transport that remembers its streams, to count what they asked for."""

    def __init__(self, inner: Transport) -> None:
        """Take the real one."""
        self.inner = inner
        self.name = inner.name  # type: ignore[misc]
        self.schemes = inner.schemes  # type: ignore[misc]
        self.path = inner.path  # type: ignore[misc]
        self.streams: list[FrameStream] = []

    def endpoint(self, context: ServerContext) -> AsgiEndpoint | SocketEndpoint:
        return self.inner.endpoint(context)

    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        # Every browser offers it: a server that takes it must pay for it here too.
        options = msgspec.structs.replace(options, offers_deflate=True)
        stream = await self.inner.connect(url, options)
        self.streams.append(stream)
        return stream

    @property
    def deflated(self) -> int:
        """Streams that the server agreed to compress."""
        return sum(getattr(stream, "is_deflated", False) for stream in self.streams)

    @property
    def requests(self) -> int:
        """HTTP requests so far."""
        return sum(getattr(s, "polls", 0) + getattr(s, "rid", 0) for s in self.streams)
