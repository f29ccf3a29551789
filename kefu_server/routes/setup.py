"""The first admin and the first site on a page, while there is no admin yet.

Whoever can reach the server before its operator must not become its admin: a code that
only the operator's terminal shows opens the page's form. It is random, made anew with
each start, compared in constant time, and tried as seldom as passwords are. With the
first admin, however made, the page is gone.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Annotated, Literal

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.abc.store import Store
from kefu_core.errors import Conflict, NotFound, TooMany, Unauthorized
from kefu_core.ids import IdGenerator
from kefu_core.model import Agent, Role
from kefu_server.accounts import (
    check_login,
    check_name,
    embed_line,
    make_site,
    put_agent,
    put_site,
)
from kefu_server.answers import address_of, answer, read_json
from kefu_server.logs import event
from kefu_server.pages import Pages
from kefu_server.services import services_of
from kefu_server.throttle import AddressPace, Throttle, address_key

logger = logging.getLogger("kefu.server")

PATH = "/setup"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LETTER_COUNT = 12
"""60 bits: with the pace below, guessing takes longer than the universe has."""
_FAILURES_MAX, _WINDOW_S = 5, 900.0
_TRIES_PER_S, _TRIES_BURST = 1.0, 20


class FirstAdmin(msgspec.Struct, frozen=True, kw_only=True):
    """Who will manage kefu."""

    login: str
    name: str
    password: str


class FirstSite(msgspec.Struct, frozen=True, kw_only=True):
    """The pages that will show the chat."""

    name: str
    origins: Annotated[list[str], msgspec.Meta(min_length=1)]
    locale: Literal["zh-CN", "en"] = "zh-CN"


class SetupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/setup`."""

    code: str
    admin: FirstAdmin
    site: FirstSite


class SetupAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What there is now."""

    embed: str
    """The line for the site's pages."""
    site: str
    """The site's key."""


class SetupRoutes:
    """The page and what it sends; one for each server."""

    def __init__(self, now: Callable[[], float], now_ms: Callable[[], int]) -> None:
        """Take the clocks: monotonic seconds, Unix milliseconds."""
        self._now = now
        self._now_ms = now_ms
        self._code = ""
        """Empty: setting up is over, or the server has not started."""
        self._failures = Throttle(_FAILURES_MAX, _WINDOW_S)
        self._pace = AddressPace(_TRIES_PER_S, _TRIES_BURST)
        self._lock = anyio.Lock()
        """Held from looking for an admin to storing one."""

    async def open(self, store: Store, origin: str) -> None:
        """Make a code and show it, where nobody can manage kefu yet."""
        if await _has_admin(store):
            return
        letters = [secrets.choice(_LETTERS) for _ in range(_LETTER_COUNT)]
        self._code = "".join(letters)
        parts = [self._code[at : at + 4] for at in range(0, _LETTER_COUNT, 4)]
        # On the operator's terminal, at whatever level the log is.
        logger.warning(event("setup", url=origin + PATH, code="-".join(parts)))

    async def page(self, request: Request) -> Response:
        """Answer the page; it holds nothing that a stranger may not see."""
        await self._require_open(services_of(request).store)
        pages: Pages = request.app.state.pages
        return pages.setup()

    async def make(self, request: Request) -> Response:
        """Make the first admin and site; answer the line to embed."""
        services = services_of(request)
        await self._require_open(services.store)
        asked = await read_json(request, SetupRequest)
        self._check_code(asked.code, address_of(request))
        check_login(asked.admin.login)
        check_name(asked.admin.name)
        site = make_site(asked.site.name, asked.site.origins, asked.site.locale)
        hashed = await services.auth.hash_new_password(
            asked.admin.password, asked.admin.login
        )
        admin = Agent(
            id=IdGenerator(self._now_ms).new(),
            login=asked.admin.login,
            name=asked.admin.name,
            password_hash=hashed,
            role=Role.ADMIN,
        )
        async with self._lock:
            await self._require_open(services.store)
            if await services.store.find_agent(login=admin.login) is not None:
                raise Conflict(f"There is an agent with the login {admin.login}.")
            await put_site(services.store, site, "")
            # Last: once there is an admin, nothing can be made here.
            await put_agent(services.store, admin, "")
            self._code = ""
        logger.info(event("setup_done", login=admin.login, site=site.name))
        line = embed_line(request.app.settings.origins[0], site.embed_key)
        return answer(SetupAnswer(embed=line, site=site.embed_key))

    async def _require_open(self, store: Store) -> None:
        """Raise `NotFound`, as for a page that never was, unless it is open."""
        if self._code and await _has_admin(store):
            # Made on the command line, or by another server.
            self._code = ""
        if not self._code:
            raise NotFound("There is nothing here.")

    def _check_code(self, said: str, address: str) -> None:
        key, now = address_key(address), self._now()
        wait_s = self._failures.wait_s(key, now) or self._pace.take("", now)
        if wait_s:
            raise TooMany(retry_after_s=wait_s)
        self._failures.charge(key, now)
        plain = said.strip().upper().replace("-", "").replace(" ", "")
        if not secrets.compare_digest(plain.encode(), self._code.encode()):
            logger.warning(event("setup_refused", address=address))
            raise Unauthorized("This is not the code that the server's terminal shows.")
        self._failures.forget(key)


async def _has_admin(store: Store) -> bool:
    return any(agent.role is Role.ADMIN for agent in await store.agents())
