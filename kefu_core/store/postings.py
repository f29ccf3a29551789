"""How the search index writes down which documents have a term: pure.

A row holds ascending document ids, the greatest of which is in its key. The others are
differences from one to the next, each as few bytes as the largest needs, and not number
by number but all first bytes, all second bytes and so on: the low byte of an id is
nearly always the same, and then costs nothing once compressed. A term that occurs once,
as most do, costs no byte beyond its key.
"""

import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate, pairwise
from operator import sub

ROW_DOCUMENTS_MAX = 2_048
"""Small enough to be read for its newest few, large enough to compress."""
_COMPRESSED_MIN = 24
_COMPRESSED = 0x80
_WIDTH = 8


@lru_cache(maxsize=8_192)  # 2 MiB; twelve times as many save 3 % more of the work.
def term_number(term: str) -> int:
    """Return a term as the tables have it: 64 bits, signed.

    Two terms may share a number; whoever finds by it compares the text as well.
    """
    return int.from_bytes(blake2b(term.encode(), digest_size=8).digest(), signed=True)


def encode(documents: Sequence[int]) -> bytes:
    """Return what a row holds besides its key; at least one document, ascending."""
    if len(documents) == 1:
        return b""
    if len(documents) == 2:  # The next most common, written the same way as more.
        step = documents[1] - documents[0]
        width = (step.bit_length() + 7) // 8
        return bytes((width,)) + step.to_bytes(width, "little")
    steps = array("Q", [newer - older for older, newer in pairwise(documents)])
    if sys.byteorder == "big":
        steps.byteswap()
    width = (max(steps).bit_length() + 7) // 8
    raw = steps.tobytes()
    planes = b"".join(raw[at::_WIDTH] for at in range(width))
    if len(steps) >= _COMPRESSED_MIN:
        smaller = zlib.compress(planes, 6)
        if len(smaller) < len(planes):
            return bytes((width | _COMPRESSED,)) + smaller
    return bytes((width,)) + planes


def decode(newest: int, row: bytes) -> list[int]:
    """Return a row's documents, the newest first."""
    if not row:
        return [newest]
    width, planes = row[0], row[1:]
    if width & _COMPRESSED:
        width, planes = width & ~_COMPRESSED, zlib.decompress(planes)
    elif len(planes) == width:
        return [newest, newest - int.from_bytes(planes, "little")]
    count = len(planes) // width
    raw = bytearray(count * _WIDTH)
    for at in range(width):
        raw[at::_WIDTH] = planes[at * count : (at + 1) * count]
    steps = array("Q", bytes(raw))
    if sys.byteorder == "big":
        steps.byteswap()
    return list(accumulate(reversed(steps), sub, initial=newest))


def rows_of(documents: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of one term, as (newest, the rest); ascending, all but one full.

    The short one is the last, the newest.
    """
    for at in range(0, len(documents), ROW_DOCUMENTS_MAX):
        part = documents[at : at + ROW_DOCUMENTS_MAX]
        yield part[-1], encode(part)
