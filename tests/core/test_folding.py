"""A conversation's row as the fold of its log."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.folding import (
    LABEL_CHARS,
    LABELS_MAX,
    LINE_CHARS,
    active_at,
    first_line,
    fold,
    is_visitor,
    may_read,
)
from kefu_core.model import (
    INTERNAL_KINDS,
    UNTRANSLATED_FOR_ALL,
    UNTRANSLATED_FOR_VISITOR,
    Conversation,
    ConversationStatus,
    Message,
    MessageKind,
)
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

QUEUED, ACTIVE, CLOSED = ConversationStatus
EMPTY = Conversation(
    id=ConversationId(1), site_id=1, visitor=ParticipantId("v1"), opened_at=UnixMs(1)
)


def message(
    seq: int,
    sender: str = "v1",
    kind: MessageKind = MessageKind.TEXT,
    body: str = "hi",
    data: dict[str, Any] | None = None,
) -> Message:
    return Message(
        conversation=EMPTY.id,
        seq=Seq(seq),
        sender=ParticipantId(sender),
        key=f"k{seq}",
        kind=kind,
        body=body,
        at=UnixMs(1_000 * seq),
        data=data,
    )


def folded(*messages: Message) -> Conversation:
    row = EMPTY
    for each in messages:
        row = fold(row, each)
    return row


def assigned(seq: int, assignee: Any) -> Message:
    return message(seq, "s0", MessageKind.ASSIGNMENT, "", {"assignee": assignee})


def test_a_visitor_waits_from_the_first_unanswered_message() -> None:
    assert folded(message(1), message(2)).waiting_since == 1_000
    assert folded(message(1), message(2, "a1")).waiting_since is None
    assert folded(message(1), message(2, "a1"), message(3)).waiting_since == 3_000


def test_a_note_is_no_answer_and_no_line_for_a_list() -> None:
    row = folded(message(1, body="hello"), message(2, "a1", MessageKind.NOTE, "rude!"))
    assert (row.last_line, row.last_sender, row.waiting_since) == ("hello", "v1", 1_000)
    assert row.last_seq == 2


def test_taking_makes_active_and_letting_go_queues_again() -> None:
    assert folded(assigned(1, "a1")).assignee == "a1"
    assert folded(assigned(1, "a1")).status is ACTIVE
    row = folded(assigned(1, "a1"), assigned(2, None))
    assert (row.status, row.assignee) == (QUEUED, None)


def test_a_closed_conversation_waits_for_nobody_until_the_visitor_writes() -> None:
    closed = message(3, "a1", MessageKind.CLOSE, "")
    row = folded(message(1), assigned(2, "a1"), closed)
    assert (row.status, row.waiting_since) == (CLOSED, None)
    assert fold(row, message(4, "a1")).status is CLOSED
    again = fold(row, message(4))
    assert (again.status, again.assignee, again.waiting_since) == (QUEUED, None, 4_000)


def test_a_reopened_conversation_is_queued() -> None:
    closed = message(2, "a1", MessageKind.CLOSE, "")
    row = folded(message(1), closed, message(3, "a1", MessageKind.REOPEN, ""))
    assert (row.status, row.assignee) == (QUEUED, None)


kinds = st.sampled_from(MessageKind)
senders = st.sampled_from(["v1", "a1", "a2", "s0", ""])
data = st.none() | st.dictionaries(
    st.sampled_from(["assignee", "x"]), st.none() | st.integers() | st.text()
)


@given(st.lists(st.tuples(senders, kinds, st.text(max_size=300), data), max_size=20))
def test_no_log_stops_a_fold_and_its_row_keeps_its_promises(
    log: list[tuple[str, MessageKind, str, dict[str, Any] | None]],
) -> None:
    row = EMPTY
    for seq, (sender, kind, body, extra) in enumerate(log, 1):
        row = fold(row, message(seq, sender, kind, body, extra))
        assert row.last_seq == seq
        assert (row.id, row.visitor, row.site_id) == (EMPTY.id, EMPTY.visitor, 1)
        assert len(row.last_line) <= LINE_CHARS
        assert "\n" not in row.last_line
        if row.status is CLOSED:
            assert row.waiting_since is None
        if row.status is ACTIVE:
            assert row.assignee


@given(st.text(max_size=1_000))
def test_a_first_line_is_one_short_line(body: str) -> None:
    line = first_line(body)
    assert len(line) <= LINE_CHARS
    assert line == " ".join(line.split())
    assert body.strip() == "" or line or not body[: 2 * LINE_CHARS].strip()


@pytest.mark.parametrize("kind", list(MessageKind))
def test_a_visitor_reads_everything_but_what_is_internal(kind: MessageKind) -> None:
    assert may_read(message(1, kind=kind), as_visitor=False)
    assert may_read(message(1, kind=kind), as_visitor=True) == (
        kind not in INTERNAL_KINDS
    )


def test_only_a_v_is_a_visitor() -> None:
    assert is_visitor(ParticipantId("v1"))
    assert not is_visitor(ParticipantId("a1"))
    assert not is_visitor(ParticipantId(""))


def test_the_newest_labels_hold_and_what_is_no_label_is_left_out() -> None:
    def labelled(seq: int, labels: Any) -> Message:
        return message(seq, "a1", MessageKind.LABELS, "", {"labels": labels})

    assert folded(labelled(1, ["退款", "vip", "vip ", " ", 7])).labels == (
        "退款",
        "vip",
    )
    assert folded(labelled(1, ["a"]), message(2)).labels == ("a",)
    assert folded(labelled(1, ["a"]), labelled(2, [])).labels == ()
    assert folded(labelled(1, ["a"]), labelled(2, "rubbish")).labels == ("a",)
    many = folded(
        labelled(1, [f"{n}" * 90 for n in range(9)] + list("abcdefghijklmnop"))
    )
    assert (len(many.labels), len(many.labels[0])) == (LABELS_MAX, LABEL_CHARS)


def test_an_erased_note_stays_internal_and_an_erased_text_does_not() -> None:
    note = message(1, "a1", MessageKind.ERASED, "", {"was": "note"})
    text = message(2, "a1", MessageKind.ERASED, "", {"was": "text"})
    assert not may_read(note, as_visitor=True)
    assert may_read(note, as_visitor=False)
    assert may_read(text, as_visitor=True)


def test_a_quarter_of_an_hour_begins_where_days_begin() -> None:
    midnight_in_kathmandu = (
        1_800_000_000_000 - 1_800_000_000_000 % 86_400_000 - 20_700_000
    )
    assert active_at(UnixMs(midnight_in_kathmandu)) == midnight_in_kathmandu
    assert (
        active_at(UnixMs(midnight_in_kathmandu - 1)) == midnight_in_kathmandu - 900_000
    )


def test_an_erased_text_did_what_a_text_does_and_shows_nothing() -> None:
    def erased(seq: int, was: Any, sender: str = "v1") -> Message:
        return message(seq, sender, MessageKind.ERASED, "", {"was": was})

    closed = message(2, "a1", MessageKind.CLOSE, "")
    texts = folded(message(1), closed, message(3))
    blank = folded(erased(1, "text"), closed, erased(3, "text"))
    assert blank == msgspec.structs.replace(texts, last_line="")
    assert folded(message(1), erased(2, "note")).last_line == "hi"
    assert folded(message(1), erased(2, [])).last_line == "hi"
    assert folded(message(1), erased(2, "text", "a1")).waiting_since is None


def to_team(seq: int, team: Any, assignee: Any = None) -> Message:
    data = {"assignee": assignee, "team": team}
    return message(seq, "s0", MessageKind.ASSIGNMENT, "", data)


def test_an_edit_of_the_newest_text_is_the_line_and_no_answer() -> None:
    edit = message(4, "a1", MessageKind.EDIT, "mended", {"upto": 3})
    asked = [message(1), message(2, "a1", body="mendde"), message(3, body="thanks")]
    row = folded(*asked, msgspec.structs.replace(edit, ref=Seq(2)))
    assert (row.last_line, row.last_sender) == ("mended", "v1")
    # It was decided by what was there then; a note is never a line for a list.
    for late in (
        msgspec.structs.replace(edit, data={"upto": 2}),
        msgspec.structs.replace(edit, data=None),
        msgspec.structs.replace(edit, kind=MessageKind.NOTE_EDIT),
    ):
        row = folded(*asked, late)
        assert (row.last_line, row.last_seq) == ("thanks", 4)
        assert row.waiting_since == asked[2].at


def test_a_conversation_stands_in_the_queue_from_the_first_text_on() -> None:
    assert EMPTY.queued_at == 0
    assert folded(message(1, "a1", MessageKind.NOTE)).queued_at == 0
    assert folded(message(1), message(2)).queued_at == 1_000
    assert folded(message(1, "a1"), message(2)).queued_at == 2_000
    assert folded(message(1), assigned(2, "a1")).queued_at == 0


def test_whoever_comes_back_unanswered_stands_where_the_wait_began() -> None:
    taken = (message(1), assigned(2, "a1"))
    assert folded(*taken, assigned(3, None)).queued_at == 1_000
    assert folded(*taken, message(3), assigned(4, None)).queued_at == 1_000
    answered = (*taken, message(3, "a1"))
    assert folded(*answered, assigned(4, None)).queued_at == 4_000
    assert folded(*answered, message(4), assigned(5, None)).queued_at == 4_000
    closed = message(3, "s0", MessageKind.CLOSE)
    assert folded(*taken, closed, message(4)).queued_at == 4_000


def test_whoever_goes_to_a_team_keeps_the_place_in_the_queue() -> None:
    row = folded(message(1), to_team(2, 7))
    assert (row.queued_at, row.team_id, row.status) == (1_000, 7, QUEUED)
    assert folded(to_team(1, 7), assigned(2, "a1")).team_id == 7
    assert folded(to_team(1, 7), to_team(2, 0)).team_id == 0
    for odd in (True, -1, 1.5, "7", None, 2**60):
        assert folded(to_team(1, 7), to_team(2, odd)).team_id == 7


def test_the_end_and_the_first_answer_are_of_this_time_of_opening() -> None:
    close = message(3, "a1", MessageKind.CLOSE)
    row = folded(message(1), message(2, "a1"), close)
    assert (row.first_reply_at, row.closed_at, row.queued_at) == (2_000, 3_000, 0)
    for again in (message(4), message(4, "a1", MessageKind.REOPEN)):
        opened = fold(row, again)
        assert (opened.first_reply_at, opened.closed_at) == (0, 0)
        assert opened.queued_at == 4_000
    noted = fold(row, message(4, "a1", MessageKind.NOTE))
    assert (noted.first_reply_at, noted.closed_at) == (2_000, 3_000)
    assert fold(row, message(4, "a1", MessageKind.CLOSE)).closed_at == 4_000
    answered = folded(message(1), message(2, "a1"), message(3, "a1"))
    assert answered.first_reply_at == 2_000


def test_each_side_switches_translations_for_itself() -> None:
    def switched(seq: int, sender: str, is_on: Any) -> Message:
        return message(seq, sender, MessageKind.TRANSLATING, "", {"is_on": is_on})

    off = switched(1, "a1", False)
    assert folded(off).untranslated == UNTRANSLATED_FOR_ALL
    both = folded(off, switched(2, "v1", False))
    assert both.untranslated == UNTRANSLATED_FOR_ALL | UNTRANSLATED_FOR_VISITOR
    assert fold(both, switched(3, "a1", True)).untranslated == UNTRANSLATED_FOR_VISITOR
    assert fold(both, switched(3, "a1", "rubbish")) == msgspec.structs.replace(
        both, last_seq=Seq(3), last_at=UnixMs(3_000)
    )
    # It is no text: the row says nothing else.
    assert (both.last_line, both.waiting_since, both.status) == ("", None, QUEUED)
