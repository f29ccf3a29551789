"""Rubbish through a live session: an answer says why, and the connection goes on."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from kefu_core.errors import CloseCode, ConnectionClosed
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK, Codec
from tests.core.desk.world import LIMITS, Wire, World, world

pytestmark = pytest.mark.anyio

CONVERSATION = b"$"
"""Stands for the number of a conversation that the sender may write to."""


def text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


JSON_POISON: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "bad_request"),
    "blank lines": (b"\n\n\n", "bad_request"),
    "no json": (b"hello", "bad_request"),
    "half a frame": (b'{"t":"ping"', "bad_request"),
    "too large": (b'{"t":"ping","x":"' + b"x" * LIMITS.frame_bytes_max, "too_large"),
    "too many": (b'{"t":"ping"}\n' * (LIMITS.batch_frames_max + 1), "too_large"),
    "deep list": (b"[" * 60_000, "bad_request"),
    "deep data": (
        b'{"t":"send","key":"k","n":1,"conversation":$,"body":"x","data":{"a":'
        + b"[" * 100
        + b"]" * 100
        + b"}}",
        "bad_request",
    ),
    "deep closed data": (
        b'{"t":"call","id":"i","method":"m","params":{"a":'
        + b"[" * 30_000
        + b"]" * 30_000
        + b"}}",
        "bad_request",
    ),
    "huge number": (b'{"t":"follow","conversation":' + b"9" * 5_000 + b"}", "?"),
    "large number": (b'{"t":"follow","conversation":%d}' % 2**80, "?"),
    "64 bits": (b'{"t":"follow","conversation":%d}' % (2**63 - 1), "bad_request"),
    "53 bits": (b'{"t":"follow","conversation":%d}' % (2**53 - 1), "not_found"),
    "negative": (b'{"t":"follow","conversation":-1}', "bad_request"),
    "fraction": (b'{"t":"follow","conversation":1.5}', "bad_request"),
    "exponent": (b'{"t":"follow","conversation":1e999}', "bad_request"),
    "not a number": (b'{"t":"follow","conversation":NaN}', "bad_request"),
    "infinity": (b'{"t":"follow","conversation":Infinity}', "bad_request"),
    "after -1": (b'{"t":"follow","conversation":$,"after":-1}', "bad_request"),
    "after 2**80": (b'{"t":"follow","conversation":$,"after":%d}' % 2**80, "?"),
    "cursor ahead": (b'{"t":"follow","conversation":$,"after":99}', "ack_ahead"),
    "text as number": (b'{"t":"follow","conversation":"$"}', "bad_request"),
    "null": (b'{"t":"follow","conversation":null}', "bad_request"),
    "list as frame": (b'["ping"]', "bad_request"),
    "number as frame": (b"17", "bad_request"),
    "no tag": (b'{"conversation":$}', "bad_request"),
    "tag is a list": (b'{"t":["ping"]}', "bad_request"),
    "unknown frame": (b'{"t":"sudo"}', "unknown_frame"),
    "server's frame": (b'{"t":"message","conversation":$,"seq":1}', "unknown_frame"),
    "long tag": (b'{"t":"' + b"x" * 60_000 + b'"}', "unknown_frame"),
    "lone surrogate": (
        b'{"t":"send","key":"k","n":1,"conversation":$,"body":"\\ud800"}',
        "bad_request",
    ),
    "raw surrogate": (
        text('{"t":"send","key":"k","n":1,"conversation":$,"body":"\ud800"}'),
        "bad_request",
    ),
    "not utf-8": (
        b'{"t":"send","key":"k","n":1,"conversation":$,"body":"\xff\xfe"}',
        "bad_request",
    ),
    "nul": (
        b'{"t":"send","key":"k","n":1,"conversation":$,"body":"a\\u0000b"}',
        "bad_request",
    ),
    "nul in key": (
        b'{"t":"send","key":"a\\u0000","n":1,"conversation":$,"body":"x"}',
        "bad_request",
    ),
    "no key": (
        b'{"t":"send","key":"","n":1,"conversation":$,"body":"x"}',
        "bad_request",
    ),
    "n is 0": (
        b'{"t":"send","key":"k","n":0,"conversation":$,"body":"x"}',
        "bad_request",
    ),
    "n ahead": (
        b'{"t":"send","key":"k","n":%d,"conversation":$,"body":"x"}' % 2**70,
        "?",
    ),
    "unknown kind": (
        b'{"t":"send","key":"k","n":1,"conversation":$,"kind":"root","body":"x"}',
        "bad_request",
    ),
    "huge number in data": (
        b'{"t":"send","key":"k","n":1,"conversation":$,"body":"x","data":{"a":%d}}'
        % 2**100,
        "bad_request",
    ),
    "ref of nothing": (
        b'{"t":"send","key":"k","n":1,"conversation":$,"body":"x","ref":-7}',
        "bad_request",
    ),
    "page of 10**9": (
        b'{"t":"fetch","id":"i","conversation":$,"limit":1000000000}',
        "bad_request",
    ),
    "both ends": (
        b'{"t":"fetch","id":"i","conversation":$,"before":1,"after":1}',
        "bad_request",
    ),
    "ack ahead": (b'{"t":"ack","conversation":$,"seq":99}', "ack_ahead"),
    "ack below": (b'{"t":"ack","conversation":$,"seq":-99}', "bad_request"),
    "params of a list": (
        b'{"t":"call","id":"i","method":"people.get","params":[]}',
        "bad_request",
    ),
    "unknown parameter": (
        b'{"t":"call","id":"i","method":"people.get","params":{"ids":[],"as":"a1"}}',
        "bad_request",
    ),
    "long method": (
        b'{"t":"call","id":"i","method":"' + b"m" * 50_000 + b'"}',
        "not_found",
    ),
    "long topic": (b'{"t":"watch","topic":"' + b"t" * 50_000 + b'"}', "not_found"),
    "typing aloud": (
        b'{"t":"typing","conversation":$,"text":"' + b"x" * 5_000 + b'"}',
        "bad_request",
    ),
    "second hello": (b'{"t":"hello","token":"a1"}', "bad_request"),
}
"""Bytes and the code of the answer; `?` where only an answer is asked for."""


def _pack(frame: dict[Any, Any]) -> bytes:
    return msgspec.msgpack.encode([frame])


SEND: dict[Any, Any] = {"t": "send", "key": "k", "n": 1, "conversation": 0, "body": "x"}

PACKED_FAULTS: dict[str, tuple[dict[Any, Any], str]] = {
    "bytes as text": ({**SEND, "body": b"x"}, "bad_request"),
    "bytes in data": ({**SEND, "data": {"a": b"x"}}, "bad_request"),
    "nan in data": ({**SEND, "data": {"a": float("nan")}}, "bad_request"),
    "64 bits in data": ({**SEND, "data": {"a": 2**64 - 1}}, "bad_request"),
    "number as name": ({**SEND, "data": {1: 2}}, "bad_request"),
    "extension": ({**SEND, "data": {"a": msgspec.msgpack.Ext(9, b"x")}}, "bad_request"),
    "nan as number": ({**SEND, "n": float("nan")}, "bad_request"),
    "unknown frame": ({"t": "sudo"}, "unknown_frame"),
    "64 bits": ({"t": "follow", "conversation": 2**64 - 1}, "bad_request"),
}

FATAL_PACKED: dict[str, bytes] = {
    "map": b"\x80",
    "number": b"\x07",
    "nothing": b"",
    "list that says 2**32-1": b"\xdd\xff\xff\xff\xff",
    "list that says 65535": b"\xdc\xff\xff\xc0",
    "list cut short": b"\x92\x81\xa1t\xa4ping",
    "text that says 4 GiB": b"\x91\xdb\xff\xff\xff\xffabc",
    "bytes that say 4 GiB": b"\x91\xc6\xff\xff\xff\xffabc",
    "map that says 2**32-1": b"\x91\xdf\xff\xff\xff\xff",
    "reserved byte": b"\x91\xc1",
    "bytes after the end": b"\x91\x81\xa1t\xa4ping\x07",
    "deep lists": b"\x91" * 60_000,
}
"""After these nobody knows where the next frame begins."""


async def _ready(w: World, codec: Codec) -> tuple[Wire, int]:
    conversation = await w.conversation("v1")
    wire = await w.live("v1", codec)
    await wire.answers(f.Follow(conversation=conversation))
    return wire, conversation


async def _lives(wire: Wire, conversation: int) -> None:
    """A connection lives when it still stores a message and answers."""
    send = f.Send(
        key="alive",
        conversation=conversation,  # type: ignore[arg-type]
        n=1,
        body="still here",
    )
    await wire.send(send, f.Ping())
    answer = await wire.until(f.Sent, f.ErrorFrame)
    if isinstance(answer, f.ErrorFrame):
        # The poison was refused for good as number 1, which used it up.
        assert answer.key != "alive", answer
        await wire.until(f.Sent)


async def _next_error(wire: Wire, start: int) -> f.ErrorFrame:
    while True:
        for frame in wire.seen[start:]:
            if isinstance(frame, f.ErrorFrame):
                return frame
        await wire.until(f.ErrorFrame)


async def _survives(wire: Wire, data: bytes, code: str, conversation: int) -> None:
    start = len(wire.seen)
    await wire.stream.send_bytes(data)
    error = await _next_error(wire, start)
    assert error.code == code or code == "?"
    assert error.code != "internal"
    assert error.text
    assert len(error.text) < 400
    assert len(msgspec.json.encode(error)) < 1_000
    await _lives(wire, conversation)


@pytest.mark.parametrize("name", JSON_POISON)
async def test_a_json_session_says_why_and_goes_on(name: str) -> None:
    async with world() as w:
        wire, conversation = await _ready(w, JSON)
        data, code = JSON_POISON[name]
        data = data.replace(CONVERSATION, b"%d" % conversation)
        await _survives(wire, data, code, conversation)


@pytest.mark.parametrize("name", PACKED_FAULTS)
async def test_a_msgpack_session_says_why_and_goes_on(name: str) -> None:
    async with world() as w:
        wire, conversation = await _ready(w, MSGPACK)
        frame, code = PACKED_FAULTS[name]
        if frame.get("conversation") == 0:
            frame = {**frame, "conversation": conversation}
        await _survives(wire, _pack(frame), code, conversation)


async def test_text_that_is_not_utf_8_in_msgpack_is_named() -> None:
    async with world() as w:
        wire, conversation = await _ready(w, MSGPACK)
        data = _pack({**SEND, "conversation": conversation, "body": "????"})
        data = data.replace(b"????", b"\xed\xa0\x80\xff")
        await _survives(wire, data, "bad_request", conversation)


@pytest.mark.parametrize("name", FATAL_PACKED)
async def test_msgpack_that_lies_about_its_length_ends_its_own_connection(
    name: str,
) -> None:
    async with world() as w:
        wire, conversation = await _ready(w, MSGPACK)
        other = await w.live("v1")
        await wire.stream.send_bytes(FATAL_PACKED[name])
        seen = await wire.all_until_closed()
        errors = [x for x in seen if isinstance(x, f.ErrorFrame)]
        assert "MessagePack" in errors[-1].text
        assert seen[-1].code == CloseCode.BAD_PROTOCOL
        assert wire.stream.close_code == CloseCode.BAD_PROTOCOL
        await other.answers(f.Follow(conversation=conversation))  # type: ignore[arg-type]
        await _lives(other, conversation)


async def test_a_hundred_thousand_brackets_are_one_refusal() -> None:
    async with world() as w:
        wire, conversation = await _ready(w, JSON)
        await _survives(wire, b"[" * 100_000, "too_large", conversation)


async def test_a_good_frame_beside_a_bad_one_counts() -> None:
    async with world() as w:
        wire, conversation = await _ready(w, JSON)
        good = b'{"t":"send","key":"g","n":1,"conversation":%d,"body":"x"}'
        await wire.stream.send_bytes(b'{"t":"sudo"}\n' + good % conversation + b"\n[")
        assert (await wire.until(f.Sent)).key == "g"
        codes = [x.code for x in wire.seen if isinstance(x, f.ErrorFrame)][-2:]
        assert codes == ["unknown_frame", "bad_request"]


async def test_rubbish_before_hello_is_answered_and_hello_still_works() -> None:
    async with world() as w:
        wire = Wire(w.stream())
        await wire.stream.send_bytes(b"\x00\xff")
        await wire.until(f.ErrorFrame)
        await wire.stream.send_bytes(b'{"t":"hello","token":{"a":1}}')
        await wire.until(f.ErrorFrame)
        await wire.send(f.Hello(token="v1"))
        await wire.until(f.Welcome)


async def test_a_flood_of_rubbish_is_ended_and_disturbs_nobody() -> None:
    limits = msgspec.structs.replace(
        LIMITS, frames_per_s=20.0, frames_burst=100, flood_s=1.0
    )
    async with world(limits) as w:
        wire, conversation = await _ready(w, JSON)
        flood = b'{"t":"follow","conversation":12345}\n' * 100
        with suppress(ConnectionClosed):
            for _ in range(30):
                await wire.stream.send_bytes(flood)
        seen = await wire.all_until_closed()
        assert [x.code for x in seen if isinstance(x, f.Closed)] == [
            CloseCode.OVERLOADED
        ]
        other = await w.live("a1")
        await _lives(other, conversation)
