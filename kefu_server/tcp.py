"""The TCP listener of `kefu serve`, where the settings ask for one."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketListener

from kefu_core.abc.transports import SocketEndpoint
from kefu_core.errors import ConfigurationError
from kefu_core.transports.sockets import open_listener
from kefu_server.sections import TcpSettings
from kefu_server.settings import environment_name, host_and_port


def load_certificate(settings: TcpSettings) -> ssl.SSLContext | None:
    """Return what encrypts the listener, None where it is plain.

    Raises:
        ConfigurationError: The files cannot be used; names them.
    """
    if not settings.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"tcp.certificate = {settings.certificate!r} and tcp.key = "
            f"{settings.key!r} cannot be used ({reason}); give a PEM certificate "
            "with its chain, and its private key."
        ) from error
    return context


@asynccontextmanager
async def serving_tcp(
    settings: TcpSettings, endpoint: SocketEndpoint
) -> AsyncIterator[tuple[SocketListener | None, str]]:
    """Accept inside the block; yields the listener, whose close ends that, and its URL.

    Raises:
        ConfigurationError: The address or the certificate cannot be used.
    """
    if not settings.bind:
        yield None, ""
        return
    ssl_context = load_certificate(settings)
    host, port = host_and_port(settings.bind)
    try:
        listener = await open_listener(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"tcp.bind = {settings.bind!r} cannot be used ({reason}); stop what "
            f"listens there or choose another with {environment_name('tcp.bind')}."
        ) from error
    async with listener, anyio.create_task_group() as tasks:
        scheme = "tcp" if ssl_context is None else "tcps"
        port = listener.extra_attributes[SocketAttribute.local_port]()
        url = f"{scheme}://{settings.bind.rpartition(':')[0]}:{port}"

        async def serve() -> None:
            await endpoint.serve(listener, ssl_context=ssl_context)

        tasks.start_soon(serve)
        yield listener, url
        tasks.cancel_scope.cancel()
