"""What goes out over a network that may fail: claimed, tried, tried again, given up.

A mail or a delivery is a record with a status, a count of attempts and the moment of
the next one. Whoever wants to send it claims it first: a compare-and-set that counts
the attempt and moves the next moment behind a lease. Of two nodes one succeeds, and
nobody else looks at the record until the lease ends. A process that dies in between
leaves a record whose lease runs out: it is sent again, by whoever is there. So all is
sent at least once; twice where somebody died, or lost the store, after the other side
took it and before that was noted.

                 claim                 taken
    QUEUED ─────────────▶ (leased) ─────────────▶ DONE
      ▲                     │  │  │
      └── failed, later ────┘  │  └── failed for good, or too often ──▶ FAILED
      └── the lease ran out ───┘                  ▲        │
                                                  └─ again ┘ by hand, back to QUEUED
"""

import random
from typing import Any, TypeVar

import msgspec

from kefu_core.records import DeliveryStatus, Mail, WebhookDelivery
from kefu_core.types import UnixMs

R = TypeVar("R", Mail, WebhookDelivery)

FIRST_WAIT_MS, LONGEST_WAIT_MS = 5_000, 7_200_000
ATTEMPTS_MAX = 22
"""With these waits the last attempt comes 17 to 23 hours after the first."""
ERROR_CHARS = 400


def wait_ms(attempts: int, rng: random.Random) -> int:
    """Return how long to wait after so many attempts: doubling, with jitter below it.

    The jitter takes at most a quarter: a hook that is down for an hour is not met by
    all its deliveries at once, and "up to a day" stays true.
    """
    ceiling = min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** min(attempts - 1, 16))
    return int(ceiling * rng.uniform(0.75, 1.0))


def claimed(record: R, now_ms: int, lease_ms: int) -> tuple[R, dict[str, Any]]:
    """Return the record as its sender stores it, and what must hold for that."""
    changed = msgspec.structs.replace(
        record, attempts=record.attempts + 1, next_at=UnixMs(now_ms + lease_ms)
    )
    return changed, unchanged(record)


def unchanged(record: Mail | WebhookDelivery) -> dict[str, Any]:
    """Return what holds while nobody else has touched a record."""
    return {
        "status": record.status.value,
        "attempts": record.attempts,
        "next_at": record.next_at,
    }


def done(record: R) -> R:
    """Return the record of something that was taken."""
    return msgspec.structs.replace(record, status=DeliveryStatus.DONE, error="")


def failed(
    record: R, error: str, now_ms: int, rng: random.Random, *, is_final: bool
) -> R:
    """Return the record after an attempt that failed: tried later, or given up."""
    error = error[:ERROR_CHARS]
    if is_final or record.attempts >= ATTEMPTS_MAX:
        return msgspec.structs.replace(
            record, status=DeliveryStatus.FAILED, error=error
        )
    later = UnixMs(now_ms + wait_ms(record.attempts, rng))
    return msgspec.structs.replace(record, next_at=later, error=error)


def again(record: R, now_ms: int) -> R:
    """Return the record of something that is sent again by hand."""
    return msgspec.structs.replace(
        record,
        status=DeliveryStatus.QUEUED,
        attempts=0,
        next_at=UnixMs(now_ms),
        error="",
    )
