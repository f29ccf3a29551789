"""The ASGI application: opens the node, mounts transports, routes and pages."""

import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from kefu_core.abc.outgoing import MailRules
from kefu_core.abc.store import Store
from kefu_core.abc.tracing import MessageTracer
from kefu_core.desk import Desk
from kefu_core.desk.journal import Journal
from kefu_core.errors import ErrorCode, KefuError
from kefu_core.ids import IdGenerator
from kefu_core.node import Node, monotonic, unix_ms
from kefu_core.senders.posting import HttpPoster
from kefu_core.storage.local import ARRIVING, Spool
from kefu_core.storage.pictures import PillowThumbnailer, has_pillow
from kefu_core.transports.longpoll import LongPollTransport
from kefu_server import openapi
from kefu_server.answers import answer_error, refuse
from kefu_server.auth import Authenticator
from kefu_server.database import open_store
from kefu_server.descriptors import watch_descriptors
from kefu_server.logs import event
from kefu_server.metrics import LoopLag
from kefu_server.middleware import (
    VISIT,
    AccessLog,
    RequestGuard,
    SecurityHeaders,
    TrustedProxies,
)
from kefu_server.operations import Operations
from kefu_server.outbound import make_mailer
from kefu_server.pages import Pages
from kefu_server.request_ids import RequestIds
from kefu_server.routes import (
    account,
    agents,
    erasure,
    export,
    health,
    history,
    operations,
    search,
    visitors,
)
from kefu_server.routes.api import Gate, api_routes
from kefu_server.routes.files import FileRoutes
from kefu_server.routes.setup import PATH as SETUP
from kefu_server.routes.setup import SetupRoutes
from kefu_server.routes.visits import VisitRoutes
from kefu_server.services import Services
from kefu_server.settings import Settings, load_secret
from kefu_server.static import StaticFiles
from kefu_server.storing import open_files
from kefu_server.tokens import OperatorTokens
from kefu_server.tracing import tracing
from kefu_server.translating import make_translators
from kefu_server.turns import Turns

logger = logging.getLogger("kefu.server")

WEB = Path(__file__).parent / "web"
WEBSOCKET_PATH = "/kefu/ws"
LONGPOLL_PATH = "/kefu/poll"
_CONVERSATION = "/api/history/conversations/{conversation:int}"


class KefuApp(Starlette):
    """Starlette with the middleware that holds for every answer, also for a 500."""

    def __init__(self, settings: Settings, routes: Sequence[BaseRoute]) -> None:
        """Take checked settings; the node opens with the lifespan."""
        super().__init__(
            routes=routes,
            lifespan=lambda app: _traced_lifespan(settings, app),
            exception_handlers={
                KefuError: answer_error,
                HTTPException: _answer_http_error,
                Exception: answer_error,
            },
        )
        # A redirect would repeat the Host header, which anybody can write.
        self.router.redirect_slashes = False
        self.settings = settings

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap Starlette's own stack, outermost last."""
        settings = self.settings
        app: ASGIApp = RequestGuard(
            super().build_middleware_stack(),
            origins=settings.origins,
            body_bytes_max=settings.limits.frame_bytes_max,
        )
        app = AccessLog(app, monotonic)
        app = _TransportDoor(self, app)
        app = SecurityHeaders(app, is_secure=settings.is_secure)
        return TrustedProxies(RequestIds(app), settings.trusted_proxies)


def create_app(settings: Settings, *, store: Store | None = None) -> KefuApp:
    """Build the application.

    Args:
        settings: Checked settings.
        store: Where to keep everything instead of `settings.database`, for tests.
    """
    static = StaticFiles(WEB)
    files = FileRoutes(Gate(settings.limits))
    visits = VisitRoutes(monotonic, unix_ms)
    setup = SetupRoutes(monotonic, unix_ms)
    routes = [*_routes(static, files, visits, setup), api_routes(settings.limits)]
    app = KefuApp(settings, routes)
    app.state.pages = Pages(static, settings.origins)
    app.state.store = store
    app.state.setup = setup
    app.state.spool = Spool(Path(settings.data_dir) / "files" / ARRIVING)
    return app


def _routes(
    static: StaticFiles, files: FileRoutes, visits: VisitRoutes, setup: SetupRoutes
) -> list[BaseRoute]:
    """Every way in over HTTP; the tests of access go through this list."""
    return [
        WebSocketRoute(WEBSOCKET_PATH, _NodeTransport("websocket")),
        Route(LONGPOLL_PATH, _NodeTransport("longpoll"), methods=["POST"]),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", health.metrics),
        Route("/widget.js", static.serve_loader),
        Route("/static/{version}/{name:path}", static.serve),
        Route("/widget/{embed_key}", visitors.widget_page),
        Route("/widget/{embed_key}/visit", visits.page),
        Route(VISIT, visits.report, methods=["POST"]),
        Route("/api/visitor/token", visitors.visitor_token, methods=["POST"]),
        Route("/api/visitor/erase", erasure.erase, methods=["POST"]),
        Route(SETUP, setup.page),
        Route("/api/setup", setup.make, methods=["POST"]),
        Route("/console", agents.console_page),
        Route(agents.LOGIN_PATH, agents.login, methods=["POST"]),
        Route("/api/agent/logout", agents.logout, methods=["POST"]),
        Route("/api/agent/me", agents.me),
        Route("/api/agent/account", account.account),
        Route("/api/agent/password", account.change_password, methods=["POST"]),
        Route("/api/agent/factor", account.offer_factor, methods=["POST"]),
        Route("/api/agent/factor/on", account.switch_on_factor, methods=["POST"]),
        Route("/api/agent/factor/off", account.switch_off_factor, methods=["POST"]),
        Route("/api/agent/sessions/end", account.end_sessions, methods=["POST"]),
        Route("/api/operations", operations.operations),
        Route("/api/history/facets", history.facets),
        Route("/api/history/conversations", history.list_conversations),
        Route(_CONVERSATION, history.find_conversation),
        Route(f"{_CONVERSATION}/messages", history.list_messages),
        Route("/api/history/search", search.search),
        Route("/api/history/export", export.export_file),
        Route(
            "/api/conversations/{conversation:int}/files/{key}",
            files.upload,
            methods=["PUT"],
        ),
        Route("/api/files/{file:int}", files.download),
        Route("/api/files/{file:int}/thumbnail", files.thumbnail),
        Route(openapi.PATH, openapi.serve_document),
    ]


@asynccontextmanager
async def _beside(
    work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any
) -> AsyncIterator[None]:
    """Do something meanwhile; an error of the block is raised as it is, in no group."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, *arguments)
        try:
            yield
        except Exception as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def _traced_lifespan(settings: Settings, app: Starlette) -> AsyncIterator[None]:
    # Outermost: what is still sent while the node closes is traced too.
    with tracing(settings) as tracer:
        async with _lifespan(settings, app, tracer):
            yield


@asynccontextmanager
async def _lifespan(
    settings: Settings, app: Starlette, tracer: MessageTracer | None
) -> AsyncIterator[None]:
    """Open store, hub and desk for as long as the server runs."""
    secret = load_secret(settings)
    app.state.operator = OperatorTokens(secret, unix_ms)
    store = app.state.store or open_store(settings)
    ids = IdGenerator(unix_ms)
    auth = Authenticator(
        store,
        secret,
        settings.limits,
        origins=settings.origins,
        is_secure=settings.is_secure,
        now=monotonic,
        now_ms=unix_ms,
        journal=Journal(store, ids, unix_ms),
        second_factor=settings.second_factor,
    )
    storage = open_files(settings)
    spool: Spool = app.state.spool
    desk = Desk(
        store,
        auth.authenticate,
        settings.limits,
        ids,
        unix_ms,
        revalidate=auth.revalidate,
        find_revoked=auth.find_revoked,
        read_invitation=auth.invitations.read,
        now=monotonic,
        hash_password=auth.hash_new_password,
        storage=storage,
        thumbnailer=PillowThumbnailer() if has_pillow() else None,
        mail=MailRules(sender=settings.mail.sender if settings.mail.host else ""),
    )
    longpoll = LongPollTransport(credential_of=auth.credential_of)
    transports = ("websocket", longpoll, "tcp")
    node = Node(
        store,
        desk,
        settings.limits,
        transports=transports,
        mailer=make_mailer(settings),
        poster=HttpPoster(settings.webhooks.allow),
        storage=storage,
        translators=make_translators(settings),
        tracer=tracer,
    )
    app.state.lag = lag = LoopLag(monotonic)
    app.state.operations = watched = Operations(
        settings, now=monotonic, now_ms=unix_ms, in_memory=app.state.store is not None
    )
    async with (
        node,
        _beside(spool.run, unix_ms),
        _beside(lag.run),
        _beside(watched.recent.run, node, lag),
        _beside(watch_descriptors),
    ):
        watched.weak = await store.problems()
        for problem in watched.weak:
            logger.warning(event("not_durable", problem=problem))
        if problem := await storage.problem():
            # The chat does not need files, so it serves without them.
            logger.warning(event("no_files", problem=problem))
        await app.state.setup.open(store, settings.origins[0])
        app.state.node = node
        app.state.services = Services(
            store=store,
            hub=node.hub,
            desk=desk,
            auth=auth,
            ids=ids,
            limits=settings.limits,
            turns=Turns(settings.limits),
        )
        try:
            yield
        finally:
            app.state.services = app.state.node = None


class _TransportDoor:
    """Takes what carries frames past everything that is for pages and requests.

    Starlette wraps `send` for its error pages, on the way of every message and for
    as long as a connection lives; and a held poll is no line of an access log. A
    transport has limits of its own, and the origin is checked with the hello.
    """

    def __init__(self, server: Starlette, app: ASGIApp) -> None:
        self._server = server
        self._app = app
        self._doors = {
            ("websocket", WEBSOCKET_PATH): _NodeTransport("websocket"),
            ("http", LONGPOLL_PATH): _NodeTransport("longpoll"),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve frames at their paths, pass everything else on."""
        door = self._doors.get((scope["type"], scope.get("path", "")))
        if door is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._server
        await door(scope, receive, send)


class _NodeTransport:
    """The node's application of a transport, which exists while the server runs."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket or request."""
        node = scope["app"].state.node
        if node is not None:
            await node.asgi(self._name)(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})
        else:
            await refuse(503, ErrorCode.BUSY, "The server is not ready.")(
                scope, receive, send
            )


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Give Starlette's own 404 and 405 the shape of every other error."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = ErrorCode.NOT_FOUND if status == 404 else ErrorCode.BAD_REQUEST
    text = "There is nothing here." if status == 404 else "This method is not allowed."
    response = refuse(status, code, text)
    if isinstance(error, HTTPException):
        # `Allow`, where a method is not allowed.
        response.headers.update(error.headers or {})
    return response
