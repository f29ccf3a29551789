"""Cuts this process's connections under its feet, as a network does."""

import contextlib
import os
import socket


def cut_connections(port: int) -> int:
    """End every TCP connection of this process to a port; returns how many.

    The kernel ends them both ways: the peer reads an end, and so does whoever here
    believed them open.
    """
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as s:
            if s.family == socket.AF_INET and s.getpeername()[1] == port:
                s.shutdown(socket.SHUT_RDWR)
                count += 1
    return count
