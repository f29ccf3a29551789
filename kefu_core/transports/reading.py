"""What a client accepts in one batch, on every transport."""

import msgspec

from kefu_core.limits import Limits

READ_BATCH_BYTES_MAX = 4_194_304
"""A page may hold `page_bytes_max` of bodies; other batches are a frame's size."""


def for_reading(limits: Limits) -> Limits:
    """Widen the batch size: pages from the server may be larger than our own frames."""
    return msgspec.structs.replace(limits, frame_bytes_max=READ_BATCH_BYTES_MAX)
