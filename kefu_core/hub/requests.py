"""What a connection asks for, worked off one at a time, in order."""

import logging
from typing import TYPE_CHECKING, TypeVar

import anyio

from kefu_core.errors import Busy, KefuError, NotAllowed
from kefu_core.hub.fanout import cut_page, page_message
from kefu_core.hub.wholeness import read_page
from kefu_core.model import Principal
from kefu_core.protocol import frames as f
from kefu_core.protocol.server import internal_error
from kefu_core.types import ConversationId, Seq

if TYPE_CHECKING:
    from kefu_core.hub.connection import Connection
    from kefu_core.hub.hub import Hub

logger = logging.getLogger(__name__)

R = TypeVar("R", f.Send, f.Follow)


def _rights_of(principal: Principal | None) -> object:
    """What must stay as it is: what is followed was allowed for exactly this."""
    return principal and (
        principal.numbers,
        principal.role,
        principal.site_id,
        principal.sites,
        principal.scopes,
    )


class Requests:
    """The queue and its worker, which is started on demand."""

    __slots__ = (
        "_connection",
        "_drained",
        "_hub",
        "_is_working",
        "_waiting",
    )

    def __init__(self, hub: "Hub", connection: "Connection") -> None:
        self._hub = hub
        self._connection = connection
        self._waiting: list[f.Frame] = []
        self._is_working = False
        self._drained: anyio.Event | None = None
        """Set when the outbox has emptied to the half; there while that is awaited."""

    def add(self, frame: f.Frame) -> None:
        """Queue a request; too many are refused, sends are limited elsewhere."""
        is_full = len(self._waiting) >= self._hub.limits.requests_waiting_max
        if is_full and not isinstance(frame, f.Send):
            busy = Busy("Too many requests wait.", retry_after_s=0.5)
            self._connection.session.error(busy, about=frame)
            return
        self._waiting.append(frame)
        tasks = self._connection.tasks
        if not self._is_working and tasks is not None:
            self._is_working = True
            tasks.start_soon(self._work)

    def withdraw(self, kind: type[R], conversation: ConversationId) -> list[R]:
        """Remove and return the sends or follows of a conversation that still wait."""
        withdrawn: list[R] = []
        kept: list[f.Frame] = []
        for request in self._waiting:
            if isinstance(request, kind) and request.conversation == conversation:
                withdrawn.append(request)
            else:
                kept.append(request)
        self._waiting = kept
        return withdrawn

    def has_room_again(self) -> None:
        """Go on after the peer has read."""
        if self._drained is not None:
            self._drained.set()

    async def _work(self) -> None:
        outbox = self._connection.outbox
        try:
            while self._waiting:
                while not outbox.is_half_empty:
                    # A peer that asks for pages and does not read them waits for
                    # itself, not in our memory (G7).
                    self._drained = anyio.Event()
                    await self._drained.wait()
                if not self._waiting:
                    return
                await self._answer(self._waiting.pop(0))
                self._connection.act()
        finally:
            self._is_working = False

    async def _answer(self, request: f.Frame) -> None:
        connection = self._connection
        try:
            match request:
                case f.Send():
                    await connection.sends.answer(request)
                case f.Follow():
                    await connection.following.answer(request)
                case f.Fetch():
                    await self._answer_fetch(request)
                case f.Call():
                    await self._answer_call(request)
                case f.Auth():
                    await self._answer_auth(request)
                case _:
                    raise AssertionError(f"{request!r} is not a request")
        except KefuError as error:
            connection.session.error(error, about=request)
        except Exception:
            logger.exception("a request failed by a fault of ours")
            connection.session.error(internal_error(), about=request)

    async def _answer_fetch(self, fetch: f.Fetch) -> None:
        connection = self._connection
        row = await connection.load(fetch.conversation)
        reader = connection.name_in(row)
        limit = fetch.limit
        messages = await read_page(
            self._hub,
            row.id,
            after=fetch.after,
            before=fetch.before,
            limit=limit + 1,
            head=row.last_seq,
        )
        more = len(messages) > limit
        if more:
            messages = messages[:limit] if fetch.after is not None else messages[1:]
        messages, cut = cut_page(
            messages, self._hub.limits.page_bytes_max, from_end=fetch.after is None
        )
        connection.session.answer(
            f.Page(
                id=fetch.id,
                conversation=fetch.conversation,
                messages=[
                    page_message(m, as_visitor=not connection.is_agent, reader=reader)
                    for m in messages
                ],
                more=more or cut,
                head=max(row.last_seq, messages[-1].seq if messages else Seq(0)),
            )
        )

    async def _answer_call(self, call: f.Call) -> None:
        principal = self._connection.principal
        assert principal is not None, "call before welcome"
        if self._hub.is_draining:
            raise Busy("This node is going away.", retry_after_s=1.0)
        result = await self._hub.handler.call(principal, call.method, call.params)
        self._connection.session.answer(f.Reply(id=call.id, result=result))

    async def _answer_auth(self, auth: f.Auth) -> None:
        connection = self._connection
        principal = await self._hub.handler.authenticate(auth.token, connection.peer)
        if _rights_of(principal) != _rights_of(connection.principal):
            raise NotAllowed("This token is somebody else's.")
        connection.principal = principal
        connection.session.authorized(
            connection.expiry(principal), principal.expires_at_ms
        )
