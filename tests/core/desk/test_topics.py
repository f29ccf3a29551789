"""Of every list that agents watch, what events made of it is what a new start shows."""

import random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu_core.desk import Desk
from kefu_core.desk.access import RIGHTS
from kefu_core.errors import RefusedError
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.model import Role
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol.codec import JSON, Codec
from kefu_core.protocol.frames import Event, Frame, Snapshot
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.desk.world import LIMITS, PRINCIPALS, World, world

NOT_STORED: frozenset[str] = frozenset({"profiles", "visitors"})
"""Lists of what is so only now, such as who looks at a page."""
TOPICS = sorted(RIGHTS[Role.ADMIN].topics - NOT_STORED)
VISITORS = ("v1", "v2", "v1@2")


class Watcher:
    """Holds a list as a client does: a snapshot, then changes."""

    codec: Codec = JSON

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.version = -1

    def deliver_list(self, frame: Frame, encoded: bytes | None) -> bool:
        if isinstance(frame, Snapshot):
            self.rows = {row["id"]: row for row in frame.rows}
        elif isinstance(frame, Event):
            assert frame.version == self.version + 1, "a change was missed"
            if frame.put is not None:
                self.rows[frame.put["id"]] = frame.put
            elif frame.drop is not None:
                self.rows.pop(frame.drop)
        else:
            raise TypeError(frame)
        self.version = frame.version
        return True


async def call(w: World, token: str, method: str, **params: Any) -> dict[str, Any]:
    """Call a method as the principal of a token; what is refused is nothing."""
    try:
        return await w.desk.call(PRINCIPALS[token], method, params)
    except RefusedError:
        return {}


async def act(w: World, rng: random.Random) -> None:
    """Do one thing that anybody may do."""
    rows = list(w.rows)
    conversation = rng.choice(rows) if rows else 1
    agent = rng.choice(("a1", "a2"))
    match rng.randrange(10):
        case 0 | 1:
            token = rng.choice(VISITORS)
            opened = await call(w, token, "conversation.open")
            if opened:
                number = opened["conversation"]["id"]
                await w.say(number, token.partition("@")[0], f"text {rng.random()}")
        case 2:
            await call(w, agent, "conversation.take", conversation=conversation)
        case 3:
            await call(w, agent, "conversation.close", conversation=conversation)
        case 4:
            await call(
                w,
                agent,
                "conversation.label",
                conversation=conversation,
                labels=rng.sample(["a", "b", "c"], rng.randrange(4)),
            )
        case 5 if conversation in w.rows:
            seq = w.rows[conversation]["last_seq"]
            w.hub.receipts.advance(
                ConversationId(conversation),
                ParticipantId(agent),
                delivered=seq,
                read=Seq(rng.randint(0, seq)),
            )
        case 6:
            await call(
                w,
                rng.choice(VISITORS),
                "offline.leave",
                key=f"key-{rng.randrange(10**9)}",
                body="gone?",
                email="lin@example.org",
            )
        case 9:
            status = rng.choice(("online", "busy", "away"))
            await call(w, agent, "presence.set", status=status)
        case 7 | 8:
            left = (await call(w, agent, "offline.list")).get("rows", [])
            if left:
                method = rng.choice(
                    (
                        "offline.handle",
                        "offline.reopen",
                        "offline.answer_by_conversation",
                    )
                )
                message = rng.choice(left)["id"]
                await call(w, agent, method, message=message)


async def fresh(w: World, tasks: anyio.abc.TaskGroup) -> Hub:
    """Return the hub of a node that starts now, over the same store."""
    desk = Desk(
        w.store,
        w.authenticate,
        LIMITS,
        IdGenerator(unix_ms),
        unix_ms,
        revalidate=w.revalidate,
        now=monotonic,
    )
    hub = Hub(
        w.store, desk, LIMITS, now=monotonic, now_ms=unix_ms, rng=random.Random(0)
    )
    desk.attach(hub)
    await desk.start(tasks)
    return hub


def test_every_list_is_stored_or_excused() -> None:
    assert RIGHTS[Role.AGENT].topics >= set(TOPICS)
    assert set(TOPICS) | NOT_STORED == RIGHTS[Role.ADMIN].topics


@pytest.mark.parametrize("topic", TOPICS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
def test_what_events_made_of_a_list_is_what_a_fresh_start_shows(
    topic: str, seed: int, count: int
) -> None:
    async def run() -> None:
        rng = random.Random(seed)
        async with world() as w:
            watcher = Watcher()
            w.hub.lists.topic(topic).watch(watcher)
            for _ in range(count):
                await act(w, rng)
            await w.hub.receipts.flush()
            async with anyio.create_task_group() as tasks:
                hub = await fresh(w, tasks)
                expected = hub.lists.topic(topic).rows
                with anyio.move_on_after(5):
                    while watcher.rows != expected:
                        await anyio.sleep(0.005)
                assert watcher.rows == expected
                tasks.cancel_scope.cancel()

    anyio.run(run)
