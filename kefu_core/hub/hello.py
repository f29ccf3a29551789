"""From `hello` to `welcome`: who it is, what there is, and where to go on."""

import logging
from typing import TYPE_CHECKING

from kefu_core.errors import Banned, Busy, CloseCode, KefuError, Unauthorized
from kefu_core.model import Person, Principal
from kefu_core.protocol import frames as f
from kefu_core.protocol.server import internal_error

if TYPE_CHECKING:
    from kefu_core.hub.connection import Connection
    from kefu_core.hub.hub import Hub

logger = logging.getLogger(__name__)


async def answer_hello(hub: "Hub", connection: "Connection", hello: f.Hello) -> None:
    """Welcome a connection, or say why not and close it."""
    session = connection.session
    try:
        if hub.is_draining:
            connection.close(CloseCode.RESTART, "restart")
            return
        principal = await hub.handler.authenticate(hello.token, connection.peer)
        _admit(hub, principal)
        # A thousand who come back at once would wait at the store until it gives up
        # on them, and come again: they wait here instead, first come first served.
        async with hub.hello_limiter:
            await _welcome(hub, connection, hello, principal)
    except Unauthorized as error:
        session.error(error, about=hello)
        connection.close(CloseCode.UNAUTHORIZED, error.text)
    except Banned as error:
        session.error(error, about=hello)
        connection.close(CloseCode.BANNED, error.text)
    except KefuError as error:
        session.error(error, about=hello)
        connection.close(CloseCode.OVERLOADED, error.text)
    except Exception:
        logger.exception("hello failed by a fault of ours")
        session.error(internal_error(), about=hello)
        connection.close(CloseCode.OVERLOADED)
    connection.act()


def _admit(hub: "Hub", principal: Principal) -> None:
    limits = hub.limits
    maximum = (
        limits.agent_connections_max
        if principal.is_agent
        else limits.visitor_connections_max
    )
    if hub.connections_of(principal.participant) >= maximum:
        raise Busy(f"At most {maximum} connections at once.", retry_after_s=5.0)


async def _welcome(
    hub: "Hub", connection: "Connection", hello: f.Hello, principal: Principal
) -> None:
    connection.identify(principal)
    following, session = connection.following, connection.session
    same_history = hello.epoch in ("", hub.store.epoch)
    wanted = hello.cursors if same_history else {}
    for conversation in wanted:
        following.attach(conversation)
    rows = {row.id: row for row in await hub.handler.conversations(principal)}
    current = next(iter(rows)) if len(rows) > 1 else None
    others = [conversation for conversation in wanted if conversation not in rows]
    if others:
        found = await hub.handler.load_conversations(principal, others)
        rows.update({row.id: row for row in found})
    for conversation in others:
        if conversation not in rows:
            following.detach(conversation)
    heads = {row.id: following.head(row) for row in rows.values()}
    resumed = same_history and all(
        after <= heads.get(conversation, after)
        for conversation, after in wanted.items()
    )
    if session.state != "authenticating":
        return  # Closed while the store was asked.
    if hub.is_draining:
        # A welcome now would be for good: `drain` was said before it.
        connection.close(CloseCode.RESTART, "restart")
        return
    _admit(hub, principal)  # Others may have come in while the store was asked.
    connection.was_welcomed, connection.here_since = True, hub.unix_ms()
    hub.joined(connection)
    session.welcome(
        session=f"{hub.rng.getrandbits(64):016x}",
        epoch=hub.store.epoch,
        resumed=resumed,
        me=Person(id=connection.me, name=principal.name, role=principal.role),
        heads=heads,
        at=hub.unix_ms(),
        expires_at=connection.expiry(principal),
        current=current,
    )
    followed = [c for c in wanted if c in rows]
    for conversation in followed:
        if resumed:
            following.start(rows[conversation], wanted[conversation])
        else:
            following.detach(conversation)
    connection.flush()
    if resumed:
        await following.load_receipts(followed)
