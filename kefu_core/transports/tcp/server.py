"""The listening end of TCP."""

import logging
import ssl

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketListener, SocketStream
from anyio.streams.tls import TLSStream

from kefu_core.abc.streams import PeerInfo
from kefu_core.abc.transports import ServerContext, SocketEndpoint
from kefu_core.errors import ConnectionClosed, RemoteProtocolError
from kefu_core.protocol.codec import CODECS, Codec, client_frame_decoder
from kefu_core.protocol.framing import PREFACE_BYTES, parse_preface, preface
from kefu_core.transports.addresses import AddressLimiter
from kefu_core.transports.tcp.stream import TcpStream

logger = logging.getLogger(__name__)

_ACCEPT_PAUSE_S = 0.1
_TLS_TIMEOUT_S = 10.0
_GONE = (
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    OSError,
)


class TcpEndpoint(SocketEndpoint):
    """Serves every connection of a listening socket.

    Refuses before anything is allocated for a peer: too many connections in all, of
    one address, or without a hello, and a node that is going away.
    """

    def __init__(self, context: ServerContext) -> None:
        self._server = context.server
        self._limits = context.limits
        self._now = context.now
        self._addresses = AddressLimiter(context.limits)
        self._opening = 0
        """Accepted and without a preface yet."""
        self._decoders = {
            name: client_frame_decoder(codec, context.limits)
            for name, codec in CODECS.items()
        }

    async def serve(
        self, listener: SocketListener, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        # A task that is cancelled before its first step runs none of its code, so what
        # it was given is closed here.
        arrived: set[SocketStream] = set()
        try:
            await self._accept_all(listener, ssl_context, arrived)
        finally:
            with anyio.CancelScope(shield=True):
                for accepted in arrived:
                    await anyio.aclose_forcefully(accepted)

    async def _accept_all(
        self,
        listener: SocketListener,
        ssl_context: ssl.SSLContext | None,
        arrived: set[SocketStream],
    ) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    accepted = await listener.accept()
                except anyio.ClosedResourceError:
                    return  # Whoever closed it lets the connections end by themselves.
                except OSError as error:
                    # Out of file descriptors, or a peer that left at once.
                    logger.warning("cannot accept now: %s", error)
                    await anyio.sleep(_ACCEPT_PAUSE_S)
                else:
                    arrived.add(accepted)
                    tasks.start_soon(self._admit, accepted, ssl_context, arrived)

    async def _admit(
        self,
        accepted: SocketStream,
        ssl_context: ssl.SSLContext | None,
        arrived: set[SocketStream],
    ) -> None:
        arrived.discard(accepted)
        address = _address(accepted)
        server, limits = self._server, self._limits
        is_full = (
            server.is_draining
            or server.hello_pending + self._opening >= limits.hello_pending_max
            or server.connection_count >= limits.node_connections_max
        )
        try:
            if is_full:
                self._refused("busy")
                return
            if not self._addresses.enter(address, self._now()):
                self._refused("address")
                return
            try:
                await self._open(accepted, address, ssl_context)
            finally:
                self._addresses.leave(address)
        except TimeoutError:
            self._refused("silent")
            logger.info("a connection did not say in time what it is")
        except ssl.SSLError as error:
            self._refused("tls")
            logger.info("a connection was refused: %s", error)
        except _GONE as error:
            logger.info("a connection ended while it opened: %s", error)
        except RemoteProtocolError as error:
            self._refused("preface")
            logger.info("a connection was refused: %s", error)
        except Exception:
            logger.exception("a connection ended by a fault of ours")
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(accepted)

    def _refused(self, why: str) -> None:
        self._server.counts.refused["tcp", why] += 1

    async def _open(
        self,
        accepted: SocketStream,
        address: str,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._opening += 1
        try:
            stream: ByteStream = accepted
            if ssl_context is not None:
                with anyio.fail_after(_TLS_TIMEOUT_S):
                    stream = await TLSStream.wrap(
                        accepted,
                        server_side=True,
                        ssl_context=ssl_context,
                        standard_compatible=False,
                    )
            with anyio.fail_after(self._limits.hello_timeout_s):
                codec = await _exchange_prefaces(stream)
        finally:
            self._opening -= 1
        peer = PeerInfo(
            transport="tcp", address=address, is_secure=ssl_context is not None
        )
        decoder = self._decoders[codec.name]
        maximum = self._limits.frame_bytes_max
        frames = TcpStream(stream, codec, decoder, peer, maximum)  # type: ignore[arg-type]
        try:
            await self._server.serve(frames)
        except ConnectionClosed:
            return


async def _exchange_prefaces(stream: ByteStream) -> Codec:
    """Return the codec the peer asks for. Raises `RemoteProtocolError`."""
    data = b""
    while len(data) < PREFACE_BYTES:
        data += await stream.receive(PREFACE_BYTES - len(data))
    try:
        codec = parse_preface(data)
    except RemoteProtocolError:
        await stream.send(preface(None))
        raise
    await stream.send(preface(codec))
    return codec


def _address(stream: SocketStream) -> str:
    remote = stream.extra_attributes.get(SocketAttribute.remote_address)
    return str(remote()[0]) if remote is not None else ""
