"""Requests to the outside: the one place they leave from. Needs `httpx`.

A name is resolved once, every address it has is checked, and the connection goes to one
of exactly those. Nothing is followed, no proxy of the environment is used, and an
answer is bounded in time and in bytes as they come over the wire: a coding that would
swell while it is unpacked is neither asked for nor taken.

No error says what was sent: a URL's query and login, and headers, hold keys.
"""

import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import httpx
import msgspec

from kefu_core.errors import KefuError
from kefu_core.senders.addresses import may_reach

TIMEOUT_S = 10.0
"""One request in all: a place, name, connection, answer."""
BYTES_MAX = 1_048_576
AT_ONCE = 4
"""Requests to one host and port."""
_PORTS = {"http": 80, "https": 443}


class NotReached(KefuError):
    """There is no answer."""

    def __init__(self, text: str, *, is_final: bool = False) -> None:
        """Take a sentence without secrets, and whether trying again is of no use."""
        super().__init__(text)
        self.is_final = is_final


class AddressRefused(NotReached):
    """The name leads to an address that may not be reached."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Outbound:
    """Opens a connection for each request, to an address that was checked."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        """Take what may be reached although it is not public.

        Args:
            allow: Networks (`10.1.2.0/24`), and origins (`http://translate:5000`) as
                the operator has configured them.
        """
        self._ssl = httpx.create_ssl_context(trust_env=False)
        self._origins = {_origin(httpx.URL(each)) for each in allow if "://" in each}
        self._networks = [
            ipaddress.ip_network(each, strict=False)
            for each in allow
            if "://" not in each
        ]
        self._places: dict[str, anyio.CapacityLimiter] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        bytes_max: int = BYTES_MAX,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Return the answer, whatever its status; redirects are answers too.

        Args:
            method: Of HTTP, in capitals.
            url: Of http or https.
            content: The body.
            headers: Beside `host` and `accept-encoding`, which are set here.
            bytes_max: Of the answer's body; 0: nothing of it is read.
            timeout_s: For all of it.

        Raises:
            NotReached: There is none, or it is too large; names no secret.
        """
        target = _parse(url)
        try:
            with anyio.fail_after(timeout_s):
                async with self._place(_origin(target)):
                    return await self._request(
                        method, target, content, headers or {}, bytes_max, timeout_s
                    )
        except TimeoutError as error:
            text = f"There was no answer within {timeout_s:.0f} s."
            raise NotReached(text) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            # What it was raised from may quote headers, and would be logged with it.
            raise NotReached(f"It cannot be reached: {_reason(error)}") from None

    @asynccontextmanager
    async def _place(self, origin: str) -> AsyncIterator[None]:
        places = self._places.setdefault(origin, anyio.CapacityLimiter(AT_ONCE))
        try:
            async with places:
                yield
        finally:
            left = places.statistics()
            if not left.borrowed_tokens and not left.tasks_waiting:
                self._places.pop(origin, None)

    async def _request(
        self,
        method: str,
        target: httpx.URL,
        content: bytes,
        headers: Mapping[str, str],
        bytes_max: int,
        timeout_s: float,
    ) -> Answer:
        address = await self._resolve(target)
        # The certificate is checked against the name, the connection goes to what was
        # checked: a name that points elsewhere a moment later changes nothing.
        fixed = {
            "host": target.netloc.decode("ascii"),
            "accept-encoding": "identity",
        }
        async with (
            httpx.AsyncClient(
                verify=self._ssl,
                trust_env=False,
                follow_redirects=False,
                timeout=timeout_s,
            ) as client,
            client.stream(
                method,
                target.copy_with(host=address),
                content=content,
                headers={**headers, **fixed},
                extensions={"sni_hostname": _host(target)},
            ) as response,
        ):
            body = await _read(response, bytes_max) if bytes_max else b""
            return Answer(response.status_code, dict(response.headers), body)

    async def _resolve(self, target: httpx.URL) -> str:
        host, port = _host(target), target.port or _PORTS[target.scheme]
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        if _origin(target) in self._origins:
            return addresses[0]
        for address in addresses:
            if not may_reach(address, self._networks):
                raise AddressRefused(
                    f"{host} leads to {address}, which is no public address.",
                    is_final=True,
                )
        return addresses[0]


def _parse(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise NotReached("The URL is not valid.", is_final=True) from None
    if target.scheme not in _PORTS or not target.host:
        raise NotReached("Only http and https can be reached.", is_final=True)
    return target


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").strip("[]")


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{_host(url)}:{url.port or _PORTS.get(url.scheme)}"


async def _read(response: httpx.Response, bytes_max: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NotReached("It answered in a coding that was not asked for.")
    body, is_too_large = bytearray(), False
    # Left by cancelling and not by an exception from here: only so do the generators
    # within httpx end where they began.
    with anyio.CancelScope() as scope:
        async for chunk in response.aiter_raw():
            if len(body) + len(chunk) > bytes_max:
                is_too_large = True
                scope.cancel()
                continue
            body += chunk
    if is_too_large:
        raise NotReached(f"Its answer has more than {bytes_max} bytes.")
    return bytes(body)


def _reason(error: BaseException) -> str:
    """Return what the network has said; nothing that could quote what was sent."""
    if isinstance(error, httpx.RemoteProtocolError):
        return "its answer is not HTTP, or ends too early."
    if isinstance(error, (httpx.LocalProtocolError, httpx.InvalidURL)):
        return "the request is not valid."
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (OSError, ssl.SSLError)) and str(cause):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
