"""Every message of a subscribed site gets its delivery, whoever stored it and died."""

from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu_core.errors import StoreUnavailable
from kefu_core.followers import telling as module
from kefu_core.followers.telling import OVERLAP_MS, Telling
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import Draft, MessageKind, Person, Role, Site
from kefu_core.node import monotonic
from kefu_core.records import Webhook, WebhookDelivery
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ConversationId, ParticipantId, UnixMs

pytestmark = pytest.mark.anyio

START_MS = 1_760_000_000_000
HOOK = Webhook(
    id=1,
    url="https://a.example/",
    secret="s",
    events=("message.created",),
    site_id=1,
    told_from=UnixMs(START_MS),
)


class Installation:
    """A store with two sites, and nodes that tell; its clock is set by tests."""

    def __init__(self) -> None:
        self.ms = START_MS
        self.store = MemoryStore(
            Limits(appender_wait_s=60), now=monotonic, now_ms=lambda: self.ms
        )
        self._ids = IdGenerator(lambda: self.ms)

    async def open(self, *hooks: Webhook) -> None:
        for number in (1, 2):
            await self.store.put_site(Site(id=number, name="s", embed_key=f"k{number}"))
        await self.store.put_records(*hooks)

    def node(self) -> Telling:
        return Telling(
            self.store,
            ids=self._ids,
            now=lambda: self.ms / 1000,
            now_ms=lambda: self.ms,
        )

    async def conversation(self, visitor: str = "v1", site: int = 1) -> ConversationId:
        person = Person(id=ParticipantId(visitor), name="", role=Role.VISITOR)
        return (await self.store.open_conversation(site, person)).id

    async def say(
        self,
        conversation: ConversationId,
        body: str,
        *listening: Telling,
        kind: MessageKind = MessageKind.TEXT,
        sender: str = "v1",
    ) -> None:
        appended = await self.store.append(
            Draft(
                conversation=conversation,
                sender=ParticipantId(sender),
                key=f"key-{self._ids.new()}",
                kind=kind,
                body=body,
            )
        )
        for node in listening:
            node.message_committed(appended)

    async def told(self) -> list[str]:
        """Return the texts that there are deliveries of, sorted."""
        found = await self.store.list_records(WebhookDelivery, after=0, limit=500)
        return sorted(
            msgspec.json.decode(each.payload)["message"]["body"] for each in found
        )


async def test_what_is_said_is_written_down_at_once() -> None:
    home = Installation()
    async with home.store:
        await home.open(HOOK)
        node = home.node()
        await node.step()
        mine, other = await home.conversation(), await home.conversation("v2", 2)
        for number in range(3):
            await home.say(mine, f"text {number}", node)
            await home.say(other, "of another site", node)
        await node.step()
        assert await home.told() == ["text 0", "text 1", "text 2"]
        (delivery, *_) = await home.store.list_records(WebhookDelivery, after=0)
        assert delivery.source == f"message.created:{mine}:1"
        content = msgspec.json.decode(delivery.payload)
        assert content["conversation"]["visitor"] == "v1"
        assert (content["event"], content["site_id"]) == ("message.created", 1)


async def test_without_webhooks_nothing_is_read_or_kept() -> None:
    home = Installation()
    async with home.store:
        await home.open()
        node = home.node()
        await node.step()
        mine = await home.conversation()
        home.store.find_conversation = None  # type: ignore[method-assign, assignment]
        await home.say(mine, "x", node)
        await node.step()
        assert await home.told() == []


async def test_what_was_stored_by_a_process_that_died_is_found() -> None:
    home = Installation()
    async with home.store:
        await home.open(HOOK)
        mine = await home.conversation()
        for number in range(150):
            await home.say(mine, f"text {number:03}")
        await home.node().step()
        assert await home.told() == [f"text {number:03}" for number in range(150)]


async def test_what_was_said_before_it_was_made_is_not_told() -> None:
    home = Installation()
    async with home.store:
        mine = ConversationId(0)
        await home.open()
        mine = await home.conversation()
        await home.say(mine, "before")
        home.ms += 1
        hook = msgspec.structs.replace(HOOK, told_from=UnixMs(home.ms))
        await home.store.put_records(hook)
        await home.say(mine, "after")
        await home.node().step()
        assert await home.told() == ["after"]


async def test_two_nodes_write_each_delivery_once() -> None:
    home = Installation()
    async with home.store:
        await home.open(HOOK)
        nodes = [home.node(), home.node()]
        mine = await home.conversation()
        for node in nodes:
            await node.step()
        for number in range(10):
            await home.say(mine, f"{number}", nodes[number % 2])
        async with anyio.create_task_group() as tasks:
            for node in nodes:
                tasks.start_soon(node.step)
        assert await home.told() == [str(number) for number in range(10)]


async def test_what_another_process_says_in_between_is_found_by_a_look() -> None:
    home = Installation()
    async with home.store:
        await home.open(HOOK)
        node = home.node()
        mine = await home.conversation()
        await home.say(mine, "first", node)
        await node.step()
        await home.say(mine, "by another process")
        await node.step()
        assert await home.told() == ["first"]
        home.ms += 60_000
        await node.step()
        assert await home.told() == ["by another process", "first"]


async def test_the_beginning_follows_and_never_comes_too_near() -> None:
    home = Installation()
    async with home.store:
        await home.open(HOOK)
        node = home.node()
        for _ in range(20):
            home.ms += 60_000
            await node.step()
            (hook,) = await home.store.list_records(Webhook)
            assert hook.told_from == max(START_MS, home.ms - OVERLAP_MS)


async def test_a_change_by_an_admin_is_never_overwritten() -> None:
    home = Installation()
    async with home.store:
        await home.open(HOOK)
        node = home.node()
        await node.step()
        changed = msgspec.structs.replace(HOOK, url="https://b.example/", revision=5)
        await home.store.put_records(changed)
        home.ms += 10 * OVERLAP_MS
        node._hooks_at = home.ms / 1000  # It has not seen the change.
        await node.step()
        (hook,) = await home.store.list_records(Webhook)
        assert hook == changed


async def test_a_store_that_fails_loses_no_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    home = Installation()
    async with home.store:
        await home.open(HOOK)
        node = home.node()
        await node.step()
        mine = await home.conversation()
        await home.say(mine, "kept", node)
        there, failures = home.store.history, [StoreUnavailable(), RuntimeError("x")]

        async def away(*args: Any, **more: Any) -> Any:
            if failures:
                raise failures.pop()
            return await there(*args, **more)

        home.store.history = away  # type: ignore[method-assign]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(node.run)
            with anyio.fail_after(5):
                while not await home.told():
                    await anyio.sleep(0.005)
            tasks.cancel_scope.cancel()
        assert await home.told() == ["kept"]


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 2), st.integers(0, 3)),
        st.tuples(st.just("step"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("die"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("pass"), st.sampled_from([1, 5, 40, 200]), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_whatever_dies_and_when_every_message_is_told_once(acts: list[Any]) -> None:
    async def play() -> None:
        home = Installation()
        async with home.store:
            await home.open(HOOK)
            nodes, said = [home.node(), home.node()], []
            conversations = [await home.conversation(f"v{n}") for n in range(1, 4)]
            for act, number, more in acts:
                if act == "say":
                    # Heard by one node, by the other, by none (it died), by both.
                    heard = [[nodes[0]], [nodes[1]], [], nodes][more]
                    said.append(f"text {len(said):02}")
                    await home.say(conversations[number], said[-1], *heard)
                elif act == "step":
                    await nodes[number].step()
                elif act == "die":
                    nodes[number] = home.node()
                else:
                    home.ms += number * 1000
            home.ms += 60_000
            await nodes[0].step()
            assert await home.told() == said

    anyio.run(play)
