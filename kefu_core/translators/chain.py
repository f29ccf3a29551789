"""Several services in an order: what one cannot do, the next one does.

A service that fails again and again is left alone for a while (a circuit breaker): so
nobody waits for its time-outs. Then one call tries it, and the others go past it until
that one has come back. One whose key is wrong or whose quota is used up is left alone
for longer, and the log says so; one that does not know a language has not failed.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from kefu_core.abc.translator import (
    ServiceFigures,
    Translated,
    TranslationFailed,
    Translator,
    Trouble,
)
from kefu_core.translators.pieces import batches, joined, pieces

logger = logging.getLogger(__name__)

FAILURES_MAX = 3
"""So many in a row, and a service is left alone."""
PAUSE_S, PAUSE_MAX_S = 5.0, 300.0
ACCOUNT_PAUSE_S, ACCOUNT_PAUSE_MAX_S = 60.0, 3_600.0
_HOPE = (
    Trouble.LATER,
    Trouble.ACCOUNT,
    Trouble.LANGUAGE,
    Trouble.TEXT,
    Trouble.BUDGET,
)
"""Of several reasons the first of these is told: it says most about trying again."""


class _Link:
    """One service, and whether it is worth asking."""

    def __init__(self, translator: Translator) -> None:
        self.translator = translator
        self.figures = ServiceFigures(provider=translator.name)
        self.failures = 0
        """Since the last success."""
        self.pauses = 0
        self.is_tried = False
        """One call is finding out whether a pause can end."""

    def wait_s(self, now: float) -> float:
        """Return how long it is left alone from now on; 0: it may be asked."""
        until = self.figures.paused_until
        if self.is_tried:
            return max(PAUSE_S, until - now)
        return max(0.0, until - now)

    def succeeded(self) -> None:
        self.failures = self.pauses = 0
        self.figures.paused_until = 0.0

    def failed(
        self, error: TranslationFailed, pauses: int, now: float, rng: random.Random
    ) -> None:
        """Count a failure of a call that began after so many pauses.

        What was on its way when a pause began says nothing new at its end.
        """
        counts = error.trouble in {Trouble.LATER, Trouble.ACCOUNT}
        if not counts or pauses != self.pauses:
            return
        self.failures += 1
        is_account = error.trouble is Trouble.ACCOUNT
        if not is_account and not self.pauses and self.failures < FAILURES_MAX:
            if error.retry_after_s:
                self.figures.paused_until = now + error.retry_after_s
            return
        first, most = (
            (ACCOUNT_PAUSE_S, ACCOUNT_PAUSE_MAX_S)
            if is_account
            else (PAUSE_S, PAUSE_MAX_S)
        )
        pause_s = min(most, first * 2 ** min(self.pauses, 16))
        pause_s = max(error.retry_after_s, pause_s * rng.uniform(0.75, 1.0))
        if not self.pauses:
            logger.warning("nothing is translated for %.0f s by %s", pause_s, error)
        self.pauses += 1
        self.figures.paused_until = now + pause_s


class _Part:
    """A piece of a text; services drop blanks at its ends, which are put back."""

    def __init__(self, text: int, piece: str) -> None:
        self.text = text
        """Which of all texts it is of."""
        self.words = piece.strip()
        """Empty: there is nothing to translate."""
        self.before, _, self.behind = (
            piece.partition(self.words) if self.words else (piece, "", "")
        )
        self.translated: Translated | None = None

    def __str__(self) -> str:
        told = self.translated.text if self.translated is not None else self.words
        return self.before + told + self.behind


class Chain(Translator):
    """Asks the first service that can, and takes texts and batches of any size."""

    name = "chain"
    texts_max = 1_000
    chars_max = 1_000_000

    def __init__(
        self,
        translators: Sequence[Translator],
        *,
        now: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """Take services in their order, monotonic seconds, and chance for pauses."""
        self._links = [_Link(each) for each in translators]
        self._now = now
        self._rng = rng

    @property
    def figures(self) -> list[ServiceFigures]:
        """What each has done, in their order."""
        return [link.figures for link in self._links]

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        errors: list[TranslationFailed] = []
        done: dict[int, Translated] = {}
        for link in self._links:
            wait_s = link.wait_s(self._now())
            if wait_s:
                told = f"{link.translator.name} is left alone for {wait_s:.0f} s."
                errors.append(
                    TranslationFailed(told, Trouble.LATER, retry_after_s=wait_s)
                )
                continue
            try:
                await self._fill(done, link, texts, source, target)
            except TranslationFailed as error:
                errors.append(error)
            else:
                return [done[at] for at in range(len(texts))]
        if not errors:
            raise TranslationFailed("No service is set up.", Trouble.ACCOUNT)
        raise min(errors, key=lambda each: (_HOPE.index(each.trouble), _wait(each)))

    async def _fill(
        self,
        done: dict[int, Translated],
        link: _Link,
        texts: Sequence[str],
        source: str,
        target: str,
    ) -> None:
        """Have one service translate what is not done, in calls that it takes."""
        translator = link.translator
        parts = [
            _Part(at, part)
            for at, text in enumerate(texts)
            if at not in done
            for part in pieces(text, translator.chars_max)
        ]
        asked = [part for part in parts if part.words]
        for some in batches(
            [part.words for part in asked], translator.texts_max, translator.chars_max
        ):
            batch = [asked[at] for at in some]
            words = [part.words for part in batch]
            told = await self._ask(link, words, source, target)
            for part, translated in zip(batch, told, strict=True):
                part.translated = translated
            # What is whole stays, whatever becomes of the rest: it is paid for.
            after = asked[some.stop].text if some.stop < len(asked) else len(texts)
            _take(done, [part for part in parts if part.text < after], link, target)
        _take(done, parts, link, target)

    async def _ask(
        self, link: _Link, texts: Sequence[str], source: str, target: str
    ) -> Sequence[Translated]:
        figures, pauses = link.figures, link.pauses
        figures.calls += 1
        is_trial = pauses > 0
        link.is_tried |= is_trial
        began = self._now()
        try:
            told = await self._answer(link, texts, source, target)
        except TranslationFailed as error:
            kinds = figures.failures
            kinds[error.trouble.value] = kinds.get(error.trouble.value, 0) + 1
            figures.last_failure = error.text
            link.failed(error, pauses, self._now(), self._rng)
            raise
        else:
            link.succeeded()
            figures.texts += len(texts)
            figures.chars += sum(map(len, texts))
            return told
        finally:
            if is_trial:
                link.is_tried = False
            took = self._now() - began
            figures.seconds += took
            figures.seconds_max = max(figures.seconds_max, took)

    async def _answer(
        self, link: _Link, texts: Sequence[str], source: str, target: str
    ) -> Sequence[Translated]:
        name = link.translator.name
        try:
            told = await link.translator.translate(texts, source=source, target=target)
        except TranslationFailed:
            raise
        except Exception as error:
            # One of somebody else's, with a fault: it must not end a chat.
            logger.exception("the translator %s failed", name)
            text = f"{name}: {type(error).__name__}"
            raise TranslationFailed(text, Trouble.LATER) from error
        if len(told) != len(texts):
            text = f"{name}: It gave {len(told)} texts for {len(texts)}."
            raise TranslationFailed(text, Trouble.TEXT)
        return told


def _take(
    done: dict[int, Translated], parts: Sequence[_Part], link: _Link, target: str
) -> None:
    """Put together the texts whose pieces are all there."""
    of_text: defaultdict[int, list[_Part]] = defaultdict(list)
    for part in parts:
        of_text[part.text].append(part)
    for at, those in of_text.items():
        if at in done or any(p.words and p.translated is None for p in those):
            continue
        sources = [p.translated.source for p in those if p.translated is not None]
        done[at] = Translated(
            text=joined([str(part) for part in those], target),
            source=next(filter(None, sources), ""),
            provider=link.translator.name,
        )


def _wait(error: TranslationFailed) -> float:
    return error.retry_after_s
