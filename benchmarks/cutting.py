"""Cuts this process's connections under its feet, as a network does."""

import contextlib
import os
import socket

_OPEN = "/proc/self/fd"


def cut_connections(port: int) -> int:
    """End every TCP connection of this process to a port; returns how many.

    The kernel ends them both ways: the peer reads an end, and so does whoever here
    believed them open.
    """
    count = 0
    for name in os.listdir(_OPEN):
        with contextlib.suppress(OSError):
            # A copy of what is no socket would stay open.
            if not os.readlink(f"{_OPEN}/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as s:
                if s.family == socket.AF_INET and s.getpeername()[1] == port:
                    s.shutdown(socket.SHUT_RDWR)
                    count += 1
    return count
