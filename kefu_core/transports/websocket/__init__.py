"""WebSocket: an ASGI application and the end that dials."""

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions, ServerContext, Transport
from kefu_core.transports.websocket.server import WebSocketApp, WebSocketStream


class WebSocketTransport(Transport):
    """`ws://host/path` and `wss://host/path`."""

    name = "websocket"
    schemes = ("ws", "wss")
    path = "/kefu/ws"

    def endpoint(self, context: ServerContext) -> WebSocketApp:
        return WebSocketApp(context)

    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        # websockets is wanted by those who dial, not by those who serve.
        from kefu_core.transports.websocket.client import connect_websocket

        return await connect_websocket(url, options)


TRANSPORT = WebSocketTransport()

__all__ = [
    "TRANSPORT",
    "WebSocketApp",
    "WebSocketStream",
    "WebSocketTransport",
]
