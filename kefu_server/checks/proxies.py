"""What browsers meet at `public_url`: name, certificate, proxy, what it lets through.

The server is asked by a question that only its operator can ask (`kefu-question`), and
answers how the request has arrived: who connected, whom it takes for the visitor.
"""

import base64
import hashlib
import ipaddress
import secrets
import socket
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import anyio
import httpx
import msgspec

from kefu_core.node import unix_ms
from kefu_server.checks import WAIT_S, Check, ok, problem, warning
from kefu_server.routes.health import QUESTION, Seen
from kefu_server.settings import Settings
from kefu_server.tokens import OperatorTokens

SOON_DAYS = 21
WEBSOCKET_PATH = "/kefu/ws"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SWITCHED = 101
_DAY_S = 86_400
_WORD_S = 5.0
"""What a proxy needs beside the time that an answer waits."""


class Health(msgspec.Struct, frozen=True):
    """What `/healthz` answers."""

    status: str
    seen: Seen | None = None


async def check_public(
    settings: Settings, secret: bytes | None, *, poll_wait_s: float = 0.0
) -> list[Check]:
    """Go the way that browsers go, and look at everything on it.

    Args:
        settings: `public_url`, and what is expected of the proxy.
        secret: The installation's, to be told what the server sees; None: unknown.
        poll_wait_s: Also have an answer wait so long, as long poll does.
    """
    url = settings.public_url
    if not url:
        return [ok("public", "local", url=settings.origins[0])]
    checks: list[Check] = []
    parts = urlsplit(url)
    if parts.scheme == "https":
        found = await _certificate(parts.hostname or "", parts.port or 443)
        checks.append(found)
        if found.is_problem:
            return checks
    elif not _is_local(parts.hostname or ""):
        checks.append(problem("public", "plain", url=url))
    answer = await _ask(url, secret)
    if isinstance(answer, Check):
        return [*checks, answer]
    checks.append(ok("public", "reached", url=url))
    if answer.seen is None:
        checks.append(warning("proxy", "unknown", url=url))
    else:
        checks.append(judge_seen(answer.seen, settings))
    checks.append(await check_websocket(url))
    if poll_wait_s:
        checks.append(await _patience(url, secret, poll_wait_s))
    return checks


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# -- the certificate -------------------------------------------------------------------


async def _certificate(host: str, port: int) -> Check:
    return await anyio.to_thread.run_sync(check_certificate, host, port)


def check_certificate(
    host: str, port: int, context: ssl.SSLContext | None = None
) -> Check:
    """Look at the certificate as a browser would."""
    facts = {"host": host, "port": str(port)}
    context = context or ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout=WAIT_S) as raw,
            context.wrap_socket(raw, server_hostname=host) as wrapped,
        ):
            certificate = wrapped.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
        finding = "expired" if "expired" in why else "untrusted"
        return problem("tls", finding, why=why, **facts)
    except socket.gaierror:
        return problem("public", "unnamed", url=f"https://{host}", host=host)
    except (ssl.SSLError, OSError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return problem("tls", "unreachable", why=why, **facts)
    ends_s = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((ends_s - time.time()) // _DAY_S)  # a date, no duration
    facts["days"] = str(days)
    if days < SOON_DAYS:
        return warning("tls", "soon", **facts)
    return ok("tls", "valid", **facts)


# -- what comes through ----------------------------------------------------------------


async def _ask(url: str, secret: bytes | None, wait_s: float = 0.0) -> Health | Check:
    """Ask the server what it sees; a `Check` where something is in the way."""
    headers = {}
    if secret is not None:
        token = OperatorTokens(secret, unix_ms).issue(wait_s=wait_s)
        headers[QUESTION] = token
    try:
        async with httpx.AsyncClient(timeout=wait_s + WAIT_S) as client:
            response = await client.get(f"{url}/healthz", headers=headers)
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        return problem("public", "unreachable", url=url, why=why)
    facts = {"url": url, "status": str(response.status_code)}
    if response.status_code in (502, 503, 504):
        return problem("public", "gateway", **facts)
    if response.is_redirect:
        target = response.headers.get("location", "")[:200]
        return problem("public", "redirected", target=target, **facts)
    try:
        answer = msgspec.json.decode(response.content, type=Health)
    except msgspec.DecodeError:
        return problem("public", "foreign", **facts)
    return answer if answer.status == "ok" else problem("public", "foreign", **facts)


def judge_seen(seen: Seen, settings: Settings) -> Check:
    """Judge what the server has seen of a request that went by `public_url`."""
    facts = {"peer": seen.peer, "address": seen.address}
    is_trusted = _is_in(seen.peer, settings.trusted_proxies)
    if _is_everybody(settings.trusted_proxies):
        return problem("proxy", "everybody", **facts)
    if seen.is_forwarded and not is_trusted:
        return problem("proxy", "distrusted", **facts)
    if is_trusted and not seen.is_forwarded:
        return problem("proxy", "silent", **facts)
    return ok("proxy", "trusted" if seen.is_forwarded else "none", **facts)


def _is_in(text: str, networks: Sequence[str]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return _is_in(str(address.ipv4_mapped), networks)
    return any(address in ipaddress.ip_network(n, strict=False) for n in networks)


def _is_everybody(networks: Sequence[str]) -> bool:
    return any(ipaddress.ip_network(n, strict=False).prefixlen == 0 for n in networks)


async def check_websocket(url: str) -> Check:
    """Ask for a socket as a browser would; there is long poll where none opens."""
    target = "ws" + url.removeprefix("http") + WEBSOCKET_PATH
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": key,
        "sec-websocket-protocol": "kefu.v1.json",
        "origin": url,
    }
    why = ""
    try:
        async with (
            httpx.AsyncClient(timeout=WAIT_S) as client,
            client.stream("GET", f"{url}{WEBSOCKET_PATH}", headers=headers) as response,
        ):
            expected = accept_of(key)
            if response.status_code != _SWITCHED:
                why = f"status {response.status_code}"
            elif response.headers.get("sec-websocket-accept") != expected:
                why = "an answer that is no socket's"
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
    if why:
        return warning("websocket", "blocked", url=target, why=why)
    return ok("websocket", "open", url=target)


def accept_of(key: str) -> str:
    """Return what a server answers to a key (RFC 6455, 4.2.2)."""
    digest = hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


async def _patience(url: str, secret: bytes | None, wait_s: float) -> Check:
    """Have an answer wait as long as one of long poll may."""
    facts = {"seconds": f"{wait_s:.0f}"}
    if secret is None:
        return warning("longpoll", "unknown", **facts)
    answer = await _ask(url, secret, wait_s)
    if isinstance(answer, Check):
        return problem("longpoll", "cut", **facts)
    return ok("longpoll", "waits", **facts)
