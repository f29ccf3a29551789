"""`/api/v1`: every method of the desk as a request, from the same registry as `call`.

Agents are known by their cookie, programs and visitors by the token they bring. Where a
token stands, no cookie counts: so a request that needs no `Origin` can use none.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from kefu_core.abc.streams import PeerInfo
from kefu_core.desk.calls import CALLS, find_method
from kefu_core.desk.methods import Method
from kefu_core.errors import Busy, Invalid, TooMany, Unauthorized
from kefu_core.limits import Limits
from kefu_core.model import Principal
from kefu_core.node import monotonic
from kefu_core.protocol.codec import fault_of
from kefu_server.answers import address_of, answer
from kefu_server.middleware import API
from kefu_server.queries import read_texts
from kefu_server.services import agent_of, services_of
from kefu_server.throttle import AddressPace

Endpoint = Callable[[Request], Awaitable[Response]]

_SCHEME = "Bearer "
_TOKEN_CHARS_MAX = 4_096


class Gate:
    """Paces of requests, as a connection has them for its frames."""

    def __init__(self, limits: Limits) -> None:
        """Count from now on."""
        self._limits = limits
        self._callers = AddressPace(limits.frames_per_s, limits.frames_burst)
        self._strangers = AddressPace(limits.frames_per_s, limits.frames_burst)
        self._running: dict[str, int] = {}

    def refuse_strangers(self, address: str) -> None:
        """Count a request that showed nothing good. Raises `TooMany`."""
        wait_s = self._strangers.take(address, monotonic())
        if wait_s > 0:
            raise TooMany("Too many refused requests.", retry_after_s=wait_s)

    @contextmanager
    def one(self, principal: Principal) -> Iterator[None]:
        """Let one request of somebody through. Raises `TooMany`, `Busy`."""
        who = f"{principal.participant}@{principal.site_id}"
        wait_s = self._callers.take(who, monotonic())
        if wait_s > 0:
            raise TooMany(retry_after_s=wait_s)
        running = self._running.get(who, 0)
        if running >= self._limits.requests_waiting_max:
            raise Busy("Too many requests wait.", retry_after_s=0.5)
        self._running[who] = running + 1
        try:
            yield
        finally:
            self._running[who] -= 1
            if not self._running[who]:
                del self._running[who]


def path_of(method: Method) -> tuple[str, str]:
    """Return a method's verb and whole path."""
    verb, _, path = method.http.partition(" ")
    return verb, f"{API.rstrip('/')}{path}"


def names_in(path: str) -> list[str]:
    """Return the parameters in a path."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def api_routes(limits: Limits) -> Mount:
    """Return one route for each method of the desk."""
    gate = Gate(limits)
    paths: dict[str, dict[str, Endpoint]] = {}
    for name, method in CALLS.items():
        verb, path = method.http.split(" ")
        paths.setdefault(path, {})[verb] = _endpoint(name, method, gate)
    # Words before parameters: `/conversations/list` is no conversation.
    ordered = sorted(paths, key=lambda path: path.count("{"))
    routes = [_route(path, paths[path]) for path in ordered]
    return Mount(API.rstrip("/"), app=Router(routes, redirect_slashes=False))


def _route(path: str, endpoints: dict[str, Endpoint]) -> Route:
    """Return one route for all verbs, so that a 405 can name all of them."""
    if "GET" in endpoints:
        endpoints["HEAD"] = endpoints["GET"]

    async def serve(request: Request) -> Response:
        return await endpoints[request.method](request)

    return Route(path, serve, methods=list(endpoints))


def _endpoint(name: str, method: Method, gate: Gate) -> Endpoint:
    async def serve(request: Request) -> Response:
        principal = await caller_of(request, gate)
        with gate.one(principal):
            find_method(principal, name)
            params = await _read(request, method)
            services = services_of(request)
            if services.hub.is_draining:
                raise Busy("This node is going away.", retry_after_s=1.0)
            return answer(await services.desk.call(principal, name, params))

    return serve


async def caller_of(request: Request, gate: Gate) -> Principal:
    """Return who asks. Raises `Unauthorized`, or `TooMany` for too many of those."""
    auth = services_of(request).auth
    address = address_of(request)
    try:
        token = _token_of(request.headers)
        if token is None:
            return await agent_of(request)
        peer = PeerInfo(transport="http", address=address)
        return await auth.authenticate(token, peer)
    except Unauthorized:
        gate.refuse_strangers(address)
        raise


def _token_of(headers: Mapping[str, str]) -> str | None:
    """Return the token of a request, None where there is none at all."""
    shown = headers.get("authorization")
    if shown is None:
        return None
    if not shown.startswith(_SCHEME) or not 0 < len(shown) <= _TOKEN_CHARS_MAX:
        raise Unauthorized("Write: Authorization: Bearer, a space and the token.")
    token = shown.removeprefix(_SCHEME).strip()
    if not token:
        raise Unauthorized
    return token


async def _read(request: Request, method: Method) -> dict[str, Any]:
    """Return a method's parameters. Raises `Invalid`, naming the wrong one."""
    in_path = request.path_params
    params = read_texts(in_path.items(), method.params)
    query = request.query_params.multi_items()
    if request.method in {"GET", "HEAD"}:
        return params | read_texts(query, method.params, without=in_path)
    if query:
        raise Invalid("The parameters of this request stand in its body.")
    body = _decode(await request.body(), services_of(request).limits)
    for name in body:
        if name in in_path:
            raise Invalid(f"The parameter '{name}' stands in the path already.")
    return params | body


def _decode(body: bytes, limits: Limits) -> dict[str, Any]:
    if not body:
        return {}
    try:
        decoded = msgspec.json.decode(body, type=dict[str, Any])
    # A deep nest raises RecursionError, a lone surrogate UnicodeDecodeError.
    except msgspec.ValidationError:
        raise Invalid("The body is not a JSON object.") from None
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise Invalid("The body is not valid JSON.") from None
    fault = fault_of(decoded, limits.depth_max - 1) if decoded else ""
    if fault:
        raise Invalid(fault)
    return decoded
