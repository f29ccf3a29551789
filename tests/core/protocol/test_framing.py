"""Batches on a byte stream, however it is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.errors import RemoteProtocolError
from kefu_core.protocol.codec import CODECS, JSON
from kefu_core.protocol.framing import (
    LENGTH_BYTES,
    PREFACE_BYTES,
    BatchSplitter,
    parse_preface,
    preface,
    with_length,
)

MAXIMUM = 50


@pytest.mark.parametrize("name", sorted(CODECS))
def test_a_preface_names_its_codec(name: str) -> None:
    data = preface(CODECS[name])
    assert len(data) == PREFACE_BYTES
    assert parse_preface(data) is CODECS[name]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HT",
        b"KEFU\x02\x01\x00\x00",
        b"KEFU\x01\x03\x00\x00",
        preface(None),
        bytes(8),
    ],
)
def test_what_is_no_preface_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_preface(data)


def test_the_last_two_bytes_of_a_preface_are_for_later() -> None:
    assert parse_preface(b"KEFU\x01\x01\xff\xff") is JSON


@given(
    st.lists(st.binary(max_size=MAXIMUM), max_size=20),
    st.lists(st.integers(1, 40), max_size=200),
)
def test_any_cutting_of_the_bytes_gives_the_same_batches(
    batches: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(map(with_length, batches))
    splitter = BatchSplitter(MAXIMUM)
    found: list[bytes] = []
    for cut in cuts:
        found += splitter.feed(data[:cut])
        data = data[cut:]
    found += splitter.feed(data)
    assert found == batches
    assert splitter.pending_bytes == splitter.oversize == 0


@given(st.lists(st.binary(max_size=MAXIMUM), max_size=5), st.integers(1, 2**32 - 1))
def test_a_length_over_the_limit_is_refused_before_its_bytes_come(
    batches: list[bytes], excess: int
) -> None:
    size = min(MAXIMUM + excess, 2**32 - 1)
    splitter = BatchSplitter(MAXIMUM)
    lie = size.to_bytes(LENGTH_BYTES, "big")
    data = b"".join(map(with_length, batches))
    assert splitter.feed(data + lie + b"more") == batches
    assert splitter.oversize == size
    assert splitter.pending_bytes == 0


@given(st.lists(st.binary(max_size=200), max_size=50))
def test_garbage_costs_no_more_than_one_batch_and_one_read(pieces: list[bytes]) -> None:
    splitter = BatchSplitter(MAXIMUM)
    for piece in pieces:
        splitter.feed(piece)
        if splitter.oversize:
            break
        assert splitter.pending_bytes < MAXIMUM + LENGTH_BYTES
