"""Who is asking: a visitor's token or an agent's login becomes a `Principal`.

An agent's login is a 256-bit secret; the database holds its SHA-256 only. Browsers
keep it in an HttpOnly cookie, programs may hand it over as the token of `hello`. The
cookie counts on a socket only when the `Origin` is exactly the server's own, because
browsers send cookies with every socket any page opens. Visitors never use cookies.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie

import anyio
import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.abc.streams import PeerInfo
from kefu_core.desk.access import sites_of
from kefu_core.desk.programs import PREFIX, SESSION, hash_token, session_of
from kefu_core.errors import Busy, StoreError, TooMany, Unauthorized
from kefu_core.ids import agent_participant, visitor_participant
from kefu_core.limits import Limits
from kefu_core.model import Agent, AgentSession, Principal, Role
from kefu_core.records import ApiToken
from kefu_core.types import UnixMs
from kefu_server.logs import event
from kefu_server.passwords import CHARS_MAX, Passwords, check_new_password
from kefu_server.throttle import AddressPace, Throttle, address_key
from kefu_server.tokens import DeviceTokens, VisitorTokens

logger = logging.getLogger("kefu.auth")

UNSIGNED = "This site must have signed who you are."
_SITES_S = 2.0
"""For so long it is remembered which sites want their visitors signed."""
_TOUCH_MS = 60_000
"""A login's last use is stored at most once a minute."""
_LOGIN_CHARS_MAX = 100
_REFUSALS_PER_S, _REFUSALS_BURST = 0.2, 20
"""Lines in the log about one address that is refused."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login that succeeded: what the browser gets."""

    agent: Agent
    secret: str
    device: str


def hash_secret(secret: str) -> str:
    """Return how a login's secret is stored; it has 256 random bits, so no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Authenticator:
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
    ) -> None:
        """Take the clocks (monotonic seconds, Unix milliseconds) and own origins."""
        self._store = store
        self._limits = limits
        self._origins = frozenset(origins)
        self._now = now
        self._now_ms = now_ms
        self._accounts = Throttle(limits.login_failures_max, limits.login_window_s)
        self._addresses = Throttle(
            limits.address_login_failures_max, limits.login_window_s
        )
        self._tokens = AddressPace(
            limits.address_tokens_per_s, limits.address_tokens_burst
        )
        self._refusals = AddressPace(_REFUSALS_PER_S, _REFUSALS_BURST)
        self._sessions_lock = anyio.Lock()
        """Held from reading a login to storing it, so that refreshing one that is
        being revoked cannot bring it back."""
        self._strict: set[int] = set()
        """Sites whose visitors must be signed, as they were read at `_sites_at`."""
        self._sites_at = float("-inf")
        self.passwords = Passwords()
        self.visitors = VisitorTokens(secret, limits.visitor_token_s, now_ms)
        self.devices = DeviceTokens(secret, now_ms)
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
            return self._now_ms() < principal.expires_at_ms
        try:
            fresh = (
                await self._agent_of_hash(principal.session)
                if principal.scopes is None
                else await self._program_of(await self._find_token(principal))
            )
        except Unauthorized:
            return False
        return (fresh.participant, fresh.role, fresh.sites, fresh.scopes) == (
            principal.participant,
            principal.role,
            principal.sites,
            principal.scopes,
        )

    async def find_revoked(self, sessions: Sequence[str]) -> set[str]:
        """Return which agents' logins were ended, or are of nobody active."""
        programs = [each for each in sessions if each.startswith(SESSION)]
        logins = [each for each in sessions if not each.startswith(SESSION)]
        live: set[str] = set()
        if logins:
            live |= await self._store.live_agent_sessions(logins)
        for start in range(0, len(programs), PAGE_MAX):
            live |= await self._live_programs(programs[start : start + PAGE_MAX])
        return set(sessions) - live

    async def _live_programs(self, sessions: Sequence[str]) -> set[str]:
        ids = [int(each.removeprefix(SESSION)) for each in sessions]
        tokens = await self._store.list_records(
            ApiToken, where={"id": ids}, limit=PAGE_MAX
        )
        if not tokens:
            return set()
        active = {each.id for each in await self._store.agents() if each.is_active}
        return {
            session_of(token.id)
            for token in tokens
            if token.agent_id in active and not self._has_ended(token)
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
        return Principal(
            participant=visitor_participant(claims.visitor_id),
            role=Role.VISITOR,
            site_id=claims.site_id,
            expires_at_ms=claims.expires_at,
            session=claims.token_id,
        )

    def count_token_request(self, address: str) -> None:
        """Let an address ask for a visitor's token. Raises `TooMany`."""
        wait_s = self._tokens.take(address, self._now())
        if wait_s > 0:
            raise TooMany("Too many requests from this address.", retry_after_s=wait_s)

    async def _wants_signed(self, site_id: int) -> bool:
        """Whether a site takes only visitors whom it has signed for."""
        if self._now() - self._sites_at > _SITES_S:
            sites = await self._store.sites()
            self._strict = {s.id for s in sites if s.settings.identity.is_required}
            self._sites_at = self._now()
        return site_id in self._strict

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
        if self._now_ms() - token.last_used_at > _TOUCH_MS:
            used = msgspec.structs.replace(token, last_used_at=UnixMs(self._now_ms()))
            # Only while it is as it was: one that is being deleted does not come back.
            await self._store.change_record(
                used, when={"last_used_at": token.last_used_at}
            )
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

    # -- agents' logins ------------------------------------------------------------

    async def agent_of_secret(self, secret: str) -> Principal:
        """Return the agent that this login belongs to. Raises `Unauthorized`."""
        return await self._agent_of_hash(hash_secret(secret))

    async def _agent_of_hash(self, token_hash: str) -> Principal:
        session = await self._store.find_agent_session(token_hash)
        if session is None or self._ends_at(session) <= self._now_ms():
            raise Unauthorized
        agent = await self._store.find_agent(agent_id=session.agent_id)
        if agent is None or not agent.is_active:
            raise Unauthorized
        if self._now_ms() - session.last_used_at > _TOUCH_MS:
            await self._touch(token_hash)
        absolute_ms = int(self._limits.agent_session_absolute_s * 1000)
        return Principal(
            participant=agent_participant(agent.id),
            role=agent.role,
            site_id=0,
            sites=sites_of(agent),
            name=agent.name,
            expires_at_ms=UnixMs(session.created_at + absolute_ms),
            session=token_hash,
        )

    def _ends_at(self, session: AgentSession) -> int:
        idle_ms = int(self._limits.agent_session_idle_s * 1000)
        absolute_ms = int(self._limits.agent_session_absolute_s * 1000)
        return min(session.last_used_at + idle_ms, session.created_at + absolute_ms)

    async def _touch(self, token_hash: str) -> None:
        at = UnixMs(self._now_ms())
        if not await self._store.touch_agent_session(token_hash, at):
            raise Unauthorized

    async def login(
        self, login: str, password: str, address: str, device_token: str = ""
    ) -> Login:
        """Check a password and open a login.

        Raises:
            Unauthorized: The login or the password is wrong; never says which.
            TooMany, Busy: Come again after `retry_after_s`.
        """
        account, place = self._charge(login, address, device_token)
        try:
            agent = await self._check_password(login, password)
        except (Busy, StoreError):
            # Nothing was learnt about the password.
            self._accounts.refund(account)
            self._addresses.refund(place)
            raise
        if agent is None:
            logger.warning(event("login_refused", address=address))
            raise Unauthorized("The login or the password is wrong.")
        self._accounts.forget(account)
        self._addresses.refund(place)
        await self._rehash(agent, password)
        logger.info(event("login", agent=agent.id, address=address))
        return Login(
            agent=agent,
            secret=await self._open_session(agent),
            device=self.devices.issue(agent.login),
        )

    async def _check_password(self, login: str, password: str) -> Agent | None:
        # No account has such a login, so answering at once tells nothing.
        is_possible = len(login) <= _LOGIN_CHARS_MAX and login.isprintable()
        if not is_possible or len(password) > CHARS_MAX:
            return None
        agent = await self._store.find_agent(login=login)
        stored = agent.password_hash if agent else None
        fits = await self.passwords.verify(stored, password)
        return agent if agent and fits and agent.is_active else None

    def _charge(self, login: str, address: str, device_token: str) -> tuple[str, str]:
        """Count the attempt under its account (or known device) and its address."""
        device = self.devices.find_device(device_token, login)
        account = (
            f"d:{device}" if device else f"l:{login[:_LOGIN_CHARS_MAX].casefold()}"
        )
        place = address_key(address)
        now = self._now()
        wait_s = max(
            self._accounts.wait_s(account, now), self._addresses.wait_s(place, now)
        )
        if wait_s > 0:
            logger.warning(event("login_delayed", address=address))
            raise TooMany(
                "Too many failed logins; wait before the next.", retry_after_s=wait_s
            )
        self._accounts.charge(account, now)
        self._addresses.charge(place, now)
        return account, place

    async def hash_new_password(self, password: str, login: str) -> str:
        """Return how a new password is stored. Raises `Invalid` if it is weak."""
        check_new_password(password, login)
        return await self.passwords.hash(password)

    async def _rehash(self, agent: Agent, password: str) -> None:
        if self.passwords.needs_rehash(agent.password_hash):
            stronger = await self.passwords.hash(password)
            await self._store.put_agent(
                msgspec.structs.replace(agent, password_hash=stronger)
            )

    async def _open_session(self, agent: Agent) -> str:
        secret = secrets.token_urlsafe(32)
        at = UnixMs(self._now_ms())
        async with self._sessions_lock:
            await self._make_room(agent)
            await self._store.put_agent_session(
                AgentSession(
                    token_hash=hash_secret(secret),
                    agent_id=agent.id,
                    created_at=at,
                    last_used_at=at,
                )
            )
        return secret

    async def _make_room(self, agent: Agent) -> None:
        """End the logins whose time is over, and the oldest if too many are left."""
        sessions = await self._store.sessions_of_agent(agent.id)
        live = [each for each in sessions if self._ends_at(each) > self._now_ms()]
        too_many = max(0, len(live) + 1 - self._limits.agent_sessions_max)
        kept = {each.token_hash for each in live[too_many:]}
        for each in sessions:
            if each.token_hash not in kept:
                await self._store.delete_agent_sessions(token_hash=each.token_hash)
        if too_many:
            logger.info(event("logins_ended", agent=agent.id, count=too_many))

    async def logout(self, secret: str) -> str:
        """End one login; return what live connections of it are named by."""
        token_hash = hash_secret(secret)
        async with self._sessions_lock:
            await self._store.delete_agent_sessions(token_hash=token_hash)
        return token_hash
