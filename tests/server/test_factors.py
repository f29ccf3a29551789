"""Codes of an app: the standard's own, each good once, and no key in the database."""

import base64

import anyio
import msgspec
import pytest

from kefu_core.errors import Conflict, Unauthorized
from kefu_core.model import Agent
from kefu_core.records import SecondFactor
from kefu_core.store.memory import MemoryStore
from kefu_server.factors import CODES, STEP_S, Offer, SecondFactors, code_at
from tests.server.conftest import Clock

pytestmark = pytest.mark.anyio

RFC_KEY = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_are_those_of_rfc_6238(at_s: int, code: str) -> None:
    assert code_at(RFC_KEY, at_s // STEP_S, digits=8) == code


@pytest.fixture
def factors(store: MemoryStore, clock: Clock) -> SecondFactors:
    return SecondFactors(store, b"s" * 40, clock.now_ms, place="kefu chat.example")


def shown(offer: Offer, clock: Clock, steps: int = 0) -> str:
    """Return what an app shows that was told of the key."""
    key = base64.b32decode(offer.secret.replace(" ", ""))
    return code_at(key, int(clock.s) // STEP_S + steps)


async def switched_on(
    factors: SecondFactors, agent: Agent, clock: Clock
) -> tuple[Offer, list[str]]:
    offer = await factors.offer(agent)
    codes = await factors.confirm(agent, shown(offer, clock))
    clock.s += STEP_S
    return offer, codes


async def check(factors: SecondFactors, agent: Agent, code: str) -> bool:
    """Whether a code is taken."""
    factor = await factors.find(agent.id)
    assert factor is not None
    try:
        await factors.check(factor, code)
    except Unauthorized:
        return False
    return True


async def test_a_code_is_good_once_and_a_step_early_or_late(
    factors: SecondFactors, agent: Agent, clock: Clock
) -> None:
    offer = await factors.offer(agent)
    assert await factors.find(agent.id) is None
    first = shown(offer, clock)
    with pytest.raises(Unauthorized):
        await factors.confirm(agent, shown(offer, clock, steps=2))
    await factors.confirm(agent, first)
    # That which has switched it on is used up as well.
    assert not await check(factors, agent, first)
    clock.s += 3 * STEP_S
    for steps in (-2, 2):
        assert not await check(factors, agent, shown(offer, clock, steps)), steps
    late, early = shown(offer, clock, -1), shown(offer, clock, 1)
    assert await check(factors, agent, late)
    assert await check(factors, agent, f" {early[:3]} {early[3:]}")
    for used in (late, early, shown(offer, clock)):
        # The last was skipped: a newer one has been seen.
        assert not await check(factors, agent, used)


async def test_of_two_who_show_the_same_code_at_once_one_gets_in(
    factors: SecondFactors, agent: Agent, clock: Clock
) -> None:
    offer, _ = await switched_on(factors, agent, clock)
    factor = await factors.find(agent.id)
    assert factor is not None
    taken = []

    async def show() -> None:
        try:
            await factors.check(factor, shown(offer, clock))
            taken.append(True)
        except Unauthorized:
            taken.append(False)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(show)
    assert sorted(taken) == [False, True]


async def test_a_recovery_code_is_good_once_however_it_is_typed(
    factors: SecondFactors, agent: Agent, clock: Clock
) -> None:
    _, codes = await switched_on(factors, agent, clock)
    assert len(set(codes)) == CODES
    assert await check(factors, agent, codes[0].upper().replace("-", " "))
    assert not await check(factors, agent, codes[0])
    assert await check(factors, agent, codes[1])
    assert not await check(factors, agent, "")
    factor = await factors.find(agent.id)
    assert factor is not None
    assert len(factor.codes) == CODES - 2


async def test_the_database_holds_nothing_that_makes_a_code(
    factors: SecondFactors, agent: Agent, clock: Clock, store: MemoryStore
) -> None:
    offer, codes = await switched_on(factors, agent, clock)
    (stored,) = await store.list_records(SecondFactor)
    text = msgspec.json.encode(stored).decode().lower()
    key = offer.secret.replace(" ", "").lower()
    for secret in (key, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in text
    # Nor does the same row beside another installation's secret.
    stranger = SecondFactors(store, b"x" * 40, clock.now_ms, place="")
    for code in (shown(offer, clock), codes[0]):
        assert not await check(stranger, agent, code)
        assert await check(factors, agent, code)


async def test_what_is_on_is_not_offered_anew(
    factors: SecondFactors, agent: Agent, clock: Clock
) -> None:
    await switched_on(factors, agent, clock)
    with pytest.raises(Conflict):
        await factors.offer(agent)
    with pytest.raises(Conflict):
        await factors.confirm(agent, "000000")
    await factors.remove(agent.id)
    again = await factors.offer(agent)
    assert again.uri.startswith("otpauth://totp/kefu%20chat.example%3AAna?secret=")
    assert again.qr.startswith("<svg ")
