"""A client's unacknowledged sends against a server that loses and refuses."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kefu_core.model import Draft
from kefu_core.protocol.outbox import ClientOutbox
from kefu_core.types import ConversationId, ParticipantId

C, D = ConversationId(1), ConversationId(2)
WINDOW = 3


def draft(key: str, conversation: ConversationId = C) -> Draft:
    return Draft(
        conversation=conversation, sender=ParticipantId("v1"), key=key, body=key
    )


def sent(outbox: ClientOutbox, now: float = 0.0, window: int = 64) -> list[object]:
    return [(e.draft.key, e.n) for e in outbox.to_send(now, window)]


def test_lanes_count_from_one_and_a_key_is_queued_once() -> None:
    outbox = ClientOutbox()
    for key, conversation in (("a", C), ("b", C), ("x", D), ("a", C)):
        outbox.add(draft(key, conversation))
    assert sent(outbox) == [("a", 1), ("b", 2), ("x", 1)]
    assert sent(outbox) == []
    assert len(outbox) == outbox.in_flight == 3


def test_no_more_is_in_flight_than_the_window_allows() -> None:
    outbox = ClientOutbox()
    for number in range(5):
        outbox.add(draft(str(number)))
    assert sent(outbox, window=2) == [("0", 1), ("1", 2)]
    outbox.acknowledge(C, "0")
    assert sent(outbox, window=2) == [("2", 3)]


def test_a_new_connection_sends_everything_again_in_the_first_order() -> None:
    outbox = ClientOutbox()
    for key in "abc":
        outbox.add(draft(key))
    sent(outbox)
    outbox.acknowledge(C, "b")
    outbox.restart()
    assert sent(outbox) == [("a", 1), ("c", 2)]


def test_a_refused_lane_waits_and_says_the_same_numbers_again() -> None:
    outbox = ClientOutbox()
    for key in "abc":
        outbox.add(draft(key))
    sent(outbox)
    outbox.refuse(C, "b", until=5.0)
    outbox.refuse(C, "c", until=0.0)
    outbox.add(draft("d"))
    assert sent(outbox, now=4.9) == []
    assert outbox.next_timer() == 5.0
    assert sent(outbox, now=5.0) == [("b", 2), ("c", 3), ("d", 4)]
    assert outbox.next_timer() is None


def test_a_refused_lane_does_not_hold_up_another() -> None:
    outbox = ClientOutbox()
    outbox.add(draft("a"))
    sent(outbox)
    outbox.refuse(C, "a", until=5.0)
    outbox.add(draft("x", D))
    assert sent(outbox) == [("x", 1)]


def test_an_answer_to_what_is_not_in_flight_changes_nothing() -> None:
    outbox = ClientOutbox()
    outbox.add(draft("a"))
    assert outbox.refuse(C, "a", until=9.0) is None
    assert outbox.refuse(D, "a", until=9.0) is None
    assert outbox.acknowledge(D, "a") is None
    assert outbox.acknowledge(C, "z") is None
    assert sent(outbox) == [("a", 1)]
    assert outbox.acknowledge(C, "a") == draft("a")
    assert outbox.acknowledge(C, "a") is None
    assert outbox.in_flight == 0


def test_the_first_unanswered_and_the_lane_of_a_key_are_known() -> None:
    outbox = ClientOutbox()
    outbox.add(draft("a"))
    outbox.add(draft("b"))
    assert outbox.is_first_unanswered(C, "a")
    assert not outbox.is_first_unanswered(C, "b")
    assert not outbox.is_first_unanswered(D, "a")
    assert (outbox.find("b"), outbox.find("z")) == (C, None)
    outbox.reject(C, "a")
    assert outbox.is_first_unanswered(C, "b")
    assert outbox.drafts() == [draft("b")]


class OutboxMachine(RuleBasedStateMachine):
    """The server's lane is a model: it takes exactly the next n, or refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = ClientOutbox()
        self.added: list[str] = []
        self.wire: list[tuple[str, int]] = []
        self.stored: list[str] = []
        self.next_n = 1
        self.now = 0.0

    @rule()
    def add(self) -> None:
        key = f"k{len(self.added)}"
        self.added.append(key)
        self.outbox.add(draft(key))

    @rule()
    def transmit(self) -> None:
        for entry in self.outbox.to_send(self.now, WINDOW):
            self.wire.append((entry.draft.key, entry.n))

    @rule(fails=st.booleans())
    def answer_the_next(self, fails: bool) -> None:
        if not self.wire:
            return
        key, n = self.wire.pop(0)
        if n > self.next_n or (fails and n == self.next_n):
            self.outbox.refuse(C, key, until=self.now + (1.0 if fails else 0.0))
            return
        self.next_n = max(self.next_n, n + 1)
        if key not in self.stored:
            self.stored.append(key)
        self.outbox.acknowledge(C, key)

    @rule()
    def wait(self) -> None:
        self.now += 0.7

    @rule(arrived=st.integers(0, 3))
    def cut(self, arrived: int) -> None:
        """Some sends arrive and their answers are lost; the rest never arrives."""
        for key, n in self.wire[:arrived]:
            if n == self.next_n:
                self.next_n += 1
                if key not in self.stored:
                    self.stored.append(key)
        self.wire = []
        self.next_n = 1
        self.outbox.restart()

    @invariant()
    def what_is_stored_is_in_the_senders_order(self) -> None:
        assert self.stored == self.added[: len(self.stored)]

    @invariant()
    def the_window_holds(self) -> None:
        assert self.outbox.in_flight == len(self.wire) <= WINDOW

    @invariant()
    def nothing_is_forgotten(self) -> None:
        kept = {d.key for d in self.outbox.drafts()}
        assert kept | set(self.stored) == set(self.added)

    def teardown(self) -> None:
        """In the end everything is stored, once."""
        for _ in range(20 + 4 * len(self.added)):
            self.now += 1.0
            self.transmit()
            while self.wire:
                self.answer_the_next(False)
        assert self.stored == self.added
        assert len(self.outbox) == self.outbox.in_flight == 0


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=80, stateful_step_count=40)
