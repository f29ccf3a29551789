"""A client takes what a server with other settings sends."""

import pytest

from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK, Codec, server_frame_decoder
from kefu_core.transports.reading import for_reading


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=lambda codec: codec.name)
@pytest.mark.parametrize("count", [1, 500, 5_000])
def test_a_batch_from_the_server_may_hold_more_than_we_may_send(
    codec: Codec, count: int
) -> None:
    decoder = server_frame_decoder(codec, for_reading(Limits(batch_frames_max=1)))
    batch = codec.join([codec.encode(f.Pong())] * count)
    assert list(decoder.decode(batch)) == [f.Pong()] * count


def test_what_we_may_send_is_as_it_was() -> None:
    limits = Limits(depth_max=7, text_chars_max=99)
    assert for_reading(limits).depth_max == 7
    assert for_reading(limits).text_chars_max == 99
