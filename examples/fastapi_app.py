"""kefu inside a FastAPI application, behind the application's own logins.

    pip install 'kefu[client,sqlite]' fastapi hypercorn
    SHOP_PASSWORD=… hypercorn examples.fastapi_app:app --bind 127.0.0.1:8000

`POST /token {"name": "…"}` stands for your own login; with the password it is an
agent's. Connect with
`kefu_core.client.Client("http://127.0.0.1:8000", token=…)` or as docs/protocol.md says.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from starlette.routing import Route, WebSocketRoute

from kefu_core.abc.streams import PeerInfo
from kefu_core.desk import Desk
from kefu_core.errors import Unauthorized
from kefu_core.ids import IdGenerator, agent_participant, visitor_participant
from kefu_core.limits import Limits
from kefu_core.model import Principal, Role, Site
from kefu_core.node import Node, monotonic, unix_ms
from kefu_core.store.sql import SqlStore

people: dict[str, Principal] = {}
ids = IdGenerator(unix_ms)


async def authenticate(token: str, peer: PeerInfo) -> Principal:
    """Say who a token belongs to: the one question that is yours to answer."""
    if token not in people:
        raise Unauthorized
    return people[token]


async def revalidate(principal: Principal) -> bool:
    """Say whether a live connection may go on; asked about once a minute."""
    return principal in people.values()


limits = Limits()
url = os.environ.get("SHOP_DATABASE", "sqlite+aiosqlite:///shop.db")
store = SqlStore(url, limits=limits, now=monotonic, now_ms=unix_ms)
desk = Desk(
    store, authenticate, limits, ids, unix_ms, revalidate=revalidate, now=monotonic
)
node = Node(store, desk, limits)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the node open for as long as the application runs."""
    async with node:
        await store.put_site(Site(id=1, name="Tea House", embed_key="tea"))
        yield


class Person(BaseModel):
    """Who wants to talk; agents know the password."""

    name: str
    password: str = ""


app = FastAPI(lifespan=lifespan)


@app.post("/token")
async def token(person: Person) -> dict[str, str]:
    """Log somebody in."""
    made, number = secrets.token_urlsafe(24), ids.new()
    who, role = visitor_participant(number), Role.VISITOR
    if person.password:
        right = os.environ["SHOP_PASSWORD"].encode()
        if not secrets.compare_digest(person.password.encode(), right):
            raise HTTPException(403, "The password is wrong.")
        who, role = agent_participant(number), Role.AGENT
    people[made] = Principal(participant=who, role=role, site_id=1, name=person.name)
    return {"token": made}


# Routes, not `mount`, which takes a path with a slash after it only.
app.router.routes += [
    WebSocketRoute("/kefu/ws", node.websocket),
    Route("/kefu/poll", node.longpoll, methods=["POST"]),
]
