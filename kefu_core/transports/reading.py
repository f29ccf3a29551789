"""What a client accepts in one batch, on every transport."""

import msgspec

from kefu_core.limits import Limits

READ_BATCH_BYTES_MAX = 4_194_304
"""A page may hold `page_bytes_max` of bodies; other batches are a frame's size."""
READ_BATCH_FRAMES_MAX = 65_536
"""The server's own setting says how many it sends; its bytes bound them here."""


def for_reading(limits: Limits) -> Limits:
    """Widen the batch size: what the server sends is not bounded by our own limits."""
    return msgspec.structs.replace(
        limits,
        frame_bytes_max=READ_BATCH_BYTES_MAX,
        batch_frames_max=READ_BATCH_FRAMES_MAX,
    )
