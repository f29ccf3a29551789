"""kefu inside a plain Starlette application: two routes and a lifespan.

    pip install 'kefu[client]' starlette hypercorn
    hypercorn examples.starlette_app:app --bind 127.0.0.1:8000

Everybody whose token begins with `v` is that visitor, with `a` that agent: put your own
logins there. History is kept in memory; see fastapi_app.py for a database.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from kefu_core.abc.streams import PeerInfo
from kefu_core.desk import Desk
from kefu_core.errors import Unauthorized
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import Principal, Role, Site
from kefu_core.node import Node, monotonic, unix_ms
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId


async def authenticate(token: str, peer: PeerInfo) -> Principal:
    """Say who a token belongs to."""
    if token[:1] not in ("a", "v") or not token[1:].isdigit():
        raise Unauthorized
    role = Role.AGENT if token[0] == "a" else Role.VISITOR
    return Principal(participant=ParticipantId(token), role=role, site_id=1)


async def revalidate(principal: Principal) -> bool:
    """Say whether a live connection may go on."""
    return True


limits, ids = Limits(), IdGenerator(unix_ms)
store = MemoryStore(limits, now=monotonic, now_ms=unix_ms)
desk = Desk(
    store, authenticate, limits, ids, unix_ms, revalidate=revalidate, now=monotonic
)
node = Node(store, desk, limits)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep the node open for as long as the application runs."""
    async with node:
        await store.put_site(Site(id=1, name="Tea House", embed_key="tea"))
        yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        WebSocketRoute("/kefu/ws", node.websocket),
        Route("/kefu/poll", node.longpoll, methods=["POST"]),
    ],
)
