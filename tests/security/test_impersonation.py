"""Whatever frames are sent: what is stored and told bears the name of its principal."""

from contextlib import AbstractContextManager
from typing import Any

import anyio
import msgspec
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kefu_core.desk.access import rights_of
from kefu_core.errors import ConnectionClosed, Invalid, NotAllowed
from kefu_core.folding import is_visitor
from kefu_core.model import OWN_KEYS, SENDABLE_KINDS, MessageKind
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId
from tests.core.desk.world import PRINCIPALS, Wire, World, world

TOKENS = sorted(PRINCIPALS)
VISITORS_LINES = (
    MessageKind.CLOSE,
    MessageKind.RATING,
    MessageKind.RECALL,
    MessageKind.EDIT,
)
"""What the desk writes in the name of a visitor who asked for it."""
names = st.sampled_from(["v1", "v2", "a1", "a2", "s0", "", "v1@2"])
tokens = st.sampled_from(TOKENS)
owners = st.sampled_from(["v1", "v2", "v1@2"])
claims = st.dictionaries(
    st.sampled_from(
        ["sender", "who", "from", "me", "participant", "role", "principal", "token"]
    ),
    names,
    max_size=3,
)
"""Fields with which a frame might say that it comes from somebody else."""


class Impostors(RuleBasedStateMachine):
    """Five live connections; each frame is sent by one of them."""

    @initialize()
    def open(self) -> None:
        self.lanes: dict[tuple[str, str], int] = {}
        """Sends of each connection to each conversation."""
        self.portal_context: AbstractContextManager[BlockingPortal] = (
            start_blocking_portal()
        )
        self.portal = self.portal_context.__enter__()
        self.world_context = self.portal.wrap_async_context_manager(world())
        self.world: World = self.world_context.__enter__()
        self.keys = 0
        self.conversations: dict[str, ConversationId] = {}
        self.wires: dict[str, Wire] = {}
        self.portal.call(self._open)

    async def _open(self) -> None:
        for token in ("v1", "v2", "v1@2"):
            who = PRINCIPALS[token]
            self.conversations[token] = await self.world.conversation(
                who.participant, who.site_id
            )
        for token in TOKENS:
            self.wires[token] = await self.world.live(token)

    def teardown(self) -> None:
        if hasattr(self, "world_context"):
            self.world_context.__exit__(None, None, None)
            self.portal_context.__exit__(None, None, None)

    # -- frames ------------------------------------------------------------------------

    def _say(self, token: str, frame: dict[str, Any]) -> None:
        self.portal.call(self._exchange, token, frame)

    async def _exchange(self, token: str, frame: dict[str, Any]) -> None:
        """Send one frame as it is and wait until it was worked off."""
        wire = self.wires[token]
        try:
            await wire.stream.send_bytes(msgspec.json.encode(frame))
            if frame["t"] == "send":
                while not any(
                    getattr(x, "key", None) == frame["key"] for x in wire.seen
                ):
                    await wire.until(f.Sent, f.ErrorFrame, f.MessageFrame)
            await wire.answers()
        except ConnectionClosed:
            await self._reconnect(token)

    async def _reconnect(self, token: str) -> None:
        self.wires[token].cut()
        self.wires[token] = await self.world.live(token)
        self.lanes = {k: n for k, n in self.lanes.items() if k[0] != token}

    @rule(
        token=tokens,
        owner=owners,
        kind=st.sampled_from(["text"] * 6 + [kind.value for kind in MessageKind]),
        claims=claims,
        data=st.none() | st.fixed_dictionaries({"sender": names, "who": names}),
    )
    def send(
        self,
        token: str,
        owner: str,
        kind: str,
        claims: dict[str, str],
        data: dict[str, str] | None,
    ) -> None:
        self.keys += 1
        # The right number, so that it is the name that decides and not the order.
        n = self.lanes[token, owner] = self.lanes.get((token, owner), 0) + 1
        frame = {
            "t": "send",
            # The key says who truly sent it, for the invariant.
            "key": f"{PRINCIPALS[token].participant}/{self.keys}",
            "conversation": self.conversations[owner],
            "n": n,
            "kind": kind,
            "body": "x",
            "data": data,
        }
        self._say(token, {**claims, **frame})

    @rule(token=tokens, other=names, kind=st.sampled_from(["hello", "auth"]))
    def claim_a_name(self, token: str, other: str, kind: str) -> None:
        self._say(token, {"t": kind, "token": other})

    @rule(
        token=tokens,
        owner=owners,
        claims=claims,
        kind=st.sampled_from(["follow", "unfollow", "ack", "read", "typing"]),
    )
    def follow_and_tell(
        self, token: str, owner: str, claims: dict[str, str], kind: str
    ) -> None:
        conversation = self.conversations[owner]
        self._say(token, {**claims, "t": kind, "conversation": conversation, "seq": 0})

    @rule(
        token=tokens,
        owner=owners,
        claims=claims,
        method=st.sampled_from(
            [f"conversation.{what}" for what in ("open", "take", "close", "end")]
            + ["conversation.rate", "message.recall", "message.edit"]
        ),
        assignee=st.none() | names,
        number=st.integers(1, 5),
    )
    def call(
        self,
        token: str,
        owner: str,
        claims: dict[str, str],
        method: str,
        assignee: str | None,
        number: int,
    ) -> None:
        params: dict[str, Any] = dict(claims)
        if method == "conversation.rate":
            params["score"] = number
        if method in {"message.recall", "message.edit"}:
            params["seq"] = number
        if method == "message.edit":
            params |= {"key": "k", "body": "edited"}
        if method != "conversation.open":
            params["conversation"] = self.conversations[owner]
        if assignee is not None:
            params["assignee"] = assignee
        call = {"t": "call", "id": "c", "method": method, "params": params}
        self._say(token, call)

    @rule(token=tokens)
    def come_back(self, token: str) -> None:
        self.portal.call(self._reconnect, token)

    # -- what must hold ----------------------------------------------------------------

    @invariant()
    def every_message_bears_the_name_of_its_sender(self) -> None:
        if not hasattr(self, "wires"):
            return
        for log in self.world.store._logs.values():
            for message in log:
                sender, _, rest = message.key.partition("/")
                if rest:
                    assert message.sender == sender
                    kind = message.kind
                    if kind is MessageKind.ERASED:
                        # Its own sender has taken it back.
                        kind = MessageKind((message.data or {})["was"])
                    if is_visitor(message.sender):
                        assert kind is MessageKind.TEXT
                    assert kind in SENDABLE_KINDS
                else:
                    # Written by the desk for whoever pressed the button.
                    assert message.key.startswith(OWN_KEYS)
                    assert message.kind not in SENDABLE_KINDS
                    if is_visitor(message.sender):
                        assert message.kind in VISITORS_LINES
                    if message.kind is MessageKind.ASSIGNMENT:
                        assert message.data == {"assignee": message.sender}

    @invariant()
    def a_visitor_writes_and_reads_in_its_own_conversation_only(self) -> None:
        if not hasattr(self, "wires"):
            return
        for token, wire in self.wires.items():
            if PRINCIPALS[token].is_agent:
                continue
            mine = {self.conversations[token]}
            for frame in wire.seen:
                if not isinstance(frame, f.ErrorFrame):
                    about = getattr(frame, "conversation", None)
                    assert about is None or about in mine
        for owner, conversation in self.conversations.items():
            for message in self.world.store._logs.get(conversation, []):
                if is_visitor(message.sender):
                    assert message.sender == PRINCIPALS[owner].participant

    @invariant()
    def receipts_and_typing_name_only_those_who_may_be_there(self) -> None:
        if not hasattr(self, "wires"):
            return
        for wire in self.wires.values():
            for frame in wire.seen:
                if isinstance(frame, f.Receipt | f.TypingEvent) and is_visitor(
                    frame.who
                ):
                    owners = [
                        PRINCIPALS[token].participant
                        for token, c in self.conversations.items()
                        if c == frame.conversation
                    ]
                    assert owners == [frame.who]


TestImpostors = Impostors.TestCase
TestImpostors.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("kind", list(MessageKind))
def test_no_request_writes_a_line_that_is_the_desks(kind: MessageKind) -> None:
    async def run() -> None:
        async with world() as w:
            conversation = await w.conversation("v1")
            params = {"conversation": conversation, "kind": kind.value, "body": "x"}
            for who in ("v1", "a1", "a2"):
                asked = params | {"key": f"by {who}"}
                sendable = rights_of(PRINCIPALS[who]).kinds
                if kind in sendable:
                    await w.desk.call(PRINCIPALS[who], "message.send", asked)
                else:
                    with pytest.raises(NotAllowed):
                        await w.desk.call(PRINCIPALS[who], "message.send", asked)
            log = await w.store.history(conversation)
            assert all(m.key == f"by {m.sender}" for m in log)
            assert all(m.kind in SENDABLE_KINDS for m in log)

    anyio.run(run)


def test_no_message_stands_where_a_line_of_the_desk_is_to_be() -> None:
    """Its key would be known already, and the line never be written."""

    async def run() -> None:
        async with world() as w:
            conversation = await w.conversation("v1")
            me = PRINCIPALS["v1"]
            target = {"conversation": conversation}
            wire = await w.live("v1")
            for number, key in enumerate(
                ("desk-recall-1", "desk-rate-2-0", "desk-edit-1-k"), 1
            ):
                send = {**target, "key": key, "body": "x"}
                with pytest.raises(Invalid, match="desk-"):
                    await w.desk.call(me, "message.send", send)
                answers = await wire.answers(f.Send(n=number, **send))
                assert [x.code for x in answers] == ["bad_request"]
            await w.desk.call(me, "message.send", {**target, "key": "k", "body": "x"})
            await w.desk.call(me, "message.recall", {**target, "seq": 1})
            await w.desk.call(me, "conversation.end", target)
            await w.desk.call(me, "conversation.rate", {**target, "score": 5})
            log = await w.store.history(conversation)
            assert [m.kind.value for m in log] == [
                "erased",
                "recall",
                "close",
                "rating",
            ]
            assert all(m.key.startswith(OWN_KEYS) for m in log[1:])
            assert all(m.sender == "v1" for m in log)
            wire.cut()

    anyio.run(run)


def test_the_key_of_a_message_is_told_to_its_sender_only() -> None:
    async def run() -> None:
        async with world() as w:
            conversation = await w.conversation("v1")
            wires = {token: await w.live(token) for token in ("v1", "a1", "a2")}
            for wire in wires.values():
                await wire.answers(f.Follow(conversation=conversation))
            await wires["a1"].send(
                f.Send(key="mine", conversation=conversation, n=1, body="x")
            )
            keys = {
                token: (await wire.until(f.MessageFrame)).key
                for token, wire in wires.items()
            }
            assert keys == {"v1": None, "a1": "mine", "a2": None}

    anyio.run(run)
