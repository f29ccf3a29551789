"""Agents' logins: how they begin, what they are good for and how they end.

A login takes what is needed in one request: the password, then also a code or a new
password where the account asks for them. Nothing is kept between the steps. Until all
is right the attempt counts as a failure of the account and of the address; what was
right so far is given back, so that nobody gets more guesses at codes than at passwords.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from kefu_core.abc.store import Store
from kefu_core.desk.journal import Journal
from kefu_core.errors import (
    Busy,
    Invalid,
    NotAllowed,
    NotFound,
    StoreError,
    TooMany,
    Unauthorized,
)
from kefu_core.limits import Limits
from kefu_core.model import Agent, Principal, Role
from kefu_server.factors import Offer, SecondFactors
from kefu_server.logs import event
from kefu_server.passwords import CHARS_MAX, Passwords, check_new_password
from kefu_server.sessions import WRONG, Proof, Sessions, name_of
from kefu_server.throttle import AddressPace, Throttle, address_key
from kefu_server.tokens import DeviceTokens

logger = logging.getLogger("kefu.auth")

Required = Literal["optional", "admins", "all"]
"""Who has to have a second factor."""
Step = Literal["code", "password", "factor"]

_LOGIN_CHARS_MAX = 100
_REFUSED_PER_S, _REFUSED_BURST = 0.05, 20
_EVERYWHERE = ""
"""The key under which refused logins of all addresses are counted together."""
_ALL_PER_S, _ALL_BURST = 0.5, 200


class StepNeeded(Exception):
    """The password is right, and something more is needed."""

    def __init__(self, step: Step, offer: Offer | None = None) -> None:
        """Say what is to be sent along; `offer` where a factor is to be set up."""
        super().__init__(step)
        self.step: Step = step
        self.offer = offer


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login that succeeded: what the browser gets."""

    agent: Agent
    secret: str
    device: str
    codes: list[str] = []
    """Recovery codes, where the second factor was switched on with it."""


class Logins(Sessions):
    """Checks what agents show, and lets them change it."""

    def __init__(
        self,
        store: Store,
        secret: bytes,
        limits: Limits,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        journal: Journal | None,
        second_factor: Required,
        place: str,
    ) -> None:
        """Take the clocks (monotonic seconds, Unix milliseconds)."""
        super().__init__(store, limits, now_ms=now_ms, journal=journal)
        self._now = now
        self._required = second_factor
        self._accounts = Throttle(limits.login_failures_max, limits.login_window_s)
        self._addresses = Throttle(
            limits.address_login_failures_max, limits.login_window_s
        )
        self._written = AddressPace(_REFUSED_PER_S, _REFUSED_BURST)
        self._written_in_all = AddressPace(_ALL_PER_S, _ALL_BURST)
        self.passwords = Passwords()
        self.devices = DeviceTokens(secret, now_ms)
        self.factors = SecondFactors(store, secret, now_ms, place=place)

    # -- logging in ----------------------------------------------------------------

    async def login(
        self,
        login: str,
        password: str,
        address: str,
        device: str = "",
        *,
        code: str = "",
        new_password: str = "",
        user_agent: str = "",
    ) -> Login:
        """Check a password, and what else the account asks for; open a login.

        Raises:
            Unauthorized: The login or the password is wrong, which is never said; or
                the code is.
            StepNeeded: The password is right; the same again with what is missing.
            Invalid: The new password is weak.
            TooMany, Busy: Come again after `retry_after_s`.
        """
        proof = Proof(
            password=password,
            address=address,
            device=device,
            code=code,
            new_password=new_password,
            user_agent=user_agent,
        )
        agent, codes = await self._prove(login, proof)
        if agent.is_one_time:
            agent = await self._replace_password(agent, new_password)
            await self.note_own(agent, "password.change", address, first=True)
        else:
            agent = await self._rehash(agent, password)
        opened = Login(
            agent=agent,
            secret=await self.open_session(agent, proof),
            device=self.devices.issue(agent.login),
            codes=codes,
        )
        logger.info(event("login", agent=agent.id, address=address))
        await self.note_own(agent, "login", address)
        return opened

    async def _prove(self, login: str, proof: Proof) -> tuple[Agent, list[str]]:
        """Return who it is, with recovery codes made on the way."""
        account, place = self._charge(login, proof.address, proof.device)
        try:
            agent = await self._check_password(login, proof.password)
            codes = await self._check_more(agent, proof) if agent is not None else []
        except (Busy, StoreError, StepNeeded, Invalid):
            # Nothing was learnt, or what was shown so far is right.
            self._accounts.refund(account)
            self._addresses.refund(place)
            raise
        except Unauthorized:
            await self._refused(login, proof.address, "code")
            raise
        if agent is None:
            await self._refused(login, proof.address, "password")
            raise Unauthorized(WRONG)
        self._accounts.forget(account)
        self._addresses.refund(place)
        return agent, codes

    async def _check_more(self, agent: Agent, proof: Proof) -> list[str]:
        """Check all that an account asks for beside its password; use a code up last.

        Returns:
            Recovery codes, where the second factor was switched on with it.
        """
        if agent.is_one_time:
            if not proof.new_password:
                raise StepNeeded("password")
            check_new_password(proof.new_password, agent.login)
            if proof.new_password == proof.password:
                raise Invalid("The new password is the old one; choose another.")
        factor = await self.factors.find(agent.id)
        if factor is None:
            if not self.is_required(agent):
                return []
            if not proof.code:
                raise StepNeeded("factor", await self.factors.offer(agent))
            codes = await self.factors.confirm(agent, proof.code)
            await self.note_own(agent, "factor.on", proof.address)
            return codes
        if not proof.code:
            raise StepNeeded("code")
        if await self.factors.check(factor, proof.code):
            left = len(factor.codes) - 1
            await self.note_own(agent, "factor.recovery", proof.address, left=left)
        return []

    def is_required(self, agent: Agent) -> bool:
        """Whether the settings want a second factor of an agent."""
        return self._required == "all" or (
            self._required == "admins" and agent.role is Role.ADMIN
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

    async def _refused(self, login: str, address: str, by: str) -> None:
        """Write down a login that failed: of an account its name, else nothing typed.

        People type passwords where names belong.
        """
        logger.warning(event("login_refused", address=address))
        now = self._now()
        if self._written.take(address, now) or self._written_in_all.take(
            _EVERYWHERE, now
        ):
            return  # Whoever guesses all the time does not fill the journal.
        # The answer is no in any case.
        with suppress(StoreError):
            is_possible = len(login) <= _LOGIN_CHARS_MAX and login.isprintable()
            agent = await self._store.find_agent(login=login) if is_possible else None
            target = "" if agent is None else name_of(agent)
            await self.journal.write(
                "", "login.refused", target, {"wrong": by}, address=address
            )

    # -- passwords -----------------------------------------------------------------

    async def hash_new_password(self, password: str, login: str) -> str:
        """Return how a new password is stored. Raises `Invalid` if it is weak."""
        check_new_password(password, login)
        return await self.passwords.hash(password)

    async def _rehash(self, agent: Agent, password: str) -> Agent:
        if self.passwords.needs_rehash(agent.password_hash):
            stronger = await self.passwords.hash(password)
            # Read again: what was changed meanwhile stays changed.
            now = await self._store.find_agent(agent_id=agent.id)
            if now is not None and now.password_hash == agent.password_hash:
                agent = msgspec.structs.replace(now, password_hash=stronger)
                await self._store.put_agent(agent)
        return agent

    async def _replace_password(self, agent: Agent, password: str) -> Agent:
        """Store a new password, and end every login of the account."""
        password_hash = await self.hash_new_password(password, agent.login)
        now = await self._store.find_agent(agent_id=agent.id)
        if now is None or now.password_hash != agent.password_hash:
            raise Unauthorized(WRONG)
        changed = msgspec.structs.replace(
            now, password_hash=password_hash, is_one_time=False
        )
        await self._store.put_agent(changed)
        await self._store.delete_agent_sessions(agent_id=agent.id)
        return changed

    async def change_password(self, principal: Principal, proof: Proof) -> str:
        """Give an agent another password; end all logins; return a new one's secret.

        Raises:
            NotAllowed: The old password is wrong.
            Invalid: The new one is weak. TooMany, Busy: Come again later.
        """
        agent = await self.confirm_password(principal, proof)
        if proof.new_password == proof.password:
            raise Invalid("The new password is the old one; choose another.")
        changed = await self._replace_password(agent, proof.new_password)
        await self.note_own(changed, "password.change", proof.address)
        return await self.open_session(changed, proof)

    async def confirm_password(self, principal: Principal, proof: Proof) -> Agent:
        """Let somebody who is logged in show that it is them.

        Raises:
            NotAllowed: The password is wrong. TooMany, Busy: Come again later.
        """
        agent = await self.agent_of(principal)
        account, place = self._charge(agent.login, proof.address, proof.device)
        try:
            known = await self._check_password(agent.login, proof.password)
        except (Busy, StoreError):
            self._accounts.refund(account)
            self._addresses.refund(place)
            raise
        if known is None:
            await self._refused(agent.login, proof.address, "password")
            raise NotAllowed("This is not your password.")
        self._accounts.refund(account)
        self._addresses.refund(place)
        return known

    # -- the second factor -----------------------------------------------------------

    async def offer_factor(self, principal: Principal, proof: Proof) -> Offer:
        """Make a key for an agent to put into an app.

        Raises:
            NotAllowed: The password is wrong. Conflict: It is on already.
        """
        return await self.factors.offer(await self.confirm_password(principal, proof))

    async def switch_on_factor(
        self, principal: Principal, proof: Proof
    ) -> tuple[list[str], str]:
        """Take the first code; return recovery codes and the secret of a new login.

        Raises:
            NotAllowed: The code is wrong. Conflict: There is no key to confirm.
        """
        agent = await self.agent_of(principal)
        account, place = self._charge(agent.login, proof.address, proof.device)
        try:
            codes = await self.factors.confirm(agent, proof.code)
        except Unauthorized as error:
            raise NotAllowed(str(error)) from error
        self._accounts.refund(account)
        self._addresses.refund(place)
        # A login of before was opened by less than is asked for from now on.
        await self._store.delete_agent_sessions(agent_id=agent.id)
        await self.note_own(agent, "factor.on", proof.address)
        return codes, await self.open_session(agent, proof)

    async def switch_off_factor(self, principal: Principal, proof: Proof) -> None:
        """Take password and code, and ask for no code from now on.

        Raises:
            NotAllowed: One of both is wrong, or the settings want a factor.
            NotFound: It is not on.
        """
        agent = await self.confirm_password(principal, proof)
        if self.is_required(agent):
            raise NotAllowed("This installation asks for two-factor.")
        factor = await self.factors.find(agent.id)
        if factor is None:
            raise NotFound("Two-factor is not on.")
        account, place = self._charge(agent.login, proof.address, proof.device)
        try:
            await self.factors.check(factor, proof.code)
        except Unauthorized as error:
            await self._refused(agent.login, proof.address, "code")
            raise NotAllowed(str(error)) from error
        self._accounts.refund(account)
        self._addresses.refund(place)
        await self.factors.remove(agent.id)
        await self.note_own(agent, "factor.off", proof.address)
