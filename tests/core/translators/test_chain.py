"""One service stands in for another, and none is waited for that is known to fail."""

import random
from collections.abc import Sequence

import anyio
import pytest

from kefu_core.abc.translator import (
    Translated,
    TranslationFailed,
    Translator,
    Trouble,
)
from kefu_core.translators.chain import (
    ACCOUNT_PAUSE_S,
    FAILURES_MAX,
    PAUSE_S,
    Chain,
)

pytestmark = pytest.mark.anyio


class Fake(Translator):
    """Puts its name before each text, or fails as it is told to."""

    def __init__(self, name: str, trouble: Trouble | None = None) -> None:
        self.name = name
        self.trouble = trouble
        self.retry_after_s = 0.0
        self.asked: list[list[str]] = []
        self.fault: Exception | None = None
        self.surplus = 0
        self.goes_on: anyio.Event | None = None
        """Calls wait for it."""
        self.fails_from = 1_000_000
        """Calls from this one on fail."""

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        self.asked.append([*texts])
        is_late = len(self.asked) > self.fails_from
        if self.goes_on is not None:
            await self.goes_on.wait()
        if is_late:
            raise TranslationFailed(f"{self.name}: late", Trouble.LATER)
        if self.fault is not None:
            raise self.fault
        if self.trouble is not None:
            raise TranslationFailed(
                f"{self.name}: no", self.trouble, retry_after_s=self.retry_after_s
            )
        told = [Translated(text=f"<{each}>", source="pt") for each in texts]
        return told + told[: self.surplus]


class Moments:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Moments:
    return Moments()


def chain(now: Moments, *translators: Translator) -> Chain:
    return Chain(translators, now=now, rng=random.Random(1))


async def one(chain: Chain, text: str = "a") -> Translated:
    [found] = await chain.translate([text], source="", target="zh-CN")
    return found


async def test_the_first_that_can_does_it(now: Moments) -> None:
    first, second = Fake("first"), Fake("second")
    both = chain(now, first, second)
    assert await one(both) == Translated(text="<a>", source="pt", provider="first")
    assert not second.asked
    assert both.figures[0].chars == 1


@pytest.mark.parametrize("trouble", list(Trouble))
async def test_the_next_one_stands_in(now: Moments, trouble: Trouble) -> None:
    both = chain(now, Fake("first", trouble), Fake("second"))
    assert (await one(both)).provider == "second"
    assert both.figures[0].failures == {trouble.value: 1}


async def test_a_service_that_fails_again_and_again_is_left_alone(now: Moments) -> None:
    first, second = Fake("first", Trouble.LATER), Fake("second")
    both = chain(now, first, second)
    for _ in range(10):
        await one(both)
    assert len(first.asked) == FAILURES_MAX
    now.s += PAUSE_S
    await one(both)
    await one(both)
    # One call has tried it, and the pause is longer now.
    assert len(first.asked) == FAILURES_MAX + 1
    first.trouble = None
    now.s += 2 * PAUSE_S
    assert (await one(both)).provider == "first"
    assert both.figures[0].paused_until == 0.0


async def test_a_language_that_one_does_not_know_is_no_failure(now: Moments) -> None:
    first, second = Fake("first", Trouble.LANGUAGE), Fake("second")
    both = chain(now, first, second)
    for _ in range(10):
        await one(both)
    assert len(first.asked) == 10


async def test_a_wrong_key_is_not_shown_again_and_again(
    now: Moments, caplog: pytest.LogCaptureFixture
) -> None:
    first = Fake("first", Trouble.ACCOUNT)
    both = chain(now, first, Fake("second"))
    for _ in range(10):
        await one(both)
        now.s += 1
    assert len(first.asked) == 1
    assert len(caplog.records) == 1
    assert "first: no" in caplog.text


async def test_what_a_service_asks_to_wait_is_waited(now: Moments) -> None:
    first = Fake("first", Trouble.LATER)
    first.retry_after_s = 30.0
    alone = chain(now, first)
    for _ in range(5):
        with pytest.raises(TranslationFailed) as caught:
            await one(alone)
        assert caught.value.trouble is Trouble.LATER
        assert caught.value.retry_after_s == 30.0
    assert len(first.asked) == 1
    now.s += 30.0
    first.trouble = None
    assert (await one(alone)).provider == "first"


async def test_of_several_reasons_the_one_with_most_hope_is_told(now: Moments) -> None:
    both = chain(now, Fake("a", Trouble.TEXT), Fake("b", Trouble.LATER))
    with pytest.raises(TranslationFailed) as caught:
        await one(both)
    assert caught.value.trouble is Trouble.LATER
    with pytest.raises(TranslationFailed) as caught:
        await one(chain(now))
    assert caught.value.trouble is Trouble.ACCOUNT


async def test_a_fault_in_a_service_is_a_failure_like_others(now: Moments) -> None:
    broken, second = Fake("broken"), Fake("second")
    broken.fault = KeyError("text")
    both = chain(now, broken, second)
    assert (await one(both)).provider == "second"
    broken.fault, broken.surplus = None, 1
    assert (await one(both)).provider == "second"
    assert both.figures[0].failures == {"later": 1, "text": 1}


async def test_calls_are_no_larger_than_a_service_takes(now: Moments) -> None:
    small = Fake("small")
    small.texts_max, small.chars_max = 2, 10
    found = await chain(now, small).translate(
        ["one", "  two\n", "three", "1234567. 1234567", "   "],
        source="",
        target="zh-CN",
    )
    assert [each.text for each in found] == [
        "<one>",
        "  <two>\n",
        "<three>",
        "<1234567.><1234567>",
        "   ",
    ]
    assert small.asked == [["one", "two"], ["three"], ["1234567."], ["1234567"]]


@pytest.mark.parametrize(
    ("trouble", "most"), [(Trouble.LATER, PAUSE_S), (Trouble.ACCOUNT, ACCOUNT_PAUSE_S)]
)
async def test_calls_that_fail_together_are_one_failure(
    now: Moments, trouble: Trouble, most: float
) -> None:
    first = Fake("first", trouble)
    first.goes_on = anyio.Event()
    alone = chain(now, first)

    async def fail() -> None:
        with pytest.raises(TranslationFailed):
            await one(alone)

    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(fail)
        await anyio.wait_all_tasks_blocked()
        assert len(first.asked) == 12
        first.goes_on.set()
    left_s = alone.figures[0].paused_until - now.s
    # Some chance is in it, so that not all nodes come back at the same moment.
    assert 0.75 * most <= left_s < most


async def test_only_one_call_tries_whether_a_service_is_back(now: Moments) -> None:
    first, second = Fake("first", Trouble.ACCOUNT), Fake("second")
    both = chain(now, first, second)
    await one(both)
    now.s += ACCOUNT_PAUSE_S
    first.trouble, first.goes_on = None, anyio.Event()
    found: list[str] = []

    async def ask() -> None:
        found.append((await one(both)).provider)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert found == ["second"] * 4
        first.goes_on.set()
    assert found == ["second"] * 4 + ["first"]
    assert len(first.asked) == 2


async def test_what_one_has_done_is_not_asked_of_the_next(now: Moments) -> None:
    first, second = Fake("first"), Fake("second")
    first.chars_max, first.fails_from = 4, 2
    found = await chain(now, first, second).translate(
        ["one", "two", "three"], source="", target="en"
    )
    assert [each.text for each in found] == ["<one>", "<two>", "<three>"]
    assert [each.provider for each in found] == ["first", "first", "second"]
    assert second.asked == [["three"]]
