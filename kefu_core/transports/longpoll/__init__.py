"""Long poll: everything over plain HTTP requests."""

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions, ServerContext, Transport
from kefu_core.transports.longpoll.server import CredentialOf, LongPollApp


class LongPollTransport(Transport):
    """`http://host/path` and `https://host/path`."""

    name = "longpoll"
    schemes = ("http", "https")
    path = "/kefu/poll"

    def __init__(self, *, credential_of: CredentialOf | None = None) -> None:
        """See `LongPollApp` for `credential_of`."""
        self._credential_of = credential_of

    def endpoint(self, context: ServerContext) -> LongPollApp:
        return LongPollApp(context, credential_of=self._credential_of)

    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        # httpx is wanted by those who dial, not by those who serve.
        from kefu_core.transports.longpoll.client import connect_longpoll

        return await connect_longpoll(url, options)


TRANSPORT = LongPollTransport()

__all__ = ["TRANSPORT", "LongPollApp", "LongPollTransport"]
