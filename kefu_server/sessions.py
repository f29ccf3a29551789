"""Logins that are open: what stands on each, how it is listed and how it ends."""

import hashlib
import logging
import secrets
from collections.abc import Callable

import anyio
import msgspec

from kefu_core.abc.store import Store
from kefu_core.desk.access import sites_of
from kefu_core.desk.journal import Journal
from kefu_core.errors import NotFound, Unauthorized
from kefu_core.ids import IdGenerator, agent_participant
from kefu_core.limits import Limits
from kefu_core.model import Agent, AgentSession, Principal
from kefu_core.types import UnixMs
from kefu_server.logs import event
from kefu_server.throttle import address_key

logger = logging.getLogger("kefu.auth")

TOUCH_MS = 60_000
"""A login's last use is stored at most once a minute."""
WRONG = "The login or the password is wrong."
_HANDLE_CHARS = 16
_USER_AGENT_CHARS = 400


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody shows of themselves, and from where."""

    password: str
    address: str
    device: str = ""
    code: str = ""
    new_password: str = ""
    user_agent: str = ""


def hash_secret(secret: str) -> str:
    """Return how a login's secret is stored; it has 256 random bits, so no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def handle_of(session: AgentSession) -> str:
    """Return what a login is called in lists; it opens nothing."""
    return hashlib.sha256(f"list {session.token_hash}".encode()).hexdigest()[
        :_HANDLE_CHARS
    ]


class Sessions:
    """Opens, lists and ends logins of one store's agents."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        *,
        now_ms: Callable[[], int],
        journal: Journal | None,
    ) -> None:
        """Take the wall clock (Unix milliseconds)."""
        self._store = store
        self._limits = limits
        self._now_ms = now_ms
        self._sessions_lock = anyio.Lock()
        """Held from reading a login to storing it, so that refreshing one that is
        being revoked cannot bring it back."""
        self.journal = journal or Journal(store, IdGenerator(now_ms), now_ms)

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
        if self._now_ms() - session.last_used_at > TOUCH_MS:
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

    async def live_sessions(self, agent_id: int) -> list[AgentSession]:
        """Return an agent's logins whose time is not over, the oldest first."""
        sessions = await self._store.sessions_of_agent(agent_id)
        return [each for each in sessions if self._ends_at(each) > self._now_ms()]

    async def agent_of(self, principal: Principal) -> Agent:
        """Return somebody's account. Raises `Unauthorized`."""
        agent = await self._store.find_agent(agent_id=int(principal.participant[1:]))
        if agent is None:
            raise Unauthorized
        return agent

    async def open_session(self, agent: Agent, proof: Proof) -> str:
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
                    address=address_key(proof.address),
                    user_agent=proof.user_agent[:_USER_AGENT_CHARS],
                )
            )
        # Whoever changes a password first writes it and then ends all logins; one that
        # was checked before and opened after that would be left.
        now = await self._store.find_agent(agent_id=agent.id)
        if now is None or (now.password_hash, now.is_active) != (
            agent.password_hash,
            True,
        ):
            await self._store.delete_agent_sessions(token_hash=hash_secret(secret))
            raise Unauthorized(WRONG)
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

    async def end_sessions(
        self, principal: Principal, handle: str, address: str
    ) -> list[str]:
        """End one of one's own logins, or all others where `handle` is empty.

        Returns:
            What live connections of them are named by.

        Raises:
            NotFound: There is no such login.
        """
        agent = await self.agent_of(principal)
        sessions = await self._store.sessions_of_agent(agent.id)
        ended = [
            each.token_hash
            for each in sessions
            if (handle_of(each) == handle)
            or (not handle and each.token_hash != principal.session)
        ]
        if handle and not ended:
            raise NotFound("This login has ended already.")
        async with self._sessions_lock:
            for token_hash in ended:
                await self._store.delete_agent_sessions(token_hash=token_hash)
        if ended:
            await self.note_own(agent, "session.end", address, count=len(ended))
        return ended

    async def note_own(
        self, agent: Agent, action: str, address: str, **data: int
    ) -> None:
        """Write down what an agent did with their own account."""
        await self.journal.write(
            agent_participant(agent.id), action, name_of(agent), data, address=address
        )


def name_of(agent: Agent) -> str:
    """Return what an account is called in the journal."""
    return f"agent {agent.id} {agent.login}"
