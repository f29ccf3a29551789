"""Who reads what: which texts of a log are owed to whom, in which language. Pure.

A text is owed in the visitor's language, unless the visitor wrote it, and in those of
the agents who take part: who has the conversation, and whoever wrote or got it in the
newest lines. While nobody has it, what its site's agents read is one of theirs, so that
whoever looks into the queue can read. What its writer and its reader share, nobody is
owed. Lines of older versions count by the language that stands in them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from kefu_core.folding import is_visitor
from kefu_core.languages import are_same, has_words, language_of, normal_tag
from kefu_core.model import (
    UNTRANSLATED_FOR_ALL,
    UNTRANSLATED_FOR_VISITOR,
    Conversation,
    Message,
    MessageKind,
)
from kefu_core.types import ParticipantId, Seq, UnixMs

LANGUAGES_MAX = 4
"""So many languages of agents in one conversation; of more, those who came last."""
FOR_AGENTS = "agents"
"""Stands in `data` as `for`: what an agent wrote, as only other agents read it."""
TEXTS = frozenset({MessageKind.TEXT, MessageKind.EDIT})
_WRITTEN = frozenset({MessageKind.TEXT, MessageKind.NOTE, MessageKind.FILE})
Part = tuple[Seq | None, str]
"""A text, and in which language: `language_of` its tag."""
Language = Callable[[str, str], str]
"""The language of a text; what it probably is. Empty: a service is to find out."""


class Readers(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody reads."""

    visitor: str = ""
    """Empty: nobody knows yet."""
    is_chosen: bool = False
    """The visitor has said it, and it holds also for what was translated before."""
    site: str = ""
    """What those agents read who have not said anything; empty: it is not said."""
    agents: Mapping[ParticipantId, str | None] = {}
    """What those read who have; None of who is switched off, and reads nothing."""

    def of(self, sender: ParticipantId) -> str:
        """Return what somebody reads, and so probably writes."""
        if is_visitor(sender):
            return self.visitor
        return self.agents.get(sender) or self.site


class Owed(msgspec.Struct, frozen=True):
    """A text that somebody cannot read yet."""

    message: Message
    source: str
    target: str
    given: str = ""
    """What its sender wants it to read as; empty: a service says it."""
    is_for_agents: bool = False
    """It is no visitor's."""

    @property
    def part(self) -> Part:
        """Return by what it is known."""
        return self.message.seq, language_of(self.target)


def owed_texts(
    row: Conversation,
    log: Sequence[Message],
    readers: Readers,
    *,
    language: Language,
    since: UnixMs | int = 0,
    is_needless: Callable[[Part], bool] = lambda part: False,
    agents: Sequence[str] | None = None,
) -> list[Owed]:
    """Return what readers of the end of a log have no translation of, in its order.

    Args:
        row: Whose conversation it is, who has it, and who wants originals.
        log: Its newest lines.
        readers: What everybody reads.
        language: Finds out what a text is in.
        since: What is older, nobody waits for.
        is_needless: Whether a text turned out to be in its reader's language.
        agents: What agents read; None: those who take part.
    """
    if row.untranslated & UNTRANSLATED_FOR_ALL:
        return []
    if agents is None:
        agents = languages_of_agents(row, log, readers)
    done = {part_of(m) for m in log if is_done(m)}
    told = {m.ref for m in log if is_done(m) and is_for_visitor(m)}
    passed = _superseded(log)
    owed: list[Owed] = []
    for message in log:
        if message.kind not in TEXTS or message.seq in passed or message.at < since:
            continue
        wanted = _wanted(row, message, readers, agents, told)
        owed += [each for each in wanted if each.given]
        missing = [
            each
            for each in wanted
            if not (each.given or each.part in done or is_needless(each.part))
        ]
        if missing and has_words(message.body):
            source = _source(message, readers, language)
            owed += [
                msgspec.structs.replace(each, source=source)
                for each in missing
                if not are_same(source, each.target)
            ]
    return owed


def unread_texts(
    agent: ParticipantId,
    row: Conversation,
    log: Sequence[Message],
    readers: Readers,
    *,
    language: Language,
    since: UnixMs | int = 0,
    is_needless: Callable[[Part], bool] = lambda part: False,
) -> list[Owed]:
    """Return what an agent cannot read who only looks on: nobody is owed that."""
    own = readers.of(agent)
    return [
        each
        for each in owed_texts(
            row,
            log,
            readers,
            language=language,
            since=since,
            is_needless=is_needless,
            agents=[own] if own else [],
        )
        if each.message.sender != agent
        and not each.given
        and are_same(each.target, own)
    ]


def _wanted(
    row: Conversation,
    message: Message,
    readers: Readers,
    agents: Sequence[str],
    told: Collection[Seq | None],
) -> list[Owed]:
    """Return in what a text is wanted: first the visitor's, who may be waiting."""
    if is_visitor(message.sender):
        return [Owed(message, "", tag) for tag in agents]
    own, visitor = readers.of(message.sender), readers.visitor
    if row.untranslated & UNTRANSLATED_FOR_VISITOR:
        visitor = ""
    wanted: list[Owed] = []
    given = _given(message) if not row.untranslated else None
    is_told = message.seq in told
    if given is not None and not is_told:
        wanted.append(Owed(message, own, *given))
        is_told = True
    # Of who has not chosen it is a guess, which changes: nothing is done twice.
    is_wanted = readers.is_chosen or not is_told
    if visitor and is_wanted and not are_same(given[0] if given else "", visitor):
        wanted.append(Owed(message, "", visitor))
    return wanted + [
        Owed(message, "", tag, is_for_agents=True)
        for tag in agents
        if not are_same(tag, own) and not are_same(tag, visitor)
    ]


def _source(message: Message, readers: Readers, language: Language) -> str:
    likely = readers.of(message.sender)
    found = language(message.body, likely)
    # Who has said what it writes is believed where the text does not say otherwise.
    return found or (likely if readers.is_chosen and is_visitor(message.sender) else "")


def languages_of_agents(
    row: Conversation, log: Sequence[Message], readers: Readers
) -> list[str]:
    """Return what agents of a conversation read, each language once."""
    tags = [] if row.assignee is not None else [readers.site]
    tags += [readers.of(who) for who in taking_part(row, log, readers)]
    found: dict[str, str] = {}
    for tag in tags:
        if tag:
            found.setdefault(language_of(tag), tag)
    return [*found.values()][:LANGUAGES_MAX]


def taking_part(
    row: Conversation, log: Sequence[Message], readers: Readers
) -> list[ParticipantId]:
    """Return who has a conversation, then who wrote or got it, the newest first."""
    found = [row.assignee] if row.assignee is not None else []
    for message in reversed(log):
        if message.kind in _WRITTEN:
            found.append(message.sender)
        elif message.kind is MessageKind.ASSIGNMENT:
            found.append(ParticipantId(str((message.data or {}).get("assignee"))))
    return [
        who
        for who in dict.fromkeys(found)
        if who.startswith("a") and readers.agents.get(who, "") is not None
    ]


def part_of(message: Message) -> Part:
    """Return what a translation is of."""
    return message.ref, language_of(str((message.data or {}).get("to") or ""))


def is_done(message: Message) -> bool:
    """Whether this is a translation that worked."""
    return message.kind is MessageKind.TRANSLATION and not is_failed(message)


def is_failed(message: Message) -> bool:
    """Whether this says that a text was not translated."""
    is_translation = message.kind is MessageKind.TRANSLATION
    return is_translation and "failed" in (message.data or {})


def is_for_visitor(message: Message) -> bool:
    """Whether a translation is what a visitor reads, if an agent wrote the text."""
    return (message.data or {}).get("for") != FOR_AGENTS


def _given(message: Message) -> tuple[str, str] | None:
    """Return the language and the text that an agent has sent with its own."""
    given = (message.data or {}).get("translation")
    if message.kind is not MessageKind.TEXT or is_visitor(message.sender):
        return None
    if not isinstance(given, dict):
        return None
    target, text = given.get("to"), given.get("text")
    if not isinstance(target, str) or not isinstance(text, str):
        return None
    tag = normal_tag(target)
    return (tag, text) if tag and text.strip() else None


def _superseded(log: Sequence[Message]) -> set[Seq | None]:
    """Return the texts that read otherwise by now: nobody is shown them."""
    newest: dict[Seq | None, Seq] = {}
    old: set[Seq | None] = set()
    for message in log:
        if message.kind is MessageKind.EDIT:
            old.add(newest.get(message.ref, message.ref))
            newest[message.ref] = message.seq
    return old
