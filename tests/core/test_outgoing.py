"""The claim and its backoff: one sender at a time, at least one sending, an end."""

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from kefu_core import outgoing
from kefu_core.records import DeliveryStatus, Mail
from kefu_core.types import UnixMs

LEASE_MS = 60_000
DAY_MS = 86_400_000


def test_the_last_attempt_comes_within_a_day() -> None:
    for draw in (0.0, 0.5, 1.0):
        rng = random.Random(1)
        rng.uniform = lambda a, b, draw=draw: a + (b - a) * draw  # type: ignore[method-assign]
        mail, now, began = Mail(id=1, recipient="a@b.example"), 1_000, 1_000
        while mail.status is DeliveryStatus.QUEUED:
            now = max(now, mail.next_at)
            mail, _ = outgoing.claimed(mail, now, LEASE_MS)
            mail = outgoing.failed(mail, "away", now, rng, is_final=False)
        assert mail.attempts == outgoing.ATTEMPTS_MAX
        assert 0.7 * DAY_MS <= now - began <= 0.96 * DAY_MS


@given(st.integers(1, 10_000), st.randoms(use_true_random=False))
def test_waits_grow_to_their_bound_and_differ(
    attempts: int, rng: random.Random
) -> None:
    ceiling = min(outgoing.LONGEST_WAIT_MS, outgoing.FIRST_WAIT_MS << attempts - 1)
    assert 0.74 * ceiling <= outgoing.wait_ms(attempts, rng) <= ceiling


@dataclass
class Node:
    """A process that claims, sends and notes, or dies in between."""

    held: Mail | None = None
    held_until: int = 0


@dataclass
class Store:
    """One record under compare-and-set, and what really left."""

    mail: Mail
    left: list[tuple[int, int]] = field(default_factory=list)
    """When each sending began and ended, by attempts."""

    def change(self, mail: Mail, when: dict[str, object]) -> bool:
        now = {name: getattr(self.mail, name) for name in when}
        if now != when:
            return False
        self.mail = mail
        return True


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "take", "fail", "die", "again"]),
        st.integers(0, 2),
        st.integers(0, 90_000),
    ),
    max_size=60,
)


@given(STEPS, st.randoms(use_true_random=False))
def test_nodes_never_hold_it_together_and_it_ends_only_when_taken_or_given_up(
    steps: list[tuple[str, int, int]], rng: random.Random
) -> None:
    store = Store(Mail(id=1, recipient="a@b.example"))
    nodes, now, was_taken = [Node() for _ in range(3)], 0, False
    for act, number, passes in steps:
        now += passes
        node = nodes[number]
        for each in nodes:
            if each.held is not None and each.held_until <= now:
                each.held = None  # A mailer is bounded in time below the lease.
        if act == "claim" and node.held is None:
            seen = store.mail
            if seen.status is DeliveryStatus.QUEUED and seen.next_at <= now:
                mine, when = outgoing.claimed(seen, now, LEASE_MS)
                # A node that looked at the same moment comes second.
                rival, same = outgoing.claimed(seen, now, LEASE_MS)
                assert store.change(mine, when)
                assert not store.change(rival, same)
                assert all(each.held is None for each in nodes)
                node.held, node.held_until = mine, now + LEASE_MS
        elif act in ("take", "fail") and node.held is not None:
            mine, node.held = node.held, None
            after = outgoing.done(mine)
            if act == "fail":
                after = outgoing.failed(mine, "x", now, rng, is_final=False)
            was_taken |= act == "take"
            assert store.change(after, outgoing.unchanged(mine))
        elif act == "die":
            node.held = None
        elif act == "again" and store.mail.status is DeliveryStatus.FAILED:
            store.mail = outgoing.again(store.mail, now)
    if store.mail.status is DeliveryStatus.DONE:
        assert was_taken
    elif store.mail.status is DeliveryStatus.FAILED:
        assert store.mail.attempts == outgoing.ATTEMPTS_MAX
    else:
        # Whoever comes after the lease or the wait can claim it: it is never stuck.
        assert store.mail.next_at <= now + max(LEASE_MS, outgoing.LONGEST_WAIT_MS)


def test_an_attempt_that_was_overtaken_changes_nothing() -> None:
    store = Store(Mail(id=1, recipient="a@b.example"))
    slow, when = outgoing.claimed(store.mail, 0, LEASE_MS)
    assert store.change(slow, when)
    second, when = outgoing.claimed(store.mail, LEASE_MS, LEASE_MS)
    assert store.change(second, when)
    assert not store.change(outgoing.done(slow), outgoing.unchanged(slow))
    assert store.change(outgoing.done(second), outgoing.unchanged(second))


def test_sent_again_by_hand_begins_anew() -> None:
    failed = Mail(
        id=1, recipient="a@b.example", status=DeliveryStatus.FAILED, attempts=22
    )
    renewed = outgoing.again(failed, 5)
    assert (renewed.status, renewed.attempts, renewed.next_at) == (
        DeliveryStatus.QUEUED,
        0,
        UnixMs(5),
    )
