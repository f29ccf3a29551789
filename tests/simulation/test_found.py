"""What the simulation found once, told as short stories."""

import pytest

from kefu_core.abc.store import PendingAppend
from kefu_core.errors import Busy
from kefu_core.limits import Limits
from kefu_core.model import Draft, Person, Role
from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.protocol.server import shared_limits
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.hub.world import Gate, send, world

pytestmark = pytest.mark.anyio


async def test_a_batch_stays_in_order_when_the_queue_is_full_for_a_moment() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        submit, refused = w.store.submit, []

        def full_once(append: PendingAppend) -> None:
            if not refused:
                refused.append(append)
                raise Busy
            submit(append)

        w.store.submit = full_once  # type: ignore[method-assign]
        await peer.say(*(send(conversation, n) for n in (1, 2, 3)))
        errors = [await peer.expect(f.ErrorFrame) for _ in range(3)]
        assert [(e.key, e.code) for e in errors] == [
            ("k1", "busy"),
            ("k2", "out_of_order"),
            ("k3", "out_of_order"),
        ]
        assert w.store.log_of(conversation) == []
        await peer.say(*(send(conversation, n) for n in (1, 2, 3)))
        assert await peer.bodies(3) == ["m1", "m2", "m3"]


async def test_nobody_hears_others_type_before_it_is_welcomed() -> None:
    async with world() as w:
        conversation = await w.conversation()
        visitor = await w.follower("v1", conversation)
        w.handler.loaded = gate = Gate()
        agent = await w.connect()
        await agent.say(f.Hello(token="a1", cursors={conversation: Seq(0)}))
        await gate.reached()
        w.handler.loaded = None
        await visitor.say(f.Typing(conversation=conversation, text="unsent"))
        await visitor.until_answered()
        gate.opened.set()
        await agent.expect(f.Head)
        assert [type(frame) for frame in agent.log[:2]] == [f.Welcome, f.Head]
        assert not agent.of(f.TypingEvent)


async def test_a_message_whose_commit_was_in_doubt_reaches_those_who_follow() -> None:
    async with world() as w:
        conversation = await w.conversation()
        agent = await w.follower("a1", conversation)
        visitor = await w.follower("v1", conversation)
        # Stored by a transaction whose answer was lost: the hub knows nothing of it.
        await w.store.append(
            Draft(
                conversation=conversation,
                sender=ParticipantId("v1"),
                key="k1",
                body="m1",
            )
        )
        await visitor.say(send(conversation, 1))
        assert (await visitor.expect(f.Sent)).duplicate
        assert await agent.bodies(1) == ["m1"]


@pytest.mark.parametrize("after_s", [0.0, 2.0])
def test_a_follow_refused_for_now_is_asked_again(after_s: float) -> None:
    session = ClientSession()
    conversation = ConversationId(7)
    session.connected("token", 0.0)
    session.frames_to_send()
    me = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
    welcome = f.Welcome(
        session="s",
        epoch="e",
        resumed=True,
        heartbeat_s=25.0,
        limits=shared_limits(Limits(), me),
        me=me,
    )
    session.receive([welcome], 0.0)
    session.follow(conversation, Seq(0))
    follow = f.Follow(conversation=conversation)
    assert session.frames_to_send() == [follow]
    refusal = f.ErrorFrame(
        code="unavailable",
        text="",
        retry="same",
        after_s=after_s,
        frame="follow",
        conversation=conversation,
    )
    session.receive([refusal], 1.0)
    due = session.next_timer(1.0)
    assert 1.0 < due <= 3.0
    session.handle_timer(due - 0.1)
    assert session.frames_to_send() == ()
    session.handle_timer(due)
    assert session.frames_to_send() == [follow]
