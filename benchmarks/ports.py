"""Ports for servers that are started by number, before anybody listens there."""

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
_LOWEST = 12_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a port of loopback that nobody listens on now.

    It lies below those that the system gives to outgoing connections, or one of them
    could take it before the server does, and again whenever the server is down.
    """
    highest = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    while True:
        port = random.randrange(_LOWEST, highest)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
