"""Whoever takes part can read what is said, in one translation of each language."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.folding import is_visitor
from kefu_core.followers.readers import (
    FOR_AGENTS,
    LANGUAGES_MAX,
    Owed,
    Readers,
    is_for_visitor,
    languages_of_agents,
    owed_texts,
    part_of,
    taking_part,
    unread_texts,
)
from kefu_core.ids import SYSTEM
from kefu_core.languages import are_same, language_of
from kefu_core.model import (
    UNTRANSLATED_FOR_ALL,
    UNTRANSLATED_FOR_VISITOR,
    Conversation,
    Message,
    MessageKind,
)
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

K = MessageKind
A1, A2, A3, A4 = (ParticipantId(f"a{number}") for number in (1, 2, 3, 4))
V = ParticipantId("v1")
READERS = Readers(
    visitor="pt-BR", site="zh-CN", agents={A2: "en", A3: None, A4: "zh-TW"}
)


def row(assignee: ParticipantId | None = None, untranslated: int = 0) -> Conversation:
    return Conversation(
        id=ConversationId(1),
        site_id=1,
        visitor=V,
        assignee=assignee,
        untranslated=untranslated,
    )


def log(*lines: tuple[str, str] | tuple[str, str, dict[str, Any]]) -> list[Message]:
    """Return messages: who, what it says or which kind it is, and what is in it."""
    kinds = {each.value: each for each in K}
    found = []
    for at, (who, text, *more) in enumerate(lines, 1):
        data: dict[str, Any] = more[0] if more else {}
        found.append(
            Message(
                conversation=ConversationId(1),
                seq=Seq(at),
                sender=ParticipantId(who),
                key=f"k{at}",
                kind=kinds.get(text, K.TEXT),
                body=text,
                at=UnixMs(at),
                data={k: x for k, x in data.items() if k != "ref"},
                ref=data.get("ref"),
            )
        )
    return found


def language(text: str, likely: str) -> str:
    """Return the tag that a text begins with."""
    return text.partition(":")[0] if ":" in text else ""


def owed(
    row: Conversation, messages: list[Message], readers: Readers = READERS
) -> list[tuple[int, str, bool]]:
    found = owed_texts(row, messages, readers, language=language)
    return [(each.message.seq, each.target, each.is_for_agents) for each in found]


HELLO, ANSWER = ("v1", "pt:x"), ("a1", "zh:x")


@pytest.mark.parametrize(
    ("who", "lines", "wanted"),
    [
        # Nobody has it: whoever may take it reads what the site says.
        (row(), [HELLO], [(1, "zh-CN", False)]),
        (row(A1), [HELLO], [(1, "zh-CN", False)]),
        (row(A2), [HELLO], [(1, "en", False)]),
        # Given to another one, both read on; so does whoever wrote a note.
        (
            row(A2),
            [HELLO, ("s0", "assignment", {"assignee": "a1"})],
            [(1, "en", False), (1, "zh-CN", False)],
        ),
        (row(A2), [HELLO, ("a4", "note")], [(1, "en", False), (1, "zh-TW", False)]),
        (row(A1), [HELLO, ("a3", "note")], [(1, "zh-CN", False)]),
        # What agents say: the visitor's language, and that of others who read another.
        (row(A1), [ANSWER], [(1, "pt-BR", False)]),
        (
            row(A2),
            [HELLO, ANSWER],
            [
                (1, "en", False),
                (1, "zh-CN", False),
                (2, "pt-BR", False),
                (2, "en", True),
            ],
        ),
        # Who shares a language reads it as it is, whatever it was written in.
        (row(A1), [("a1", "en:x"), ("a5", "note")], [(1, "pt-BR", False)]),
        (row(A2), [("v1", "en:x")], []),
        # Lines of before count by the language that stands in them.
        (row(A1), [HELLO, ("s0", "translation", {"ref": 1, "to": "zh-Hans"})], []),
        (
            row(A2),
            [HELLO, ("s0", "translation", {"ref": 1, "to": "zh-CN"})],
            [(1, "en", False)],
        ),
        # A guess that has changed translates nothing again.
        (row(A1), [ANSWER, ("s0", "translation", {"ref": 1, "to": "es"})], []),
        (
            row(A1),
            [ANSWER, ("s0", "translation", {"ref": 1, "to": "en", "for": FOR_AGENTS})],
            [(1, "pt-BR", False)],
        ),
        # What failed is owed still.
        (
            row(A1),
            [HELLO, ("s0", "translation", {"ref": 1, "to": "zh", "failed": "later"})],
            [(1, "zh-CN", False)],
        ),
        (row(A1, UNTRANSLATED_FOR_ALL), [HELLO, ANSWER], []),
        (
            row(A2, UNTRANSLATED_FOR_VISITOR),
            [HELLO, ANSWER],
            [(1, "en", False), (1, "zh-CN", False), (2, "en", True)],
        ),
        # An agent's own words are the visitor's; other agents read a service's.
        (
            row(A2),
            [("a1", "zh:x", {"translation": {"to": "pt", "text": "y"}})],
            [(1, "pt", False), (1, "en", True)],
        ),
    ],
)
def test_who_is_owed_what(
    who: Conversation,
    lines: list[tuple[str, str]],
    wanted: list[tuple[int, str, bool]],
) -> None:
    assert owed(who, log(*lines)) == wanted


def test_a_choice_holds_for_what_was_translated_before() -> None:
    chosen = Readers(visitor="en", is_chosen=True, site="zh-CN")
    before = ("s0", "translation", {"ref": 1, "to": "pt"})
    assert owed(row(A1), log(ANSWER, before), chosen) == [(1, "en", False)]
    after = ("s0", "translation", {"ref": 1, "to": "en-GB"})
    assert owed(row(A1), log(ANSWER, before, after), chosen) == []
    # Who has said what it writes is believed where a text does not say otherwise.
    (found,) = owed_texts(row(A1), log(("v1", "ok")), chosen, language=language)
    assert found.source == "en"


def test_not_more_languages_than_a_few_the_newest_ones() -> None:
    tags = ["en", "fr", "de", "es", "it", "ja"]
    agents = {ParticipantId(f"a{at}"): tag for at, tag in enumerate(tags, 10)}
    readers = Readers(visitor="pt", site="zh-CN", agents=agents)
    lines = log(*[(who, "note") for who in agents])
    found = languages_of_agents(row(A1), lines, readers)
    assert found == ["zh-CN", "ja", "it", "es"]
    assert len(found) == LANGUAGES_MAX
    # Whoever waits in the queue can be read all the same.
    assert languages_of_agents(row(), lines, readers)[0] == "zh-CN"


TAGS = ["zh-CN", "zh-TW", "en", "pt-BR"]
people = st.sampled_from(["v1", "a1", "a2", "a3", "a4"])
spoken = st.lists(
    st.tuples(people, st.sampled_from([*TAGS, "note", "assignment"])), max_size=12
)


@given(
    spoken=spoken,
    tags=st.lists(st.sampled_from([*TAGS, "", None]), min_size=4, max_size=4),
    visitor=st.sampled_from([*TAGS, ""]),
    is_chosen=st.booleans(),
    assignee=st.sampled_from([A1, A2, None]),
    site=st.sampled_from(["zh-CN", "en"]),
)
def test_everybody_can_read_everything_and_nothing_is_done_twice(
    spoken: list[tuple[str, str]],
    tags: list[str | None],
    visitor: str,
    is_chosen: bool,
    assignee: ParticipantId | None,
    site: str,
) -> None:
    agents = dict(zip((A1, A2, A3, A4), tags, strict=True))
    readers = Readers(
        visitor=visitor,
        is_chosen=is_chosen and bool(visitor),
        site=site,
        agents=agents,
    )
    kinds = {"note", "assignment"}
    messages = log(
        *[
            (who, what, {"assignee": who})
            if what in kinds
            else (who, f"{what}:{at} words")
            for at, (who, what) in enumerate(spoken)
        ]
    )
    now = row(assignee)
    found = owed_texts(now, messages, readers, language=language)
    lines = messages + [line(each, len(messages) + at) for at, each in enumerate(found)]
    parts = [part_of(m) for m in lines if m.kind is K.TRANSLATION]
    assert len(parts) == len({*parts})
    assert not owed_texts(now, lines, readers, language=language)
    for message in messages:
        if message.kind is K.TEXT:
            text = language(message.body, "")
            to = {part_of(m)[1] for m in lines if m.ref == message.seq}
            assert language_of(text) not in to
            for who in taking_part(now, messages, readers):
                read, wrote = readers.of(who), readers.of(message.sender)
                is_shared = are_same(read, wrote) and not is_visitor(message.sender)
                assert is_shared or are_same(read, text) or language_of(read) in to
            if not is_visitor(message.sender) and visitor:
                assert are_same(visitor, text) or language_of(visitor) in {
                    part_of(m)[1]
                    for m in lines
                    if m.ref == message.seq and is_for_visitor(m)
                }


def line(owed: Owed, seq: int) -> Message:
    """Return the line that makes good what was owed."""
    return Message(
        conversation=ConversationId(1),
        seq=Seq(seq + 1),
        sender=SYSTEM,
        key=f"t{seq}",
        kind=K.TRANSLATION,
        body="x",
        at=UnixMs(0),
        data={"to": owed.target} | ({"for": FOR_AGENTS} if owed.is_for_agents else {}),
        ref=owed.message.seq,
    )


def test_who_looks_on_cannot_read_what_is_there_in_no_language_of_its_own() -> None:
    def unread(who: ParticipantId, *lines: Any, untranslated: int = 0) -> list[int]:
        found = unread_texts(
            who, row(A1, untranslated), log(*lines), READERS, language=language
        )
        assert all(are_same(each.target, READERS.of(who)) for each in found)
        return [int(each.message.seq) for each in found]

    said = ("v1", "pt:olá"), ("a1", "zh-CN:好"), ("a2", "en:hi"), ("a1", "42")
    assert unread(A4, *said) == [1, 2, 3]
    # One's own words, and what is there, one reads.
    done = ("s0", "translation", {"ref": 1, "to": "en", "from": "pt"})
    assert unread(A2, *said, done) == [2]
    assert unread(A4, *said, untranslated=UNTRANSLATED_FOR_ALL) == []
