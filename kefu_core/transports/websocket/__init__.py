"""WebSocket: an ASGI application and the end that dials."""

from kefu_core.transports.websocket.server import WebSocketApp, WebSocketStream

__all__ = ["WebSocketApp", "WebSocketStream"]
