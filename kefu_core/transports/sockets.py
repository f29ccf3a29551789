"""Sockets that cannot hang a writer."""

import socket

from anyio.abc import SocketListener

BACKLOG = 4096
SEND_BUFFER_BYTES = 131_072
USER_TIMEOUT_MS = 20_000


def open_listening_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; what it accepts inherits its options.

    A peer with a closed window would otherwise hold a `send` for ever, and the
    kernel would buffer megabytes for it.

    Raises:
        OSError, OverflowError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            option = socket.TCP_USER_TIMEOUT
            listener.setsockopt(socket.IPPROTO_TCP, option, USER_TIMEOUT_MS)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


async def open_listener(host: str, port: int) -> SocketListener:
    """Return `open_listening_socket` as anyio's listener. Raises what that raises."""
    return await SocketListener.from_socket(open_listening_socket(host, port))
