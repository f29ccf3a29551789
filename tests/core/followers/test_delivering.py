"""Webhooks are told what waits for them: signed, again and again, each in its lane."""

import random
from collections.abc import Mapping

import anyio
import anyio.lowlevel
import msgspec
import pytest

from kefu_core.abc.outgoing import NotSent, Poster
from kefu_core.followers import delivering as module
from kefu_core.followers.delivering import (
    AT_ONCE,
    FAILED_KEPT_DAYS,
    KEPT_DAYS,
    LEASE_MS,
    OFF_AFTER_DAYS,
    Delivering,
)
from kefu_core.hooks import signature
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import DeliveryStatus, Webhook, WebhookDelivery
from kefu_core.senders.posting import HttpPoster
from kefu_core.store.memory import MemoryStore
from kefu_core.types import UnixMs
from tests.core.senders.receivers import Receiver, receiving

pytestmark = pytest.mark.anyio

DAY_MS = 86_400_000
URL = "https://a.example/"


class Others(Poster):
    """Everybody who can be told; some of them do not answer as they should."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.failing: dict[str, NotSent] = {}
        self.stuck: dict[str, anyio.Event] = {}
        self.open: dict[str, int] = {}
        self.open_max: dict[str, int] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        now = self.open[url] = self.open.get(url, 0) + 1
        self.open_max[url] = max(self.open_max.get(url, 0), now)
        try:
            if url in self.stuck:
                await self.stuck[url].wait()
            await anyio.lowlevel.checkpoint()
            if url in self.failing:
                raise self.failing[url]
            self.told.append((url, int(headers["kefu-delivery"])))
            return 200
        finally:
            self.open[url] -= 1


class Place:
    def __init__(self) -> None:
        self.store = MemoryStore(now=monotonic, now_ms=unix_ms)
        self.ms = 1_760_000_000_000
        self.others = Others()

    def node(self, poster: Poster | None = None) -> Delivering:
        return Delivering(
            self.store,
            poster or self.others,
            now_ms=lambda: self.ms,
            rng=random.Random(1),
        )

    async def hook(self, number: int = 1, url: str = URL) -> Webhook:
        hook = Webhook(id=number, url=url, secret=f"secret {number}")
        await self.store.put_records(hook)
        return hook

    async def wait_for(self, *numbers: int, hook: int = 1) -> None:
        for number in numbers:
            await self.store.put_records(
                WebhookDelivery(
                    id=number,
                    webhook_id=hook,
                    event="ping",
                    source=f"ping:{number}",
                    payload=f'{{"id":{number}}}',
                    next_at=UnixMs(self.ms),
                )
            )

    async def delivery(self, number: int) -> WebhookDelivery:
        found = await self.store.find_record(WebhookDelivery, number)
        assert found is not None
        return found

    async def stored(self, number: int = 1) -> Webhook:
        found = await self.store.find_record(Webhook, number)
        assert found is not None
        return found


async def test_a_delivery_arrives_signed_and_is_done() -> None:
    place, receiver = Place(), Receiver()
    async with receiving(receiver) as url:
        hook = await place.hook(url=url)
        await place.wait_for(7)
        await place.node(HttpPoster(["127.0.0.0/8"])).send_due(hook)
    ((headers, body),) = receiver.told
    assert body == b'{"id":7}'
    at_s = place.ms // 1000
    assert headers["kefu-signature"] == signature("secret 1", body, at_s)
    assert (headers["kefu-delivery"], headers["kefu-event"]) == ("7", "ping")
    done = await place.delivery(7)
    assert (done.status, done.response_status) == (DeliveryStatus.DONE, 200)


async def test_a_webhook_that_fails_is_tried_again_for_a_day_and_then_no_more() -> None:
    place = Place()
    place.others.failing[URL] = NotSent("It answered 500.", status=500)
    hook, began = await place.hook(), place.ms
    await place.wait_for(7)
    node = place.node()
    while (waiting := await place.delivery(7)).status is DeliveryStatus.QUEUED:
        place.ms = max(place.ms, waiting.next_at)
        await node.send_due(hook)
    assert waiting.status is DeliveryStatus.FAILED
    assert (waiting.response_status, waiting.error) == (500, "It answered 500.")
    assert 0.6 * DAY_MS < place.ms - began < DAY_MS


async def test_of_one_webhook_a_few_are_told_at_once() -> None:
    place = Place()
    hook = await place.hook()
    await place.wait_for(*range(1, 21))
    await place.node().send_due(hook)
    assert sorted(n for _, n in place.others.told) == list(range(1, 21))
    assert place.others.open_max[URL] == AT_ONCE


async def test_one_that_never_answers_delays_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HOOKS_INTERVAL_S", 0.01)
    monkeypatch.setattr(module, "INTERVAL_S", 0.01)
    place = Place()
    slow = "https://slow.example/"
    place.others.stuck[slow] = anyio.Event()
    await place.hook(1, slow)
    await place.hook(2)
    await place.wait_for(*range(1, 41), hook=1)
    node = place.node()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(node.run)
        await place.wait_for(*range(101, 141), hook=2)
        node.wake()
        with anyio.fail_after(5):
            while len(place.others.told) < 40:
                await anyio.sleep(0.005)
        assert {url for url, _ in place.others.told} == {URL}
        assert place.others.open_max[slow] == AT_ONCE
        tasks.cancel_scope.cancel()


async def test_two_nodes_tell_each_thing_once() -> None:
    place = Place()
    hook = await place.hook()
    await place.wait_for(*range(1, 31))
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(place.node().send_due, hook)
    assert sorted(n for _, n in place.others.told) == list(range(1, 31))


async def test_what_a_node_died_with_is_told_by_another_after_the_lease() -> None:
    place = Place()
    hook = await place.hook()
    await place.wait_for(7)
    place.others.stuck[URL] = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(place.node().send_due, hook)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    place.others.stuck.clear()
    await place.node().send_due(hook)
    assert place.others.told == []
    place.ms += LEASE_MS
    await place.node().send_due(hook)
    assert place.others.told == [(URL, 7)]


async def test_one_that_fails_for_days_is_switched_off_with_a_note() -> None:
    place = Place()
    place.others.failing[URL] = NotSent("It answered 410.", status=410)
    hook, node = await place.hook(), place.node()
    await place.wait_for(1)
    await node.send_due(hook)
    assert (await place.stored()).failing_since == place.ms
    place.ms += OFF_AFTER_DAYS * DAY_MS - 1
    await place.wait_for(2)
    await node.send_due(await place.stored())
    assert (await place.stored()).is_active
    place.ms += 1
    await place.wait_for(3, 4, 5, 6, 7, 8)
    await node.send_due(await place.stored())
    off = await place.stored()
    assert not off.is_active
    assert "410" in off.note
    # The rest of what waits is not tried any more.
    attempts = [(await place.delivery(n)).attempts for n in range(3, 9)]
    assert 0 in attempts


async def test_one_success_in_between_begins_the_days_anew() -> None:
    place = Place()
    hook, node = await place.hook(), place.node()
    place.others.failing[URL] = NotSent("It answered 500.", status=500)
    await place.wait_for(1)
    await node.send_due(hook)
    del place.others.failing[URL]
    await place.wait_for(2)
    await node.send_due(hook)
    assert (await place.stored()).failing_since == 0


async def test_what_was_told_long_ago_is_deleted() -> None:
    place = Place()
    old = {
        1: (DeliveryStatus.DONE, KEPT_DAYS),
        2: (DeliveryStatus.DONE, KEPT_DAYS - 1),
        3: (DeliveryStatus.FAILED, KEPT_DAYS),
        4: (DeliveryStatus.FAILED, FAILED_KEPT_DAYS),
    }
    await place.wait_for(*old)
    for number, (status, days) in old.items():
        changed = msgspec.structs.replace(
            await place.delivery(number),
            status=status,
            next_at=UnixMs(place.ms - days * DAY_MS),
        )
        await place.store.put_records(changed)
    await place.node().clean()
    kept = await place.store.list_records(WebhookDelivery, after=0)
    assert [each.id for each in kept] == [2, 3]
