"""From a URL and a transport's name to what opens a stream."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions, Transport
from kefu_core.errors import ConfigurationError
from kefu_core.transports.registry import find_transport, transport_names

Dial = Callable[[], Awaitable[FrameStream]]

AUTO = ("websocket", "longpoll")
"""What `transport="auto"` tries, best first."""
_SECURE = {"http": False, "https": True}


def dialers(
    url: str, transport: str | Transport, options: DialOptions
) -> dict[str, Dial]:
    """Return what opens a stream, by transport, best first.

    Args:
        url: `https://chat.example.com` serves every transport at its usual path; a
            URL of one transport (`wss://…`, `tcp://…`) means just that.
        transport: `auto`, a transport's name, or an object of your own.
        options: Passed on.

    Raises:
        ConfigurationError: URL and transport do not fit together.
    """
    if isinstance(transport, Transport):
        chosen = [transport]
    elif transport != "auto":
        chosen = [find_transport(transport)]
    elif urlsplit(url).scheme in _SECURE:
        chosen = [find_transport(name) for name in AUTO]
    else:
        chosen = [_of_scheme(url)]
    return {one.name: _dialer(one, _url_for(url, one), options) for one in chosen}


def _dialer(transport: Transport, url: str, options: DialOptions) -> Dial:
    async def dial() -> FrameStream:
        return await transport.connect(url, options)

    return dial


def _of_scheme(url: str) -> Transport:
    scheme = urlsplit(url).scheme
    for name in transport_names():
        transport = find_transport(name)
        if scheme in transport.schemes:
            return transport
    raise ConfigurationError(
        f"No transport dials {url!r}; begin it with https://, wss:// or tcp://."
    )


def _url_for(url: str, transport: Transport) -> str:
    """Return the URL that a transport dials."""
    parts = urlsplit(url)
    path = parts.path
    scheme = parts.scheme
    if scheme not in transport.schemes:
        if scheme not in _SECURE or len(transport.schemes) < 2:
            raise ConfigurationError(
                f"{transport.name} dials {', '.join(transport.schemes)} URLs, "
                f"not {url!r}."
            )
        if not transport.path:
            raise ConfigurationError(
                f"{transport.name} listens on a port of its own: give its URL, "
                f"{transport.schemes[0]}://host:port, not {url!r}."
            )
        scheme = transport.schemes[_SECURE[scheme]]
    if path in ("", "/"):
        path = transport.path
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))
