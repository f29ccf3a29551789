"""Requests are answered one at a time, in order, and bounded."""

import anyio
import msgspec
import pytest

from kefu_core.model import Draft, MessageKind
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from tests.core.hub.world import LIMITS, Faults, Gate, World, world

pytestmark = pytest.mark.anyio


def call(request_id: str, method: str = "echo") -> f.Call:
    return f.Call(id=request_id, method=method, params={"id": request_id})


async def filled(w: World, count: int, body: str = "m") -> ConversationId:
    """Open a conversation with so many messages."""
    conversation = await w.conversation()
    await w.append(conversation, *(f"{body}{n}" for n in range(1, count + 1)))
    return conversation


def seqs(page: f.Page) -> list[int]:
    return [message.seq for message in page.messages]


async def test_requests_are_answered_in_their_order() -> None:
    async with world() as w:
        conversation = await filled(w, 2)
        peer = await w.peer("v1")
        w.store.before["history"] = gate = Gate()
        await peer.say(
            f.Fetch(id="1", conversation=conversation),
            call("2"),
            f.Fetch(id="3", conversation=conversation),
            call("4"),
        )
        await gate.reached()
        gate.opened.set()
        await peer.expect(f.Reply, id="4")
        answers = [a.id for a in peer.log if isinstance(a, f.Page | f.Reply)]
        assert answers == ["1", "2", "3", "4"]


async def test_one_request_too_many_is_refused_as_busy() -> None:
    limits = msgspec.structs.replace(LIMITS, requests_waiting_max=2)
    async with world(limits) as w:
        w.handler.before["call"] = gate = Gate()
        peer = await w.peer("v1")
        await peer.say(call("1"))
        await gate.reached()
        await peer.say(call("2"), call("3"), call("4"))
        refusal = await peer.expect(f.ErrorFrame)
        assert (refusal.code, refusal.id, refusal.retry) == ("busy", "4", "same")
        gate.opened.set()
        assert [(await peer.expect(f.Reply)).id for _ in range(3)] == ["1", "2", "3"]
        await peer.say(call("4"))
        assert (await peer.expect(f.Reply)).id == "4"


async def test_a_fault_of_ours_is_an_error_and_not_the_end() -> None:
    async with world() as w:
        peer = await w.peer("v1")
        await peer.say(call("1", "crash"), call("2"))
        refusal = await peer.expect(f.ErrorFrame)
        assert (refusal.code, refusal.id) == ("internal", "1")
        assert "secret" not in refusal.text
        assert (await peer.expect(f.Reply)).id == "2"
        await peer.until_answered()


async def test_a_store_that_is_away_is_an_error_and_not_the_end() -> None:
    async with world() as w:
        conversation = await filled(w, 1)
        w.store.before["history"] = Faults(1)
        peer = await w.peer("v1")
        await peer.say(f.Fetch(id="1", conversation=conversation))
        refusal = await peer.expect(f.ErrorFrame)
        assert (refusal.code, refusal.id, refusal.retry) == ("unavailable", "1", "same")
        await peer.say(f.Fetch(id="2", conversation=conversation))
        assert seqs(await peer.expect(f.Page)) == [1]


async def test_a_fresh_token_of_the_same_principal_is_taken() -> None:
    async with world() as w:
        peer = await w.peer("v1")
        w.handler.expires_at_ms = UnixMs(2**50)
        await peer.say(f.Auth(token="v1"))
        assert (await peer.expect(f.AuthOk)).expires_at == 2**50
        principal = w.connection("v1").principal
        assert principal is not None
        assert principal.expires_at_ms == 2**50


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("v2", "forbidden"),
        ("a1", "forbidden"),
        ("v1@2", "forbidden"),
        ("", "unauthorized"),
        ("crash", "internal"),
    ],
)
async def test_another_principals_token_changes_nothing(token: str, code: str) -> None:
    async with world() as w:
        other = await w.conversation("v2")
        peer = await w.peer("v1")
        before = w.connection("v1").principal
        await peer.say(f.Auth(token=token))
        assert (await peer.expect(f.ErrorFrame)).code == code
        assert w.connection("v1").principal == before
        await peer.say(f.Fetch(id="1", conversation=other))
        assert (await peer.expect(f.ErrorFrame, id="1")).code == "not_found"


async def test_pages_lead_through_a_log_in_both_directions() -> None:
    async with world() as w:
        conversation = await filled(w, 7)
        peer = await w.peer("v1")

        async def page(**cursor: int) -> tuple[list[int], bool]:
            await peer.say(
                f.Fetch(
                    id="1",
                    conversation=conversation,
                    limit=3,
                    **{name: Seq(seq) for name, seq in cursor.items()},
                )
            )
            answer = await peer.expect(f.Page)
            assert answer.head == 7
            return seqs(answer), answer.more

        assert await page() == ([5, 6, 7], True)
        assert await page(before=5) == ([2, 3, 4], True)
        assert await page(before=4) == ([1, 2, 3], False)
        assert await page(before=2) == ([1], False)
        assert await page(after=0) == ([1, 2, 3], True)
        assert await page(after=4) == ([5, 6, 7], False)
        assert await page(after=7) == ([], False)


async def test_a_page_is_cut_at_its_bytes_next_to_the_cursor() -> None:
    limits = msgspec.structs.replace(LIMITS, page_bytes_max=1_000)
    async with world(limits) as w:
        conversation = await filled(w, 6, "x" * 99)
        peer = await w.peer("v1")
        for cursor, expected in (
            ({"after": Seq(1)}, [2, 3]),
            ({"before": Seq(6)}, [4, 5]),
            ({}, [5, 6]),
        ):
            await peer.say(f.Fetch(id="1", conversation=conversation, **cursor))
            page = await peer.expect(f.Page)
            assert (seqs(page), page.more) == (expected, True)


async def test_structured_parts_of_messages_count_for_a_page_too() -> None:
    limits = msgspec.structs.replace(LIMITS, page_bytes_max=1_000)
    async with world(limits) as w:
        conversation = await w.conversation()
        for number in range(4):
            await w.hub.append(
                Draft(
                    conversation=conversation,
                    sender=ParticipantId("a1"),
                    key=f"k{number}",
                    data={"text": "x" * 120},
                )
            )
        peer = await w.peer("v1")
        await peer.say(f.Fetch(id="1", conversation=conversation, after=Seq(0)))
        page = await peer.expect(f.Page)
        assert (seqs(page), page.more) == ([1, 2], True)


async def test_a_page_holds_at_least_one_message() -> None:
    limits = msgspec.structs.replace(LIMITS, page_bytes_max=10)
    async with world(limits) as w:
        conversation = await filled(w, 2)
        peer = await w.peer("v1")
        await peer.say(f.Fetch(id="1", conversation=conversation, after=Seq(0)))
        page = await peer.expect(f.Page)
        assert (seqs(page), page.more) == ([1], True)


async def test_a_page_hides_what_is_internal_from_a_visitor() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, "secret", kind=MessageKind.NOTE)
        for who, body in (("v1", ""), ("a1", "secret")):
            peer = await w.peer(who)
            await peer.say(f.Fetch(id="1", conversation=conversation))
            page = await peer.expect(f.Page)
            assert [message.body for message in page.messages] == [body]


async def test_somebody_elses_conversation_looks_like_none() -> None:
    async with world() as w:
        conversation = await filled(w, 1)
        peer = await w.peer("v2")
        refusals = []
        for target in (conversation, ConversationId(12345)):
            await peer.say(f.Fetch(id="1", conversation=target))
            refusals.append(await peer.expect(f.ErrorFrame))
        assert refusals[0] == msgspec.structs.replace(
            refusals[1], conversation=conversation
        )


async def test_pages_nobody_reads_wait_outside_our_memory() -> None:
    limits = msgspec.structs.replace(LIMITS, outbox_bytes_max=8_192)
    async with world(limits) as w:
        conversation = await filled(w, 20, "x" * 500)
        peer = await w.peer("v1", buffered_batches=0)
        w.store.before["history"] = asked = Faults(0)
        for number in range(30):
            await peer.say(f.Fetch(id=str(number), conversation=conversation))
        await anyio.wait_all_tasks_blocked()
        assert asked.asked <= 3
        assert w.connection("v1").outbox.size_bytes < 2 * limits.outbox_bytes_max
        pages = [await peer.expect(f.Page) for _ in range(30)]
        assert [page.id for page in pages] == [str(number) for number in range(30)]
        assert asked.asked == 30


async def test_a_node_that_leaves_takes_no_calls() -> None:
    async with world() as w:
        peer = await w.peer("v1")
        w.hub.is_draining = True
        await peer.say(call("1"))
        refusal = await peer.expect(f.ErrorFrame)
        assert (refusal.code, refusal.id, refusal.retry) == ("busy", "1", "same")
