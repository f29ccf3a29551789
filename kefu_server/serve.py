"""Runs the application on an ASGI server, with our own start and stop.

Parsing HTTP and WebSocket is the server's (`kefu_server.servers`). No server's own
runner tells connections to leave before it lets go of them, so the order is here.

Stop: close the listening socket; let the hub drain (peers get `drain`, commits finish,
sockets close); wait briefly for requests; close the node. A thread outside the event
loop ends the process at the deadline, also when the loop itself hangs. Nothing that
was acknowledged needs any of it: it is on disk already.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from types import FrameType

import anyio
import uvloop

from kefu_core.errors import ConfigurationError
from kefu_core.hub import HubStatistics
from kefu_core.transports.sockets import open_listening_socket
from kefu_server.app import KefuApp, create_app
from kefu_server.database import prepared
from kefu_server.logs import event
from kefu_server.one_server import only_server
from kefu_server.servers import find_server
from kefu_server.servers.contract import REFUSED, AsgiServer
from kefu_server.settings import Settings, environment_name
from kefu_server.tcp import serving_tcp

logger = logging.getLogger("kefu.server")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
REQUESTS_S = 1.0
"""What is left of plain requests after the drain has this long."""
CLOSE_S = 2.0
"""Reserved for closing the node before the hard end."""


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
    server_type = find_server(settings.server)
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
            server = server_type(app, settings.limits)
            runner.run(_serve(app, server, listener, ready, deadline))
    finally:
        deadline.cancel()
        listener.close()  # Nobody accepts any more; or it was never served.
        for number, handler in handlers.items():
            signal.signal(number, handler)


async def _serve(
    app: KefuApp,
    server: AsgiServer,
    listener: socket.socket,
    ready: Callable[[str], Awaitable[None]],
    deadline: threading.Timer,
) -> None:
    stop = _stop_on_signals(deadline)
    limits = app.settings.limits
    for lack in server.lacks:
        logger.warning(event("server_lacks", server=app.settings.server, what=lack))
    async with (
        app.router.lifespan_context(app),
        serving_tcp(app.settings.tcp, app.state.node.tcp) as (tcp_listener, tcp_url),
        server.accepting(listener),
    ):
        # What stays for good is not looked through again at every full collection,
        # which everybody would wait for.
        gc.collect()
        gc.freeze()
        await ready(tcp_url)
        await stop.wait()
        logger.info(event("stopping", connections=server.connection_count))
        server.stop_accepting()
        if tcp_listener is not None:
            await tcp_listener.aclose()
        with anyio.move_on_after(max(0.5, limits.stop_s - REQUESTS_S - CLOSE_S)):
            await app.state.services.hub.drain()
        await server.finish(REQUESTS_S)
        _log_counts(app.state.services.hub.statistics())
    logger.info(event("stopped", connections=server.connection_count))


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
