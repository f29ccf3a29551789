"""What a conversation's log says about the work on it: sums by day and agent.

A log is a sequence of episodes: from the opening, a reopening or a visitor's text after
the end, to the close. What counts, and for whom:

- `opened`: an episode, on the day it begins; nobody's.
- `messages_in`: a visitor's text, for who had the conversation; `messages_out`: an
  agent's, for whoever wrote it. What the system wrote by itself is nobody's work.
- `first_reply_ms`: from the episode's first text of the visitor to the first of an
  agent, for that agent.
- `closed`, and `handling_ms` from the first assignment on, for who had it, else for
  who closed it; `missed` if no agent wrote a text.
- `rating_sum`, `ratings`: for who had it last; of an end that was rated again the last
  one counts, on the day of the first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from kefu_core.folding import is_visitor
from kefu_core.model import SPOKEN_KINDS, Message, MessageKind
from kefu_core.types import ParticipantId, UnixMs

Sums = dict[str, int]
Figures = dict[int, dict[str, Sums]]
"""By day (20260131) and by the agent's number, "0" for nobody's."""
DayOf = Callable[[UnixMs], int]
SCORES = range(1, 6)


def figures_of(messages: Iterable[Message], day_of: DayOf) -> Figures:
    """Add up a log, or the end of one that begins with an episode or within it."""
    fold = _Fold(day_of)
    for message in messages:
        fold.add(message)
    return {day: dict(agents) for day, agents in fold.figures.items()}


class _Fold:
    def __init__(self, day_of: DayOf) -> None:
        self.figures: defaultdict[int, defaultdict[str, Sums]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._day_of = day_of
        self._is_open = False
        self._assignee = "0"
        self._assigned_at: UnixMs | None = None
        self._asked_at: UnixMs | None = None
        self._has_reply = False
        self._rated_as: tuple[Sums, int] | None = None
        """Where the rating of this end was counted, and its score."""

    def add(self, message: Message) -> None:
        kind = str(message.kind)
        if message.kind in SPOKEN_KINDS or _was_text(message):
            self._text(message)
        elif kind == "assignment":
            self._assigned(message)
        elif kind == "reopen":
            self._begin(message)
        elif kind == "close":
            self._close(message)
        elif kind == "rating" or _was(message) == "rating":
            self._rated(message)

    def _count(self, at: UnixMs, agent: str, **more: int) -> None:
        sums = self.figures[self._day_of(at)][agent]
        for field, value in more.items():
            sums[field] = sums.get(field, 0) + value

    def _begin(self, message: Message) -> None:
        self._is_open = True
        self._assignee, self._assigned_at = "0", None
        self._asked_at, self._has_reply = None, False
        self._rated_as = None
        self._count(message.at, "0", opened=1)

    def _text(self, message: Message) -> None:
        if is_visitor(message.sender):
            if not self._is_open:
                self._begin(message)
            if self._asked_at is None:
                self._asked_at = message.at
            self._count(message.at, self._assignee, messages_in=1)
            return
        agent = _number(message.sender)
        if agent is None:
            return
        self._count(message.at, agent, messages_out=1)
        if self._is_open and not self._has_reply and self._asked_at is not None:
            waited = max(0, message.at - self._asked_at)
            self._count(message.at, agent, first_replies=1, first_reply_ms=waited)
        self._has_reply = True

    def _assigned(self, message: Message) -> None:
        if not self._is_open:
            self._begin(message)
        named = (message.data or {}).get("assignee")
        self._assignee = _number(named) or "0"
        if self._assigned_at is None and self._assignee != "0":
            self._assigned_at = message.at

    def _close(self, message: Message) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._rated_as = None
        if self._assignee == "0":
            self._assignee = _number(message.sender) or "0"
        more = {"closed": 1, "missed": int(not self._has_reply)}
        if self._assigned_at is not None:
            more |= {"handled": 1, "handling_ms": message.at - self._assigned_at}
        self._count(message.at, self._assignee, **{k: v for k, v in more.items() if v})

    def _rated(self, message: Message) -> None:
        data = message.data or {}
        score = data.get("score")
        if not isinstance(score, int) or score not in SCORES:
            return
        if self._rated_as is not None:
            sums, before = self._rated_as
            sums["rating_sum"] += score - before
            self._rated_as = sums, score
        elif "instead" not in data:
            # A change whose first is not in this part of the log is in its figures.
            self._count(message.at, self._assignee, ratings=1, rating_sum=score)
            sums = self.figures[self._day_of(message.at)][self._assignee]
            self._rated_as = sums, score


def _was_text(message: Message) -> bool:
    return _was(message) in SPOKEN_KINDS


def _was(message: Message) -> str:
    """Return the kind that an erased message had; else nothing."""
    is_erased = message.kind is MessageKind.ERASED
    return str((message.data or {}).get("was")) if is_erased else ""


def _number(participant: ParticipantId | Any) -> str | None:
    """Return an agent's number as a text; None for anybody else."""
    if not isinstance(participant, str) or not participant.startswith("a"):
        return None
    return participant[1:] if participant[1:].isdigit() else None
