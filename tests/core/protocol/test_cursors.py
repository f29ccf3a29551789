"""Following a log: every seq once, in order, whatever comes when."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kefu_core.protocol.cursors import LogFollower, LogReader
from kefu_core.types import Seq


class FollowerMachine(RuleBasedStateMachine):
    """A log that grows, live offers that get lost, reads that take their time."""

    def __init__(self) -> None:
        super().__init__()
        self.log = 3
        self.follower = LogFollower(Seq(1), Seq(3))
        self.sent: list[int] = []
        self.has_room = True
        self.reading_after: int | None = None

    @rule(is_heard=st.booleans())
    def append(self, is_heard: bool) -> None:
        self.log += 1
        if is_heard and self.follower.offer(Seq(self.log), has_room=self.has_room):
            self.sent.append(self.log)

    @rule()
    def repeat_an_old_offer(self) -> None:
        if self.follower.offer(Seq(self.log - 1), has_room=self.has_room):
            self.sent.append(self.log - 1)

    @rule(has_room=st.booleans())
    def room(self, has_room: bool) -> None:
        self.has_room = has_room

    @rule()
    def start_reading(self) -> None:
        if self.follower.wants_read(has_room=self.has_room):
            self.follower.read_started()
            self.reading_after = self.follower.cursor

    @rule(count=st.integers(0, 4))
    def finish_reading(self, count: int) -> None:
        if self.reading_after is None:
            return
        first = self.reading_after + 1
        self.reading_after = None
        self.follower.read_finished()
        for seq in range(first, min(first + count, self.log + 1)):
            if self.follower.take(Seq(seq)):
                self.sent.append(seq)

    @invariant()
    def what_was_sent_is_the_log_without_holes(self) -> None:
        assert self.sent == list(range(2, 2 + len(self.sent)))
        assert self.follower.cursor == 1 + len(self.sent)

    @invariant()
    def one_read_at_a_time_and_none_without_room(self) -> None:
        if self.reading_after is not None:
            assert not self.follower.wants_read(has_room=True)
        assert not self.follower.wants_read(has_room=False)

    def teardown(self) -> None:
        """Whoever is behind and hears of it catches up."""
        self.finish_reading(4)
        self.follower.hint(Seq(self.log))
        while self.follower.wants_read(has_room=True):
            self.follower.read_started()
            self.reading_after = self.follower.cursor
            self.finish_reading(4)
        assert self.follower.cursor == self.log


TestFollower = FollowerMachine.TestCase
TestFollower.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_live_message_during_a_read_waits_for_the_read() -> None:
    follower = LogFollower(Seq(0), Seq(2))
    follower.read_started()
    assert not follower.offer(Seq(1), has_room=True)
    follower.read_finished()
    assert follower.take(Seq(1))


def test_a_hint_of_the_past_changes_nothing() -> None:
    follower = LogFollower(Seq(5), Seq(3))
    follower.hint(Seq(2))
    assert (follower.cursor, follower.head) == (5, 5)
    assert not follower.wants_read(has_room=True)


@given(st.lists(st.integers(1, 12), max_size=60))
def test_a_reader_shows_each_seq_once_in_order_and_names_holes(seqs: list[int]) -> None:
    reader = LogReader(Seq(2))
    shown = []
    for seq in seqs:
        verdict = reader.take(Seq(seq))
        if verdict:
            shown.append(seq)
        assert (verdict is None) == (seq > reader.cursor)
    assert shown == list(range(3, 3 + len(shown)))
