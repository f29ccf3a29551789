"""Bytes to frames and back: nothing gets lost, nothing gets through, nothing raises."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.errors import ErrorCode
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import (
    CODECS,
    JSON,
    MSGPACK,
    BadFrame,
    Codec,
    batches,
    client_frame_decoder,
    server_frame_decoder,
)
from kefu_core.types import ConversationId, Seq
from tests.core.protocol.samples import SERVER_FRAMES, C

LIMITS = Limits(frame_bytes_max=2_000, batch_frames_max=8, depth_max=4)
BOTH = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
NUMBER_MAX = 2**53 - 1

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-NUMBER_MAX, NUMBER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def decoded(codec: Codec, data: bytes | str, limits: Limits = LIMITS) -> list[Any]:
    return list(client_frame_decoder(codec, limits).decode(data))


def one(codec: Codec, frame: dict[Any, Any], limits: Limits = LIMITS) -> Any:
    """Decode a batch of one frame, given as a plain object."""
    data = (
        json.dumps(frame).encode() if codec.is_text else msgspec.msgpack.encode([frame])
    )
    (item,) = decoded(codec, data, limits)
    return item


@BOTH
@given(
    st.lists(st.builds(dict, a=plain), min_size=1, max_size=8),
    st.text(max_size=20),
)
def test_what_was_encoded_is_decoded(
    codec: Codec, values: list[dict[str, Any]], body: str
) -> None:
    frames = [
        f.Send(key=f"k{n}", conversation=C, n=n, body=body, data=data)
        for n, data in enumerate(values, 1)
    ]
    batch = codec.join([codec.encode(frame) for frame in frames])
    assert decoded(codec, batch, Limits()) == frames


@BOTH
def test_every_frame_of_the_server_survives_the_wire(codec: Codec) -> None:
    decoder = server_frame_decoder(codec, Limits())
    frames = list(SERVER_FRAMES.values())
    assert {type(frame) for frame in frames} == set(get_args(f.ServerFrame))
    batch = codec.join([codec.encode(frame) for frame in frames])
    assert list(decoder.decode(batch)) == frames


@BOTH
@pytest.mark.parametrize("count", [1, 15, 16, 100, 65_535, 65_536])
def test_a_batch_of_any_length_is_one_batch(codec: Codec, count: int) -> None:
    limits = Limits(frame_bytes_max=10**7, batch_frames_max=10**5)
    batch = codec.join([codec.encode(f.Ping())] * count)
    assert decoded(codec, batch, limits) == [f.Ping()] * count


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(st.binary(max_size=300))
def test_no_bytes_raise(codec: Codec, data: bytes) -> None:
    items = decoded(codec, data)
    assert items
    assert all(isinstance(item, (f.Frame, BadFrame)) for item in items)


@BOTH
def test_a_batch_over_a_limit_is_refused_whole(codec: Codec) -> None:
    ping = codec.encode(f.Ping())
    (many,) = decoded(codec, codec.join([ping] * 9))
    assert many.code is ErrorCode.TOO_LARGE
    assert "9 frames" in many.text
    (long,) = decoded(codec, b"x" * 2_001)
    assert long.code is ErrorCode.TOO_LARGE
    assert not many.fatal
    assert not long.fatal


@BOTH
@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({"t": "ack", "conversation": 1, "seq": NUMBER_MAX + 1}, "seq"),
        ({"t": "ack", "conversation": 1, "seq": -1}, "seq"),
        ({"t": "read", "conversation": 2**60, "seq": 1}, "conversation"),
        ({"t": "follow", "conversation": 1, "after": 2**62}, "after"),
        ({"t": "fetch", "id": "i", "conversation": 1, "before": 2**63 - 1}, "before"),
        ({"t": "fetch", "id": "i", "conversation": 1, "limit": -1}, "limit"),
        ({"t": "send", "key": "k", "conversation": 1, "n": -1}, "n"),
        ({"t": "send", "key": "k", "conversation": 1, "n": 1, "ref": -1}, "ref"),
        ({"t": "hello", "cursors": {"1": -1}}, "cursors"),
    ],
)
def test_a_number_that_nobody_can_count_is_refused_by_name(
    codec: Codec, frame: dict[str, Any], field: str
) -> None:
    if not codec.is_text and "cursors" in frame:
        frame = {**frame, "cursors": {1: -1}}
    bad = one(codec, frame)
    assert bad.code is ErrorCode.BAD_REQUEST
    assert f"$.{field}" in bad.text
    assert (bad.frame, bad.key, bad.id) == (
        frame["t"],
        frame.get("key"),
        frame.get("id"),
    )


@BOTH
def test_the_largest_numbers_are_numbers(codec: Codec) -> None:
    frame = {"t": "ack", "conversation": NUMBER_MAX, "seq": NUMBER_MAX}
    expected = f.Ack(conversation=ConversationId(NUMBER_MAX), seq=Seq(NUMBER_MAX))
    assert one(codec, frame) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        2**64 - 1,
        {1: 2},
        {None: 2},
        msgspec.msgpack.Ext(7, b"x"),
        [{"a": [b"x"]}],
    ],
)
@pytest.mark.parametrize("place", ["send", "call"])
def test_what_json_cannot_say_is_refused_with_its_key(value: Any, place: str) -> None:
    frame = (
        {"t": "send", "key": "k", "conversation": 1, "n": 1, "data": {"a": value}}
        if place == "send"
        else {"t": "call", "id": "i", "method": "m", "params": {"a": value}}
    )
    bad = one(MSGPACK, frame, Limits())
    assert isinstance(bad, BadFrame)
    assert bad.code is ErrorCode.BAD_REQUEST
    assert (bad.key or bad.id) == ("k" if place == "send" else "i")


@BOTH
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 9])
def test_nesting_is_allowed_up_to_the_limit(codec: Codec, depth: int) -> None:
    value: Any = 1
    for _ in range(depth - 2):
        value = [value]
    data = {"a": value} if depth > 1 else {}
    frame = {"t": "send", "key": "k", "conversation": 1, "n": 1, "data": data}
    item = one(codec, frame)
    assert isinstance(item, f.Send if depth <= 4 else BadFrame)
    assert item.key == "k"


@BOTH
def test_nesting_beyond_what_a_decoder_can_follow_is_a_bad_frame(codec: Codec) -> None:
    limits = Limits()
    head, inner = (
        (b'{"t":"ping","x":', b"[" * 20_000 + b"]" * 20_000 + b"}")
        if codec.is_text
        else (b"\x91\x82\xa1t\xa4ping\xa1x", b"\x91" * 40_000 + b"\x01")
    )
    (bad,) = decoded(codec, head + inner, limits)
    assert isinstance(bad, BadFrame)
    assert bad.code is ErrorCode.BAD_REQUEST


def test_an_unknown_frame_is_named_and_a_frame_without_a_name_is_told_so() -> None:
    unknown, nameless = decoded(JSON, '{"t":"sudo","id":"7"}\n{"key":"k"}')
    assert unknown.code is ErrorCode.UNKNOWN_FRAME
    assert (unknown.frame, unknown.id) == ("sudo", "7")
    assert nameless.code is ErrorCode.BAD_REQUEST
    assert "`t`" in nameless.text
    assert nameless.key == "k"


def test_one_bad_line_does_not_harm_its_neighbours() -> None:
    first, bad, last = decoded(JSON, '{"t":"ping"}\n{"t":\n{"t":"bye"}')
    assert (first, last) == (f.Ping(), f.Bye())
    assert isinstance(bad, BadFrame)
    assert not bad.fatal


def test_bytes_after_which_nothing_can_be_understood_are_fatal() -> None:
    (bad,) = decoded(MSGPACK, b"\xc1\x00")
    assert bad.fatal


def test_a_lone_surrogate_is_a_bad_frame() -> None:
    (bad,) = decoded(JSON, '{"t":"watch","topic":"\ud800"}')
    assert isinstance(bad, BadFrame)


def test_an_unknown_field_is_ignored() -> None:
    assert decoded(JSON, '{"t":"ping","new":1}') == [f.Ping()]


@BOTH
@given(st.lists(st.integers(0, 900), max_size=60))
def test_batches_hold_every_frame_in_order_and_fit(
    codec: Codec, lengths: list[int]
) -> None:
    frames = [f.Watch(topic="x" * length) for length in lengths]
    encoded = [codec.encode(frame) for frame in frames]
    found: list[Any] = []
    for batch in batches(encoded, LIMITS.frame_bytes_max, LIMITS.batch_frames_max):
        found += decoded(codec, codec.join(batch))
    assert found == frames


def test_a_frame_that_fits_nothing_travels_alone() -> None:
    assert list(batches([b"a", b"b" * 50, b"c"], 20, 9)) == [
        [b"a"],
        [b"b" * 50],
        [b"c"],
    ]
