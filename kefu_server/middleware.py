"""What holds for every request, as plain ASGI: no route can forget it.

From the outside in: the peer's address behind trusted proxies, security headers on
every answer, the log line, and the guard that reads a bounded body and refuses
requests that another site's page could have made.
"""

import ipaddress
import logging
import re
from collections.abc import Callable

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kefu_core.errors import ErrorCode
from kefu_server.answers import refuse
from kefu_server.logs import event

logger = logging.getLogger("kefu.http")

WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods whose bodies are read; no route takes another one but GET and HEAD."""
BODY_TIMEOUT_S = 10.0
IS_TRUSTED = "kefu.is_trusted"
"""In the scope: whether a trusted proxy has connected."""
PEER = "kefu.peer"
"""In the scope: who has connected, where a trusted proxy named somebody else."""
API = "/api/v1/"
"""Below it programs are served as well, by the token they bring."""
VISIT = "/api/visit"
"""Where pages tell of themselves every few seconds, which changes nothing."""
_UPLOAD = re.compile(r"/api/conversations/[0-9]+/files/[^/]+\Z")
"""Where a body is a file: the route reads it, piece by piece, and bounds it itself."""

CLOSED_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
"""For everything that is not a page."""

_HEADERS = {
    "content-security-policy": CLOSED_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": (
        "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), "
        "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), "
        "usb=()"
    ),
}


def is_bearer(headers: Headers) -> bool:
    """Whether a request brings its own credential, so that no cookie counts."""
    return "authorization" in headers


def has_body(headers: Headers) -> bool:
    """Whether a body is announced."""
    length = headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in headers


class TrustedProxies:
    """Replaces the peer's address by the one a trusted proxy names."""

    def __init__(self, app: ASGIApp, trusted: tuple[str, ...]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(text, strict=False) for text in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the client's own address in the scope."""
        if self._networks and scope["type"] in {"http", "websocket"}:
            client = scope.get("client")
            if client is not None and self._is_trusted(client[0]):
                scope = dict(scope, **{IS_TRUSTED: True})
                forwarded = Headers(scope=scope).getlist("x-forwarded-for")
                address = self._first_stranger(forwarded)
                if address is not None:
                    scope = dict(scope, client=(address, 0), **{PEER: client[0]})
        await self._app(scope, receive, send)

    def _first_stranger(self, headers: list[str]) -> str | None:
        """Return the nearest address that is not a proxy's: read from the right.

        What stands further left was written by that stranger and proves nothing.
        """
        hops = [hop.strip() for header in headers for hop in header.split(",")]
        for hop in reversed(hops):
            address = _parse(hop)
            if address is None:
                return None
            if not self._is_trusted(hop):
                return str(address)
        return None

    def _is_trusted(self, text: str) -> bool:
        address = _parse(text)
        return address is not None and any(address in n for n in self._networks)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address, IPv4 also where a socket for both wrote it as IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class SecurityHeaders:
    """Sets every security header that the route has not set itself."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._headers = dict(_HEADERS)
        if is_secure:
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the first message of the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class AccessLog:
    """One line for each answer: method, path, status, time; no query, no header."""

    def __init__(self, app: ASGIApp, now: Callable[[], float]) -> None:
        self._app = app
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log what was answered, quietly where all is well and frequent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = self._now(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            is_reading = scope["method"] not in WRITING or scope["path"] == VISIT
            is_quiet = status < 400 and is_reading
            logger.log(
                logging.DEBUG if is_quiet else logging.INFO,
                event(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round((self._now() - started) * 1000, 1),
                    address=(scope.get("client") or ("",))[0],
                ),
            )


class RequestGuard:
    """Bounds every body and refuses what a foreign page could have sent (S6, S21)."""

    def __init__(
        self, app: ASGIApp, *, origins: tuple[str, ...], body_bytes_max: int
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = (
            scope["method"] == "PUT" and _UPLOAD.match(scope["path"]) is not None
        )
        takes_tokens = is_upload or scope["path"].startswith(API)
        reason = self._refusal(
            scope["method"],
            headers,
            is_program=takes_tokens and is_bearer(headers),
            is_upload=is_upload,
        )
        if reason is not None:
            status, code, text = reason
            await refuse(status, code, text)(scope, receive, send)
            return
        if scope["method"] not in WRITING or is_upload:
            await self._app(scope, receive, send)
            return
        try:
            with anyio.fail_after(BODY_TIMEOUT_S):
                body = await self._read_body(receive)
        except TimeoutError:
            text = "The body came too slowly."
            await refuse(408, ErrorCode.BAD_REQUEST, text)(scope, receive, send)
            return
        if body is None:
            text = "The body is too large."
            await refuse(413, ErrorCode.TOO_LARGE, text)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _refusal(
        self, method: str, headers: Headers, *, is_program: bool, is_upload: bool
    ) -> tuple[int, ErrorCode, str] | None:
        """Return why a request is refused before its body is read."""
        if "content-encoding" in headers:
            return 415, ErrorCode.BAD_REQUEST, "Compressed bodies are not accepted."
        if method not in WRITING:
            return None
        origin = headers.get("origin")
        if origin is not None:
            is_own = origin in self._origins
        else:
            is_own = headers.get("sec-fetch-site") == "same-origin"
        # No page of another origin can add this header without asking first, and the
        # API looks at no cookie where it stands.
        if not is_own and not is_program:
            text = "This request needs the Origin header of this server's own pages."
            return 403, ErrorCode.FORBIDDEN, text
        content_type = headers.get("content-type", "").partition(";")[0].strip()
        if is_program and not content_type and not has_body(headers):
            return None
        # No form and no page of another origin can send either without asking first.
        wanted = "application/octet-stream" if is_upload else "application/json"
        if content_type.lower() != wanted:
            text = f"This request needs Content-Type: {wanted}."
            return 415, ErrorCode.BAD_REQUEST, text
        return None

    async def _read_body(self, receive: Receive) -> bytes | None:
        """Return the body, None when it is too large."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._body_bytes_max:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once and then what really comes."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
