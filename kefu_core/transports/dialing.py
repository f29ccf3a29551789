"""A TCP connection to a URL's host, with TLS where the URL asks for it."""

import ssl

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream


async def dial(
    host: str,
    port: int,
    *,
    is_secure: bool,
    local_host: str | None,
    ssl_context: ssl.SSLContext | None,
) -> ByteStream:
    """Return an open stream. Raises what anyio raises; leaves nothing open then."""
    stream = await anyio.connect_tcp(host, port, local_host=local_host)
    if not is_secure:
        return stream
    try:
        return await TLSStream.wrap(
            stream, hostname=host, ssl_context=ssl_context, standard_compatible=False
        )
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.aclose_forcefully(stream)
        raise
