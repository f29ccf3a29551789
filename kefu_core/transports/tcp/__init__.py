"""TCP: length-prefixed batches, with or without TLS."""

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions, ServerContext, Transport
from kefu_core.transports.tcp.client import connect_tcp
from kefu_core.transports.tcp.server import TcpEndpoint
from kefu_core.transports.tcp.stream import TcpStream


class TcpTransport(Transport):
    """`tcp://host:port` and `tcps://host:port`."""

    name = "tcp"
    schemes = ("tcp", "tcps")

    def endpoint(self, context: ServerContext) -> TcpEndpoint:
        return TcpEndpoint(context)

    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        return await connect_tcp(url, options)


TRANSPORT = TcpTransport()

__all__ = ["TRANSPORT", "TcpEndpoint", "TcpStream", "TcpTransport", "connect_tcp"]
