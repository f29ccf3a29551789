"""The end of TCP that dials."""

from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream

from kefu_core.abc.streams import PeerInfo
from kefu_core.abc.transports import DialOptions
from kefu_core.errors import ConnectionClosed, RemoteProtocolError
from kefu_core.protocol.codec import CODECS, server_frame_decoder
from kefu_core.protocol.framing import PREFACE_BYTES, parse_preface, preface
from kefu_core.transports.dialing import dial
from kefu_core.transports.reading import READ_BATCH_BYTES_MAX, for_reading
from kefu_core.transports.tcp.stream import TcpStream

_CANNOT_OPEN = (
    OSError,
    TimeoutError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    RemoteProtocolError,
)


async def connect_tcp(url: str, options: DialOptions) -> TcpStream:
    """Open a connection to a kefu server.

    Args:
        url: `tcp://host:port`, or `tcps://host:port` for TLS.
        options: Codec, addresses and time-out.

    Raises:
        ConnectionClosed: It could not be opened; `reason` says why.
    """
    codec = CODECS[options.codec]
    stream: ByteStream | None = None
    try:
        with anyio.fail_after(options.timeout_s):
            stream = await _dial(url, options)
            await stream.send(preface(codec))
            data = b""
            while len(data) < PREFACE_BYTES:
                data += await stream.receive(PREFACE_BYTES - len(data))
            if parse_preface(data) is not codec:
                raise RemoteProtocolError("The server chose another codec.")
    except BaseException as error:
        # Also when whoever dials is cancelled.
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)
        if not isinstance(error, _CANNOT_OPEN):
            raise
        raise ConnectionClosed(1006, str(error) or type(error).__name__) from error
    decoder = server_frame_decoder(codec, for_reading(options.limits))
    peer = PeerInfo(transport="tcp")
    return TcpStream(stream, codec, decoder, peer, READ_BATCH_BYTES_MAX)  # type: ignore[arg-type]


async def _dial(url: str, options: DialOptions) -> ByteStream:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.port is None:
        raise RemoteProtocolError(f"{url!r} needs a port, as in tcp://host:7440.")
    return await dial(
        host,
        parts.port,
        is_secure=parts.scheme == "tcps",
        local_host=options.local_host,
        ssl_context=options.ssl_context,
    )
