"""A message is encoded once for each codec and audience, and shows only what it may."""

import pytest

from kefu_core.hub.fanout import Fanout, message_frame, page_message
from kefu_core.model import INTERNAL_KINDS, Message, MessageKind
from kefu_core.protocol.codec import JSON, MSGPACK
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from tests.core.hub.world import bodies, world

V1, V2, A1, A2 = map(ParticipantId, ("v1", "v2", "a1", "a2"))


def message(kind: MessageKind = MessageKind.TEXT, sender: str = "a1") -> Message:
    return Message(
        conversation=ConversationId(7),
        seq=Seq(3),
        sender=ParticipantId(sender),
        key="key-canary",
        kind=kind,
        body="body-canary",
        at=UnixMs(5),
        data={"field": "data-canary"},
        ref=Seq(1),
    )


def test_readers_of_one_audience_share_the_same_bytes() -> None:
    fanout = Fanout(message(sender="v1"))
    first = fanout.encoded(JSON, as_visitor=False, reader=A1)
    assert fanout.encoded(JSON, as_visitor=False, reader=A2) is first


def test_every_codec_and_audience_has_bytes_of_its_own() -> None:
    fanout = Fanout(message(sender="a1"))
    encoded = [
        fanout.encoded(codec, as_visitor=as_visitor, reader=reader)
        for codec in (JSON, MSGPACK)
        for as_visitor, reader in ((True, V1), (False, A1), (False, A2))
    ]
    assert len({id(data) for data in encoded}) == 6
    assert len(set(encoded)) == 4  # A plain text differs by codec and by its key.


@pytest.mark.parametrize("kind", sorted(INTERNAL_KINDS))
def test_a_visitor_gets_a_placeholder_for_what_is_internal(kind: MessageKind) -> None:
    fanout = Fanout(message(kind))
    for codec in (JSON, MSGPACK):
        # The agent's copy is made first: it must not be the one that is shared.
        assert b"canary" in fanout.encoded(codec, as_visitor=False, reader=A2)
        encoded = fanout.encoded(codec, as_visitor=True, reader=V1)
        assert b"canary" not in encoded
        assert b"placeholder" in encoded
    frame = message_frame(message(kind), as_visitor=True, reader=V1)
    assert (frame.seq, frame.sender, frame.at) == (3, "a1", 5)
    assert (frame.body, frame.data, frame.ref, frame.key) == ("", None, None, None)


def test_a_page_shows_what_the_live_message_showed() -> None:
    for kind in (MessageKind.TEXT, MessageKind.NOTE, MessageKind.ASSIGNMENT):
        for as_visitor, reader in ((True, V1), (False, A1), (False, A2)):
            live = message_frame(message(kind), as_visitor=as_visitor, reader=reader)
            paged = page_message(message(kind), as_visitor=as_visitor, reader=reader)
            for name in paged.__struct_fields__:
                assert getattr(paged, name) == getattr(live, name), name


def test_a_key_is_shown_to_the_sender_alone() -> None:
    fanout = Fanout(message(sender="v1"))
    assert b"key-canary" in fanout.encoded(JSON, as_visitor=True, reader=V1)
    for as_visitor, reader in ((True, V2), (False, A1)):
        encoded = fanout.encoded(JSON, as_visitor=as_visitor, reader=reader)
        assert b"body-canary" in encoded
        assert b"key-canary" not in encoded


@pytest.mark.anyio
async def test_a_note_reaches_a_visitor_as_an_empty_placeholder() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        await visitor.follow(conversation)
        await agent.follow(conversation)
        agent.send_nowait(conversation, "secret", kind=MessageKind.NOTE)
        agent.send_nowait(conversation, "hello")
        assert await bodies(visitor, 2) == ["", "hello"]
        page = await visitor.fetch(conversation)
        assert [m.body for m in page.messages] == ["", "hello"]
        assert page.messages[0].kind is MessageKind.PLACEHOLDER
