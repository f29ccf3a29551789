"""What people look for: two characters, in four degrees of frequency."""

import random
import re
from collections import Counter

from benchmarks.store.corpus import GIVEN, PRODUCTS, SURNAMES, TOWNS, Corpus
from benchmarks.texts import load_texts

_CHINESE = re.compile("[\u4e00-\u9fff]+")
_SAMPLE = 1_000
"""Conversations that are counted."""
_COMMON = 0.01
"""Of the messages at least."""
_MEDIUM = (0.0003, 0.001)


def choose_words(corpus: Corpus, count: int = 40) -> dict[str, list[str]]:
    """Return up to `count` words of each class; the same ones each time."""
    rng = random.Random("words")
    messages = [m for n in range(_SAMPLE) for m in corpus.story(n).messages]
    counts: Counter[str] = Counter()
    for message in messages:
        counts.update(pairs(message.body))
    shares = {pair: seen / len(messages) for pair, seen in counts.items()}
    low, high = _MEDIUM
    common = [pair for pair, _ in counts.most_common() if shares[pair] >= _COMMON]
    medium = sorted(pair for pair, share in shares.items() if low <= share <= high)
    rare = {"".join(rng.sample(GIVEN, 2)) for _ in range(count)}
    return {
        "common": common[:count],
        "medium": rng.sample(medium, min(count, len(medium))),
        "rare": sorted(rare - set(common) - set(medium)),
        "absent": _absent(rng, count),
    }


def pairs(text: str) -> set[str]:
    """Return the overlapping pairs of Chinese characters in a text."""
    return {
        run[place : place + 2]
        for run in _CHINESE.findall(text)
        for place in range(len(run) - 1)
    }


def _absent(rng: random.Random, count: int) -> list[str]:
    """Two characters that occur, and never side by side."""
    lines = load_texts()
    seen = set[str]().union(*map(pairs, lines))
    joined = set("".join((GIVEN, SURNAMES, *PRODUCTS, *TOWNS)))
    alphabet = sorted(set("".join(seen)) - joined)
    found: set[str] = set()
    while len(found) < count:
        pair = "".join(rng.sample(alphabet, 2))
        if pair not in seen:
            found.add(pair)
    return sorted(found)
