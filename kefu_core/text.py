"""What a text can be found by, in any language, without a dictionary: pure.

Theory of operation
-------------------

Chinese has no spaces, and cutting it into words takes a dictionary that is wrong about
every new product. So a run of an unspaced script is indexed as its overlapping pairs:
快递到了 gives 快递, 递到, 到了. A phrase of two or more characters is found by the
pairs it consists of, and the text itself then says whether they stand together. All
other letters and digits are words between spaces and punctuation.

::

    text ──fold──▶ only letters, digits, spaces ──▶ pairs, words      (`terms`)
    query ─fold──▶ phrases, words                                     (`parse_query`)
    both  ───────▶ every phrase as written, every word, any order     (`matches`)

`fold` works on one character at a time, so it takes linear time whatever it is given,
and an offset in the folded text leads back to the text as it was. Compatibility forms,
case and accents are not told apart (the first strength of Unicode's collation): Ａ is
a, É is e, ｶﾞ is カ. Everything that is not a letter, a digit or a mark is a space, so
what a query contains of quotes, operators and wildcards is text that nobody looks for.

Given up: a lone Chinese character is in every other message and is no term; parts of a
word; Hangul that is written in single jamo.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import add

import msgspec

from kefu_core.errors import Invalid

QUERY_CHARS_MAX = 200
"""What a person types into a box; a whole message pasted is no query."""
QUERY_TERMS_MAX = 24
"""Looked up in an index; what else the query says is compared with the text."""
WORD_CHARS_MAX = 64
"""Longer words are the same when they begin the same; only noise is longer."""
SNIPPET_CHARS = 120
_LEAD_CHARS = 24
"""What a snippet shows before the first match, where there is as much."""
_CACHED_CHARS_MAX = 65_536
_EXPANSION_MAX = 6

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u1100-\u11ff\uac00-\ud7a3"  # Hangul
    "\u3005-\u3007\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_find_runs = re.compile(f"[{_UNSPACED}]+").findall
_WORD = re.compile(f"[^ {_UNSPACED}]+")
_find_words = _WORD.findall
# Marks on letters that may be left out, and what only chooses how a character looks.
# Vowel signs of Indian scripts are marks as well, and letters to their readers.
_LEFT_OUT = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a"
    "\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)


class TextQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a person looks for, folded."""

    phrases: tuple[str, ...]
    """Runs of unspaced scripts, each to be found as written."""
    words: frozenset[str]
    terms: tuple[str, ...]
    """At least one: what every match is indexed by, at most `QUERY_TERMS_MAX`."""


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a text around what was found in it."""

    text: str
    marks: tuple[tuple[int, int], ...]
    """(from, to) of what was found, in characters; ascending, apart."""


class _Folding(dict[int, str]):
    """Code point to folded text, computed when first met."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _CACHED_CHARS_MAX:
            self.clear()
        folded = self[code] = _fold_one(chr(code))
        return folded


def _fold_one(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Lo" and not unicodedata.decomposition(character):
        # Nearly all there are, Chinese above all: there is nothing to fold.
        return character
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    kept = _LEFT_OUT.sub("", unicodedata.normalize("NFKD", decomposed))
    folded = "".join(map(_letter_or_space, unicodedata.normalize("NFC", kept)))
    # Ligatures of whole sentences would make a text many times longer.
    return folded if len(folded) <= _EXPANSION_MAX else " "


def _letter_or_space(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LNM":
        return character
    # Format characters, a zero-width space for example, are in no word and cut none.
    return "" if category == "Cf" else " "


_folding = _Folding()


def fold(text: str) -> str:
    """Return letters, digits and spaces of a text in the form in which they compare."""
    return text.translate(_folding)


def terms(text: str) -> set[str]:
    """Return what a text is indexed by: words, and pairs of unspaced characters."""
    folded = fold(text)
    found = {word[:WORD_CHARS_MAX] for word in _find_words(folded)}
    for run in _find_runs(folded):
        found.update(map(add, run, run[1:]))
    return found


def parse_query(text: str) -> TextQuery:
    """Return what a text asks for. It has no operators: all of it is text.

    Raises:
        Invalid: Nothing in it can be looked for: a lone Chinese character, only
            punctuation, or more than `QUERY_CHARS_MAX` characters.
    """
    if len(text) > QUERY_CHARS_MAX:
        raise Invalid(f"At most {QUERY_CHARS_MAX} characters can be looked for.")
    folded = fold(text)
    phrases = tuple(dict.fromkeys(_find_runs(folded)))
    words = dict.fromkeys(word[:WORD_CHARS_MAX] for word in _find_words(folded))
    # Every second pair covers a phrase as well as all of them; the last may overlap.
    pairs = [
        phrase[at : at + 2]
        for phrase in phrases
        for at in {*range(0, len(phrase) - 1, 2), len(phrase) - 2}
        if at >= 0
    ]
    lookups = tuple(dict.fromkeys([*words, *pairs]))[:QUERY_TERMS_MAX]
    if not lookups:
        raise Invalid("Give a word, or two characters that stand together.")
    return TextQuery(phrases=phrases, words=frozenset(words), terms=lookups)


def matches(text: str, query: TextQuery) -> bool:
    """Whether a text has every phrase as written and every word."""
    return score(text, query) > 0


def score(text: str, query: TextQuery) -> float:
    """Return how much a text is about a query: 0 if it does not match.

    How often it says what is looked for, by its length: short texts that say it often
    come first. The constant keeps texts of one word from beating every other.
    """
    folded = fold(text)
    count = 0
    for phrase in query.phrases:
        found = folded.count(phrase)
        if not found:
            return 0.0
        count += found
    if query.words:
        words = [word[:WORD_CHARS_MAX] for word in _find_words(folded)]
        if not query.words.issubset(words):
            return 0.0
        count += sum(word in query.words for word in words)
    return count / (len(folded) + 20)


def snippet(text: str, query: TextQuery) -> Snippet:
    """Return at most `SNIPPET_CHARS` of a text around its first match.

    The text as it was, lines and all; offsets count characters, not UTF-16 units.
    """
    pieces = [_folding[ord(character)] for character in text]
    folded = "".join(pieces)
    # Where each folded character comes from; the end of the text at the end.
    origins: Sequence[int] = range(len(text) + 1)
    if set(map(len, pieces)) - {1}:
        origins = [at for at, piece in enumerate(pieces) for _ in piece]
        origins.append(len(text))
    first = min(
        (span[0] for found in _spans(folded, query, 0) for span in islice(found, 1)),
        default=0,
    )
    begin = max(0, origins[first] - _LEAD_CHARS)
    begin = min(begin, max(0, len(text) - SNIPPET_CHARS))
    end = min(len(text), begin + SNIPPET_CHARS)
    spans: list[tuple[int, int]] = []
    for found in _spans(folded, query, first):
        for start, stop in found:
            if origins[start] >= end:
                break
            # A mark that was folded away still belongs to the letter before it.
            stop = max(origins[stop - 1] + 1, origins[stop])
            spans.append((origins[start] - begin, min(stop, end) - begin))
    return Snippet(text=text[begin:end], marks=tuple(_apart(sorted(spans))))


def _spans(
    folded: str, query: TextQuery, start: int
) -> list[Iterator[tuple[int, int]]]:
    """Return where each phrase stands from `start` on, and where any word stands."""
    found = [_phrase_spans(folded, phrase, start) for phrase in query.phrases]
    words = (
        word.span()
        for word in _WORD.finditer(folded, start)
        if word.group()[:WORD_CHARS_MAX] in query.words
    )
    return [*found, words] if query.words else found


def _phrase_spans(folded: str, phrase: str, start: int) -> Iterator[tuple[int, int]]:
    at = folded.find(phrase, start)
    while at >= 0:
        yield at, at + len(phrase)
        at = folded.find(phrase, at + len(phrase))


def _apart(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield ascending spans with those that touch or overlap made one."""
    begun: tuple[int, int] | None = None
    for start, stop in spans:
        if begun is None:
            begun = start, stop
        elif start <= begun[1]:
            begun = begun[0], max(begun[1], stop)
        else:
            yield begun
            begun = start, stop
    if begun is not None:
        yield begun
