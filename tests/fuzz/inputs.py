"""Where inputs come from: kept files, true frames, and small damage to both."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kefu_core.protocol.codec import CODECS
from kefu_core.protocol.framing import with_length
from tests.core.protocol.samples import CLIENT_FRAMES, SERVER_FRAMES

CORPUS = Path(__file__).parent / "corpus"
_INTERESTING = (
    b"null", b"-1", b"1e999", b"NaN", b"9007199254740993", b"18446744073709551616",
    b'"', b"[", b"{", b"]", b"}", b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"\n",
    b"\n\n", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xcb\x7f\xf0",
    b'"t":"send"', b'"n":2', b'"seq":2', b'"conversation":1', b'"key":"k1"',
)  # fmt: skip


def poison() -> dict[str, bytes]:
    """Return the kept inputs; the name of each says what it is."""
    return {path.stem: path.read_bytes() for path in sorted(CORPUS.glob("*.bin"))}


def true_inputs() -> list[bytes]:
    """Return every frame of both directions as each transport carries it."""
    found: list[bytes] = []
    for codec in CODECS.values():
        frames = [*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()]
        encoded = [codec.encode(frame) for frame in frames]
        found += [codec.join([one]) for one in encoded]
        found.append(codec.join(encoded[:15]))
        found.append(with_length(codec.join(encoded[:3])) * 2)
    json = msgspec.json.encode
    raw = [msgspec.Raw(json(frame)) for frame in CLIENT_FRAMES.values()]
    found.append(json({"poll": 1, "ack": 0, "hello": raw[0]}))
    found.append(json({"rid": 1, "ack": 3, "frames": raw}))
    down = [msgspec.Raw(json(frame)) for frame in SERVER_FRAMES.values()]
    found.append(json({"batches": [{"n": 1, "frames": down}]}))
    return found


def mutated(seeds: list[bytes], rng: random.Random) -> Iterator[bytes]:
    """Yield damaged inputs for ever."""
    while True:
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 5)):
            _damage(data, seeds, rng)
        yield bytes(data[:65_536])


def _damage(data: bytearray, seeds: list[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    match rng.randrange(7):
        case 0 if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
        case 1:
            del data[at : at + rng.randint(1, 8)]
        case 2:
            data[at:at] = rng.choice(_INTERESTING)
        case 3:
            word = rng.choice(_INTERESTING)
            data[at : at + len(word)] = word
        case 4:
            other = rng.choice(seeds)
            data[at:] = b"\n\n" + other
        case 5:
            data[at:at] = data[at : at + rng.randint(1, 64)] * rng.randint(1, 20)
        case _:
            other = rng.choice(seeds)
            cut = rng.randrange(len(other) + 1)
            data[at : at + 16] = other[cut : cut + 16]
