"""Mail in the store goes out: once if nothing fails, and never lost if it does."""

import random

import anyio
import pytest

from kefu_core.abc.outgoing import Mailer, NotSent
from kefu_core.errors import StoreUnavailable
from kefu_core.followers import mailing as module
from kefu_core.followers.mailing import LEASE_MS, Mailing
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import DeliveryStatus, Mail
from kefu_core.store.memory import MemoryStore

pytestmark = pytest.mark.anyio


class Postman(Mailer):
    """Takes mail, or fails as often as it was told to."""

    def __init__(self, *failures: NotSent) -> None:
        self.failures = list(failures)
        self.took: list[int] = []
        self.opened: anyio.Event | None = None

    async def send(self, mail: Mail) -> None:
        if self.opened is not None:
            await self.opened.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.took.append(mail.id)


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


class Office:
    """A store with one mail, and nodes that send from it."""

    def __init__(self) -> None:
        self.store = MemoryStore(now=monotonic, now_ms=unix_ms)
        self.clock = Clock()

    def node(self, postman: Mailer) -> Mailing:
        return Mailing(self.store, postman, now_ms=self.clock, rng=random.Random(1))

    async def write(self, number: int = 1) -> None:
        await self.store.put_records(
            Mail(id=number, recipient="a@b.example", key=f"k{number}")
        )

    async def mail(self) -> Mail:
        found = await self.store.find_record(Mail, 1)
        assert found is not None
        return found


async def test_a_mail_goes_out_once() -> None:
    office, postman = Office(), Postman()
    await office.write()
    node = office.node(postman)
    for _ in range(3):
        await node.send_due()
        office.clock.ms += LEASE_MS
    assert postman.took == [1]
    assert (await office.mail()).status is DeliveryStatus.DONE


async def test_two_nodes_never_send_one_mail_together() -> None:
    office, postman = Office(), Postman()
    for number in range(1, 21):
        await office.write(number)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(office.node(postman).send_due)
    assert sorted(postman.took) == list(range(1, 21))


async def test_a_failure_is_told_and_tried_again_after_its_wait() -> None:
    office = Office()
    postman = Postman(NotSent("451 greylisted"))
    await office.write()
    node = office.node(postman)
    await node.send_due()
    mail = await office.mail()
    assert (mail.status, mail.attempts) == (DeliveryStatus.QUEUED, 1)
    assert mail.error == "451 greylisted"
    await node.send_due()
    assert postman.took == []
    office.clock.ms = mail.next_at
    await node.send_due()
    assert postman.took == [1]
    assert (await office.mail()).error == ""


async def test_an_address_that_does_not_exist_is_given_up_at_once() -> None:
    office = Office()
    await office.write()
    await office.node(Postman(NotSent("550 no", is_final=True))).send_due()
    mail = await office.mail()
    assert (mail.status, mail.error) == (DeliveryStatus.FAILED, "550 no")


async def test_what_a_node_died_with_is_sent_by_another_after_the_lease() -> None:
    office, dying, postman = Office(), Postman(), Postman()
    dying.opened = anyio.Event()
    await office.write()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.node(dying).send_due)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()  # Killed in the middle of handing it over.
    other = office.node(postman)
    await other.send_due()
    assert postman.took == []
    office.clock.ms += LEASE_MS
    await other.send_due()
    assert postman.took == [1]


async def test_a_store_that_is_away_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    monkeypatch.setattr(module, "INTERVAL_S", 0.01)
    office, postman = Office(), Postman()
    await office.write()
    there, failures = office.store.list_records, [StoreUnavailable(), RuntimeError("x")]

    async def away(*args: object, **more: object) -> object:
        if failures:
            raise failures.pop()
        return await there(*args, **more)  # type: ignore[arg-type]

    office.store.list_records = away  # type: ignore[method-assign, assignment]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.node(postman).run)
        with anyio.fail_after(5):
            while not postman.took:
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    assert postman.took == [1]
