"""What a login asks for beside the password, and what is written down of it."""

import base64
import contextlib

import msgspec
import pytest

from kefu_core.errors import Invalid, NotAllowed, TooMany, Unauthorized
from kefu_core.limits import Limits
from kefu_core.model import Agent, Principal, Role
from kefu_core.records import AuditEntry
from kefu_core.store.memory import MemoryStore
from kefu_server.auth import Authenticator
from kefu_server.factors import STEP_S, Offer, code_at
from kefu_server.logins import Required, StepNeeded
from kefu_server.sessions import Proof
from tests.server.conftest import ORIGIN, PASSWORD, Clock

pytestmark = pytest.mark.anyio

HERE = "192.0.2.1"
OTHER = f"another {PASSWORD}"


def code_of(offer: Offer, clock: Clock) -> str:
    key = base64.b32decode(offer.secret.replace(" ", ""))
    return code_at(key, int(clock.s) // STEP_S)


async def principal_of(auth: Authenticator) -> Principal:
    return await auth.agent_of_secret((await auth.login("ana", PASSWORD, HERE)).secret)


async def switch_on(auth: Authenticator, clock: Clock) -> tuple[Offer, list[str]]:
    me = await principal_of(auth)
    offer = await auth.offer_factor(me, Proof(password=PASSWORD, address=HERE))
    proof = Proof(password="", address=HERE, code=code_of(offer, clock))
    codes, _ = await auth.switch_on_factor(me, proof)
    clock.s += STEP_S
    return offer, codes


async def step_of(auth: Authenticator, password: str = PASSWORD) -> str:
    """Return what a password alone is not enough for."""
    with pytest.raises(StepNeeded) as needed:
        await auth.login("ana", password, HERE)
    return needed.value.step


def strict(
    required: Required, store: MemoryStore, clock: Clock, limits: Limits | None = None
) -> Authenticator:
    """Return one whose settings ask for a second factor."""
    return Authenticator(
        store,
        b"s" * 40,
        limits or Limits(),
        origins=(ORIGIN,),
        is_secure=False,
        now=clock.now,
        now_ms=clock.now_ms,
        second_factor=required,
    )


async def actions(store: MemoryStore) -> list[str]:
    return [each.action for each in await store.list_records(AuditEntry, after=0)]


async def test_with_a_second_factor_the_password_alone_opens_nothing(
    auth: Authenticator, clock: Clock, store: MemoryStore
) -> None:
    before = await principal_of(auth)
    offer, codes = await switch_on(auth, clock)
    # What was opened by less has ended.
    assert await auth.find_revoked([before]) == {before}
    assert await step_of(auth) == "code"
    code = code_of(offer, clock)
    for password, wrong in ((PASSWORD, "000000"), (OTHER, code)):
        with pytest.raises(Unauthorized):
            await auth.login("ana", password, HERE, code=wrong)
    # A wrong password uses no code up.
    await auth.login("ana", PASSWORD, HERE, code=code)
    with pytest.raises(Unauthorized):
        await auth.login("ana", PASSWORD, HERE, code=code)
    await auth.login("ana", PASSWORD, HERE, code=codes[0])
    written = await store.list_records(AuditEntry, where={"action": "factor.recovery"})
    assert [each.data for each in written] == [{"left": 9}]


async def test_codes_are_guessed_no_faster_than_passwords(
    auth: Authenticator, clock: Clock
) -> None:
    await switch_on(auth, clock)
    guesses = 0
    with contextlib.suppress(TooMany):
        while guesses < 100:
            # The right password in between gives nothing back.
            for code in ("", "000000"):
                with pytest.raises((StepNeeded, Unauthorized)):
                    await auth.login("ana", PASSWORD, HERE, code=code)
            guesses += 1
    assert guesses < Limits().login_failures_max


async def test_a_one_time_password_opens_only_the_choice_of_another(
    auth: Authenticator, store: MemoryStore, agent: Agent
) -> None:
    await store.put_agent(msgspec.structs.replace(agent, is_one_time=True))
    assert await step_of(auth) == "password"
    for weak in ("short", PASSWORD):
        with pytest.raises(Invalid):
            await auth.login("ana", PASSWORD, HERE, new_password=weak)
    await auth.login("ana", PASSWORD, HERE, new_password=OTHER)
    await auth.login("ana", OTHER, HERE)
    with pytest.raises(Unauthorized):
        await auth.login("ana", PASSWORD, HERE)


async def test_where_it_is_asked_of_all_it_is_set_up_with_the_first_login(
    store: MemoryStore, clock: Clock, agent: Agent
) -> None:
    await store.put_agent(msgspec.structs.replace(agent, is_one_time=True))
    auth = strict("all", store, clock)
    assert await step_of(auth) == "password"
    with pytest.raises(StepNeeded) as needed:
        await auth.login("ana", PASSWORD, HERE, new_password=OTHER)
    assert needed.value.step == "factor"
    offer = needed.value.offer
    assert offer is not None
    with pytest.raises(Unauthorized):
        await auth.login("ana", PASSWORD, HERE, new_password=OTHER, code="000000")
    code = code_of(offer, clock)
    opened = await auth.login("ana", PASSWORD, HERE, new_password=OTHER, code=code)
    assert len(opened.codes) == 10
    assert await step_of(auth, OTHER) == "code"
    me = await auth.agent_of_secret(opened.secret)
    with pytest.raises(NotAllowed):
        await auth.switch_off_factor(
            me, Proof(password=OTHER, address=HERE, code=opened.codes[0])
        )


@pytest.mark.parametrize(
    ("role", "is_asked"), [(Role.AGENT, False), (Role.ADMIN, True)]
)
async def test_it_can_be_asked_of_admins_only(
    store: MemoryStore, clock: Clock, agent: Agent, role: Role, is_asked: bool
) -> None:
    await store.put_agent(msgspec.structs.replace(agent, role=role))
    auth = strict("admins", store, clock)
    if is_asked:
        assert await step_of(auth) == "factor"
    else:
        await auth.login("ana", PASSWORD, HERE)


async def test_a_password_is_changed_by_who_knows_it_and_ends_all_other_logins(
    auth: Authenticator,
) -> None:
    me, other = await principal_of(auth), await principal_of(auth)
    proof = Proof(password=OTHER, address=HERE, new_password=OTHER)
    with pytest.raises(NotAllowed):
        await auth.change_password(me, proof)
    for weak in ("short", PASSWORD):
        with pytest.raises(Invalid):
            await auth.change_password(
                me, Proof(password=PASSWORD, address=HERE, new_password=weak)
            )
    secret = await auth.change_password(
        me, Proof(password=PASSWORD, address=HERE, new_password=OTHER)
    )
    renewed = await auth.agent_of_secret(secret)
    everybody = [me, other, renewed]
    assert await auth.find_revoked(everybody) == {me, other}


async def test_the_old_password_is_not_guessed_by_who_has_the_browser(
    auth: Authenticator,
) -> None:
    me = await principal_of(auth)
    wrong = Proof(password="wrong horse battery", address=HERE, new_password=OTHER)
    for _ in range(Limits().login_failures_max):
        with pytest.raises(NotAllowed):
            await auth.change_password(me, wrong)
    with pytest.raises(TooMany):
        await auth.change_password(me, wrong)


async def test_the_journal_says_who_came_and_who_was_refused_and_nothing_secret(
    auth: Authenticator, clock: Clock, store: MemoryStore
) -> None:
    offer, codes = await switch_on(auth, clock)
    typed = ("a password typed as a name", "wrong horse battery")
    with pytest.raises(Unauthorized):
        await auth.login(*typed, "2001:db8::1")
    with pytest.raises(Unauthorized):
        await auth.login("ana", typed[1], HERE)
    code = code_of(offer, clock)
    opened = await auth.login("ana", PASSWORD, HERE, code=code)
    entries = await store.list_records(AuditEntry, after=0)
    told = [(each.who, each.action, each.target, each.address) for each in entries]
    assert told[-3:] == [
        ("", "login.refused", "", "2001:db8::1"),
        ("", "login.refused", "agent 7 Ana", HERE),
        ("a7", "login", "agent 7 Ana", HERE),
    ]
    text = msgspec.json.encode(entries).decode()
    for secret in (*typed, PASSWORD, code, opened.secret, offer.secret, *codes):
        assert secret not in text


async def test_whoever_guesses_all_the_time_does_not_fill_the_journal(
    store: MemoryStore, clock: Clock
) -> None:
    limits = msgspec.structs.replace(
        Limits(), login_failures_max=10**6, address_login_failures_max=10**6
    )
    auth = strict("optional", store, clock, limits)
    for number in range(60):
        with pytest.raises(Unauthorized):
            # No account has such a name: no hash is made.
            await auth.login("x" * 101, str(number), HERE)
    assert len(await actions(store)) == 20
