"""The simulation is only worth what it catches: each of these must be seen soon."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from kefu_core.abc.store import PendingAppend
from kefu_core.desk.inbox import Inbox
from kefu_core.errors import OutOfOrder
from kefu_core.hub import fanout
from kefu_core.hub.hub import Hub
from kefu_core.hub.lists import WatchedList
from kefu_core.hub.sends import Sends
from kefu_core.model import Appended, Draft, Message
from kefu_core.protocol.cursors import LogFollower, LogReader
from kefu_core.protocol.longpoll import LongPollChannel
from kefu_core.protocol.outbox import ClientOutbox
from kefu_core.protocol.server import ServerSession
from kefu_core.store import planner
from kefu_core.store.appender import Appender
from kefu_core.testing.sim import disk, run_seed
from kefu_core.types import Seq

Patch = pytest.MonkeyPatch
WITHIN = 150
"""Seeds until each of these must have been seen."""


def acknowledge_before_the_commit(patch: Patch) -> None:
    commit_batch = Appender._commit_batch

    async def sooner(self: Any) -> None:
        for append in self._queue:
            rows, known = self._disk.rows, self._disk.known([append.draft])
            outcome = planner.plan([append.draft], rows, known, 0).outcomes[0]
            done, append.done = append.done, lambda *_: None
            done(append, outcome)
        await commit_batch(self)

    patch.setattr(Appender, "_commit_batch", sooner)


def fan_out_before_the_commit(patch: Patch) -> None:
    submit = Hub.submit

    def sooner(self: Hub, append: PendingAppend) -> None:
        row = self.row(append.draft.conversation)
        submit(self, append)
        if row is not None:
            message = planner._next(row, append.draft, row.last_at)
            self._committed(Appended(message=message, conversation=row))

    patch.setattr(Hub, "submit", sooner)


def drop_the_checks_of_n(patch: Patch) -> None:
    accept_what_was_overtaken(patch)
    fault = ServerSession._send_fault

    def lenient(self: ServerSession, send: Any) -> Any:
        found = fault(self, send)
        return None if isinstance(found, OutOfOrder) else found

    patch.setattr(ServerSession, "_send_fault", lenient)


def store_what_follows_a_refused_send(patch: Patch) -> None:
    def failed(self: Sends, send: Any, error: Any) -> None:
        self._connection.session.failed(send, error)

    patch.setattr(Sends, "_failed", failed)


def accept_what_was_overtaken(patch: Patch) -> None:
    patch.setattr(ServerSession, "is_overtaken", lambda self, send: False)


def forget_poll_batches_once_they_are_said(patch: Patch) -> None:
    batches = LongPollChannel.batches

    def said(self: LongPollChannel) -> Any:
        found = batches(self)
        self.acknowledge(self.last_batch)
        return found

    patch.setattr(LongPollChannel, "batches", said)


def send_and_show_what_is_not_next(patch: Patch) -> None:
    # Either alone is mended by the other side.
    def offer(self: LogFollower, seq: Seq, *, has_room: bool) -> bool:
        self.cursor = max(self.cursor, seq)
        return True

    def take(self: LogReader, seq: Seq) -> bool:
        self.cursor = max(self.cursor, seq)
        return True

    patch.setattr(LogFollower, "offer", offer)
    patch.setattr(LogReader, "take", take)


def store_a_repeated_key_again(patch: Patch) -> None:
    def plan(
        drafts: Sequence[Draft],
        rows: Mapping[Any, Any],
        known: Iterable[Message],
        now_ms: int,
    ) -> Any:
        return planner.plan(drafts, rows, [], now_ms)

    patch.setattr(disk, "plan", plan)


def ignore_the_epoch(patch: Patch) -> None:
    patch.setattr(disk.SimStore, "epoch", property(lambda self: "always the same"))


def show_notes_to_visitors(patch: Patch) -> None:
    patch.setattr(fanout, "may_read", lambda message, *, as_visitor: True)


def send_nothing_again_after_a_cut(patch: Patch) -> None:
    patch.setattr(ClientOutbox, "restart", lambda self: None)


def tell_nobody_of_a_commit_in_doubt(patch: Patch) -> None:
    patch.setattr(Hub, "_found", lambda self, repeated: None)


def forget_a_batch_that_failed(patch: Patch) -> None:
    commit_batch = Appender._commit_batch

    async def forgetful(self: Any) -> None:
        for append in self._queue:
            append.done = quiet(append.done)
        await commit_batch(self)

    def quiet(done: Callable[..., None]) -> Callable[..., None]:
        def only_success(append: Any, outcome: Any) -> None:
            if isinstance(outcome, Appended):
                done(append, outcome)

        return only_success

    patch.setattr(Appender, "_commit_batch", forgetful)


def date_messages_by_the_wall_clock_alone(patch: Patch) -> None:
    following = planner._next

    def next_(row: Any, draft: Draft, now_ms: int) -> Message:
        return following(disk.msgspec.structs.replace(row, last_at=0), draft, now_ms)

    patch.setattr(planner, "_next", next_)


def leave_lists_behind_that_found_no_room(patch: Patch) -> None:
    patch.setattr(WatchedList, "has_room_again", lambda self, watcher: None)


def list_nothing_of_a_commit_in_doubt(patch: Patch) -> None:
    patch.setattr(Inbox, "message_found", lambda self, repeated: None)


SABOTAGE = (
    acknowledge_before_the_commit,
    fan_out_before_the_commit,
    drop_the_checks_of_n,
    store_what_follows_a_refused_send,
    accept_what_was_overtaken,
    forget_poll_batches_once_they_are_said,
    send_and_show_what_is_not_next,
    store_a_repeated_key_again,
    ignore_the_epoch,
    show_notes_to_visitors,
    send_nothing_again_after_a_cut,
    tell_nobody_of_a_commit_in_doubt,
    forget_a_batch_that_failed,
    date_messages_by_the_wall_clock_alone,
    leave_lists_behind_that_found_no_room,
    list_nothing_of_a_commit_in_doubt,
)


@pytest.mark.parametrize("sabotage", SABOTAGE, ids=lambda s: s.__name__)
def test_the_simulation_sees(
    sabotage: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    sabotage(monkeypatch)
    assert any(run_seed(seed).violations for seed in range(WITHIN))
