"""Runs the application on hypercorn's protocol code, with our own start and stop.

Hypercorn's runner cannot stop accepting before connections are told to leave, and on
Python 3.12 and later it waits for open connections for ever. So the few lines that
accept and stop are here; parsing HTTP and WebSocket is hypercorn's.

Stop: close the listening socket; let the hub drain (peers get `drain`, commits finish,
sockets close); wait briefly for requests; close the node. A thread outside the event
loop ends the process at the deadline, also when the loop itself hangs. Nothing that
was acknowledged needs any of it: it is on disk already.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, cast

import anyio
import uvloop
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.utils import wrap_app

from kefu_core.errors import ConfigurationError
from kefu_core.hub import HubStatistics
from kefu_core.limits import Limits
from kefu_core.transports.sockets import BACKLOG, open_listening_socket
from kefu_server.app import KefuApp, create_app
from kefu_server.database import prepared
from kefu_server.hardening import REFUSED, harden_hypercorn
from kefu_server.logs import event
from kefu_server.one_server import only_server
from kefu_server.settings import Settings, environment_name
from kefu_server.tcp import serving_tcp

logger = logging.getLogger("kefu.server")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
REQUESTS_S = 1.0
"""What is left of plain requests after the drain has this long."""
CLOSE_S = 2.0
"""Reserved for closing the node before the hard end."""
HTTP_KEEP_ALIVE_S = 5.0


def open_listener(host: str, port: int, key: str = "bind") -> socket.socket:
    """Return a listening socket whose accepted connections cannot hang a writer.

    Raises:
        ConfigurationError: The address cannot be used; names the fix.
    """
    try:
        return open_listening_socket(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"{key} = '{host}:{port}' cannot be used ({reason}); stop what listens "
            f"there or choose another address with {environment_name(key)}."
        ) from error


def run(
    settings: Settings,
    listener: socket.socket | None = None,
    *,
    on_ready: Callable[[Settings], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop gracefully and return.

    Args:
        settings: Checked settings; port 0 takes a free one.
        listener: An open listening socket; None opens `settings.bind`.
        on_ready: Called once connections are accepted, with the real address.

    Raises:
        KefuError: The server could not start; says why.
    """
    harden_hypercorn()
    listener = listener or open_listener(*settings.host_and_port)
    host = settings.bind.rpartition(":")[0]
    settings = settings.with_bind(f"{host}:{listener.getsockname()[1]}")
    app = create_app(settings)

    async def ready(tcp_url: str) -> None:
        more = {"tcp": tcp_url} if tcp_url else {}
        url = settings.origins[0]
        logger.info(event("listening", url=url, bind=settings.bind, **more))
        if on_ready is not None:
            await on_ready(settings)

    # Daemonic: it must not keep a process alive that has already stopped.
    deadline = threading.Timer(settings.limits.stop_s, _end_process)
    deadline.daemon = True
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        with (
            only_server(prepared(settings)),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(app, listener, ready, deadline))
    finally:
        deadline.cancel()
        listener.close()  # Nobody accepts any more; or it was never served.
        for number, handler in handlers.items():
            signal.signal(number, handler)


async def _serve(
    app: KefuApp,
    listener: socket.socket,
    ready: Callable[[str], Awaitable[None]],
    deadline: threading.Timer,
) -> None:
    stop = _stop_on_signals(deadline)
    limits = app.settings.limits
    context = WorkerContext(None)
    connections: set[asyncio.Task[None] | None] = set()
    accept = _acceptor(app, context, connections)
    async with (
        app.router.lifespan_context(app),
        serving_tcp(app.settings.tcp, app.state.node.tcp) as (tcp_listener, tcp_url),
    ):
        server = await asyncio.start_server(accept, sock=listener, backlog=BACKLOG)
        await ready(tcp_url)
        await stop.wait()
        logger.info(event("stopping", connections=len(connections)))
        # Not followed by `wait_closed`, which waits for connections (Python 3.12).
        server.close()
        if tcp_listener is not None:
            await tcp_listener.aclose()
        with anyio.move_on_after(max(0.5, limits.stop_s - REQUESTS_S - CLOSE_S)):
            await app.state.services.hub.drain()
        await context.terminated.set()
        with anyio.move_on_after(REQUESTS_S):
            while connections:
                await anyio.sleep(0.01)
        _log_counts(app.state.services.hub.statistics())
    logger.info(event("stopped", connections=len(connections)))


def _log_counts(statistics: HubStatistics) -> None:
    """Say what was refused since the start, and why connections ended."""
    refused = statistics.refused | ({"http": dict(REFUSED)} if REFUSED else {})
    fields = {
        name: ",".join(
            f"{transport}:{word}={count}"
            for transport, words in counted.items()
            for word, count in words.items()
        )
        for name, counted in (
            ("refused", refused),
            ("errors", statistics.errors),
            ("closes", statistics.closes),
        )
    }
    logger.info(event("counted", **fields))


def _acceptor(
    app: KefuApp,
    context: WorkerContext,
    connections: set["asyncio.Task[None] | None"],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return what runs one accepted connection, noting it while it lives."""
    loop = asyncio.get_running_loop()
    config = _hypercorn_config(app.settings.limits)
    wrapped = wrap_app(cast(Any, app), config.wsgi_max_body_size, "asgi")

    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        connections.add(task)
        try:
            await TCPServer(wrapped, loop, config, context, {}, reader, writer)
        finally:
            connections.discard(task)

    return accept


def _hypercorn_config(limits: Limits) -> Config:
    config = Config()
    config.backlog = BACKLOG
    config.websocket_max_message_size = limits.frame_bytes_max
    config.include_server_header = False
    # This is also what ends a client that sends its headers slowly.
    config.keep_alive_timeout = HTTP_KEEP_ALIVE_S
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = logging.getLogger("kefu.hypercorn")
    config.accesslog = None
    return config


def _stop_on_signals(deadline: threading.Timer) -> anyio.Event:
    """Return what SIGTERM and SIGINT set; the first also starts the deadline.

    Plain signal handlers, not the event loop's: these run while the loop hangs.
    """
    stop = anyio.Event()
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        if deadline.ident is None:
            deadline.start()
        loop.call_soon_threadsafe(stop.set)

    for number in STOP_SIGNALS:
        signal.signal(number, handle)
    return stop


def _end_process() -> None:
    """End a stop that hangs; what was acknowledged is committed."""
    logger.error(event("stop_deadline"))
    logging.shutdown()
    os._exit(1)
