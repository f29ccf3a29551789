"""Who is asking: a visitor's token or an agent's login becomes a `Principal`.

An agent's login is a 256-bit secret; the database holds its SHA-256 only. Browsers
keep it in an HttpOnly cookie, programs may hand it over as the token of `hello`. The
cookie counts on a socket only when the `Origin` is exactly the server's own, because
browsers send cookies with every socket any page opens. Visitors never use cookies.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.abc.streams import PeerInfo
from kefu_core.desk.access import sites_of
from kefu_core.desk.journal import Journal
from kefu_core.desk.programs import PREFIX, SESSION, hash_token, session_of
from kefu_core.errors import TooMany, Unauthorized
from kefu_core.ids import agent_participant, visitor_participant
from kefu_core.limits import Limits
from kefu_core.model import Agent, Principal, Role
from kefu_core.records import ApiToken, VisitorAlias, VisitorIdentity
from kefu_core.types import ParticipantId, UnixMs
from kefu_server.logins import Login, Logins, Required
from kefu_server.logs import event
from kefu_server.sessions import TOUCH_MS, hash_secret
from kefu_server.throttle import AddressPace, address_key
from kefu_server.tokens import InvitationTokens, VisitorClaims, VisitorTokens

__all__ = ["UNSIGNED", "Authenticator", "Login", "hash_secret"]

logger = logging.getLogger("kefu.auth")

UNSIGNED = "This site must have signed who you are."
_SITES_S = 2.0
"""For so long it is remembered which sites want their visitors signed."""
_REFUSALS_PER_S, _REFUSALS_BURST = 0.2, 20
"""Lines in the log about one address that is refused."""


def _rights(principal: Principal) -> tuple[Any, ...]:
    """Return what a connection may do; it ends when this is not what it was."""
    return (
        principal.participant,
        principal.role,
        principal.sites,
        principal.scopes,
    )


def _program(token: ApiToken, agent: Agent) -> Principal:
    return Principal(
        participant=agent_participant(agent.id),
        role=agent.role,
        site_id=0,
        sites=sites_of(agent),
        name=agent.name,
        expires_at_ms=token.expires_at,
        session=session_of(token.id),
        scopes=frozenset(token.scopes),
    )


class Authenticator(Logins):
    """Checks tokens, cookies and passwords against one store."""

    def __init__(
        self,
        store: Store,
        secret: bytes,
        limits: Limits,
        *,
        origins: tuple[str, ...],
        is_secure: bool,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        journal: Journal | None = None,
        second_factor: Required = "optional",
    ) -> None:
        """Take the clocks (monotonic seconds, Unix milliseconds) and own origins.

        `journal` is where logins are written down; `second_factor` says who has to
        have one.
        """
        super().__init__(
            store,
            secret,
            limits,
            now=now,
            now_ms=now_ms,
            journal=journal,
            second_factor=second_factor,
            place=f"kefu {urlsplit(origins[0]).hostname}" if origins else "kefu",
        )
        self._origins = frozenset(origins)
        self._tokens = AddressPace(
            limits.address_tokens_per_s, limits.address_tokens_burst
        )
        self._refusals = AddressPace(_REFUSALS_PER_S, _REFUSALS_BURST)
        self._strict: set[int] = set()
        """Sites whose visitors must be signed, as they were read at `_sites_at`."""
        self._signing: set[int] = set()
        """Sites that can sign for visitors."""
        self._sites_at = float("-inf")
        self.visitors = VisitorTokens(secret, limits.visitor_token_s, now_ms)
        self.invitations = InvitationTokens(secret, now_ms)
        self.is_secure = is_secure
        self.cookie = "__Host-kefu_session" if is_secure else "kefu_session"
        self.device_cookie = "__Secure-kefu_device" if is_secure else "kefu_device"

    # -- connections ---------------------------------------------------------------

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        """Return who this is. Raises `Unauthorized`, the same for every reason."""
        try:
            principal = await self._authenticate(token, peer)
        except Unauthorized:
            self._note_refusal(token, peer)
            raise
        return msgspec.structs.replace(principal, address=address_key(peer.address))

    async def _authenticate(self, token: str, peer: PeerInfo) -> Principal:
        if token:
            return await self._of_token(token)
        secret = peer.cookies.get(self.cookie, "")
        if not secret or not self.is_own_origin(peer.origin):
            raise Unauthorized
        return await self.agent_of_secret(secret)

    def _note_refusal(self, token: str, peer: PeerInfo) -> None:
        """Log where it came from and what it relied on, never the secret itself."""
        if self._refusals.take(peer.address, self._now()):
            return  # Whoever is refused all the time does not fill the disk.
        has_cookie = bool(peer.cookies.get(self.cookie))
        by = "token" if token else "cookie" if has_cookie else "nothing"
        fields = {"transport": peer.transport, "by": by, "address": peer.address}
        if by == "cookie" and not self.is_own_origin(peer.origin):
            fields["origin"] = peer.origin or "none"
        logger.warning(event("hello_refused", **fields))

    async def revalidate(self, principal: Principal) -> bool:
        """Whether a live connection may go on; counts as use of an agent's login."""
        if not principal.is_agent:
            return await self._goes_on(principal)
        try:
            fresh = (
                await self._agent_of_hash(principal.session)
                if principal.scopes is None
                else await self._program_of(await self._find_token(principal))
            )
        except Unauthorized:
            return False
        return _rights(fresh) == _rights(principal)

    async def _goes_on(self, visitor: Principal) -> bool:
        if visitor.expires_at_ms <= self._now_ms():
            return False
        await self._look_at_sites()
        if visitor.site_id not in self._signing:
            return True
        if not visitor.is_signed:
            return not await self._is_signed_for(int(visitor.participant[1:]))
        # With one number more it comes back, and has what was written under it.
        numbers = await self._store.numbers_of(visitor.participant)
        return numbers == visitor.numbers

    async def find_revoked(self, agents: Collection[Principal]) -> set[Principal]:
        """Return whose login or token was ended, is of nobody active, or has changed.

        A login ends when its agent's rights change; a token goes on, with the new ones,
        so what was let in with the old ones ends here.
        """
        logins = [each for each in agents if each.scopes is None]
        programs = [each for each in agents if each.scopes is not None]
        live: set[str] = set()
        if logins:
            sessions = sorted({each.session for each in logins})
            live = await self._store.live_agent_sessions(sessions)
        rights = await self._rights_of(programs)
        return {each for each in logins if each.session not in live} | {
            each for each in programs if rights.get(each.session) != _rights(each)
        }

    async def _rights_of(self, programs: list[Principal]) -> dict[str, Any]:
        """Return what these programs' tokens allow now; nothing of those that ended."""
        ids = sorted({int(each.session.removeprefix(SESSION)) for each in programs})
        tokens: list[ApiToken] = []
        for start in range(0, len(ids), PAGE_MAX):
            where = {"id": ids[start : start + PAGE_MAX]}
            tokens += await self._store.list_records(
                ApiToken, where=where, limit=PAGE_MAX
            )
        if not tokens:
            return {}
        agents = {a.id: a for a in await self._store.agents() if a.is_active}
        return {
            session_of(token.id): _rights(_program(token, agents[token.agent_id]))
            for token in tokens
            if token.agent_id in agents and not self._has_ended(token)
        }

    def credential_of(self, headers: Mapping[bytes, str]) -> str:
        """Return what a poll session is bound to: its token, or an agent's login."""
        cookies: SimpleCookie = SimpleCookie()
        with suppress(CookieError):
            cookies.load(headers.get(b"cookie", ""))
        morsel = cookies.get(self.cookie)
        login = morsel.value if morsel is not None else ""
        return f"{headers.get(b'authorization', '')}\n{login}"

    def is_own_origin(self, origin: str | None) -> bool:
        """Whether a request comes from this server's own pages, by exact match."""
        return origin is not None and origin in self._origins

    async def _of_token(self, token: str) -> Principal:
        if token.startswith(PREFIX):
            return await self.program_of_secret(token)
        # A signed token has two dots, an agent's secret has none.
        if "." not in token:
            return await self.agent_of_secret(token)
        claims = self.visitors.check(token)
        if not claims.is_identified and await self._wants_signed(claims.site_id):
            raise Unauthorized(UNSIGNED)
        if await self.is_outdated(claims):
            raise Unauthorized
        who = visitor_participant(claims.visitor_id)
        aliases: tuple[ParticipantId, ...] = ()
        if claims.is_identified:
            _, *others = await self._store.numbers_of(who)
            aliases = tuple(others)
        return Principal(
            participant=who,
            aliases=aliases,
            role=Role.VISITOR,
            site_id=claims.site_id,
            is_signed=claims.is_identified,
            expires_at_ms=claims.expires_at,
            session=claims.token_id,
        )

    def count_token_request(self, address: str) -> None:
        """Let an address ask for a visitor's token. Raises `TooMany`."""
        wait_s = self._tokens.take(address, self._now())
        if wait_s > 0:
            raise TooMany("Too many requests from this address.", retry_after_s=wait_s)

    async def is_outdated(self, claims: VisitorClaims) -> bool:
        """Whether a token is from before the site has signed for its visitor.

        Whoever had the browser before, or a copy of its token, is not the one who was
        signed for then. Of a number that is another one of somebody no token is good.
        """
        if claims.is_identified:
            return await self._is_alias(claims.visitor_id)
        return await self._is_signed_for(claims.visitor_id)

    async def _is_signed_for(self, visitor: int) -> bool:
        if await self._store.find_record(VisitorIdentity, visitor) is not None:
            return True
        return await self._is_alias(visitor)

    async def _is_alias(self, visitor: int) -> bool:
        return await self._store.find_record(VisitorAlias, visitor) is not None

    async def _wants_signed(self, site_id: int) -> bool:
        """Whether a site takes only visitors whom it has signed for."""
        await self._look_at_sites()
        return site_id in self._strict

    async def _look_at_sites(self) -> None:
        if self._now() - self._sites_at > _SITES_S:
            sites = await self._store.sites()
            self._strict = {s.id for s in sites if s.settings.identity.is_required}
            self._signing = {s.id for s in sites if s.secret}
            self._sites_at = self._now()

    # -- programs ------------------------------------------------------------------

    async def program_of_secret(self, secret: str) -> Principal:
        """Return the agent a token acts for. Raises `Unauthorized`."""
        where = {"token_hash": hash_token(secret)}
        found = await self._store.list_records(ApiToken, where=where, limit=1)
        return await self._program_of(found[0] if found else None)

    async def _find_token(self, principal: Principal) -> ApiToken | None:
        number = int(principal.session.removeprefix(SESSION))
        return await self._store.find_record(ApiToken, number)

    def _has_ended(self, token: ApiToken) -> bool:
        return 0 < token.expires_at <= self._now_ms()

    async def _program_of(self, token: ApiToken | None) -> Principal:
        if token is None or self._has_ended(token):
            raise Unauthorized
        agent = await self._store.find_agent(agent_id=token.agent_id)
        if agent is None or not agent.is_active:
            raise Unauthorized
        if self._now_ms() - token.last_used_at > TOUCH_MS:
            used = msgspec.structs.replace(token, last_used_at=UnixMs(self._now_ms()))
            # Only while it is as it was: one that is being deleted does not come back.
            await self._store.change_record(
                used, when={"last_used_at": token.last_used_at}
            )
        return _program(token, agent)
