"""What every ASGI transport reads from a scope."""

import logging
from http.cookies import CookieError, SimpleCookie

from kefu_core.abc.streams import PeerInfo
from kefu_core.abc.transports import Scope

logger = logging.getLogger(__name__)


def socket_address(scope: Scope) -> str:
    """Return the address at the other end of the socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def headers_of(scope: Scope) -> dict[bytes, str]:
    """Return the request's headers; repeated ones are joined."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        # Two Origin headers are nobody's: joining them matches no origin.
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def peer_of(scope: Scope, transport: str, address: str) -> PeerInfo:
    """Return what a request says of its sender."""
    headers = headers_of(scope)
    cookies: dict[str, str] = {}
    try:
        parsed = SimpleCookie(headers.get(b"cookie", ""))
        cookies = {name: morsel.value for name, morsel in parsed.items()}
    except CookieError as error:
        logger.info("cookies that cannot be read are ignored: %s", error)
    return PeerInfo(
        transport=transport,
        address=address,
        origin=headers.get(b"origin"),
        host=headers.get(b"host", ""),
        cookies=cookies,
        is_secure=scope.get("scheme") in ("wss", "https"),
    )
