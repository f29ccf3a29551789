"""Who connects over which transport."""

import argparse
import math
import random
from collections.abc import Mapping

from benchmarks.target import TRANSPORTS


def parse_mix(text: str) -> dict[str, float]:
    """Return the share of each transport; they add up to 1.

    Args:
        text: `websocket=60,longpoll=30,tcp=10`; numbers of any size.

    Raises:
        argparse.ArgumentTypeError: It says what is wrong with the text.
    """
    numbers: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        if name not in TRANSPORTS:
            known = ", ".join(TRANSPORTS)
            raise argparse.ArgumentTypeError(
                f"{name!r} is no transport; there are {known}."
            )
        if name in numbers:
            raise argparse.ArgumentTypeError(f"{name} is named twice.")
        try:
            numbers[name] = float(number)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{name} has no number; write {name}=60, for example."
            ) from None
        if not 0 < numbers[name] < math.inf:
            raise argparse.ArgumentTypeError(
                f"{name}={number} is not above zero; leave out what nobody uses."
            )
    total = sum(numbers.values())
    return {name: number / total for name, number in numbers.items()}


def spread(mix: Mapping[str, float], count: int) -> list[str]:
    """Return the transport of each of so many people, the same ones every time.

    Each transport gets its share, to the nearest person.
    """
    found: list[str] = []
    for number in range(1, count + 1):
        # Whoever is furthest behind its share comes next.
        found.append(max(mix, key=lambda name: mix[name] * number - found.count(name)))
    # So that no pattern meets that of the generator's processes or of the agents.
    random.Random(7).shuffle(found)
    return found
