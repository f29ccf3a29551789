"""What goes into one call: long texts in pieces, short ones together. Pure."""

from collections.abc import Iterator, Sequence

from kefu_core.languages import language_of

_ENDS = ("\n", "。", "！", "？", "…", ". ", "! ", "? ", "; ", "；", "，", ", ", " ")
"""Where a text is cut best, in this order."""
_WITHOUT_BLANKS = {"zh-Hans", "zh-Hant", "ja", "th", "lo", "km", "my"}
"""Languages that put none between their words and sentences."""


def pieces(text: str, size: int) -> list[str]:
    """Cut a text where sentences end, else words, else anywhere; joined it is whole."""
    found: list[str] = []
    while len(text) > size:
        at = _cut(text, size)
        found.append(text[:at])
        text = text[at:]
    return [*found, text] if text else found


def _cut(text: str, size: int) -> int:
    # A piece of a few words is translated badly: not before its last half.
    for end in _ENDS:
        at = text.rfind(end, size // 2, size)
        if at >= 0 and at + len(end) <= size:
            return at + len(end)
    return size


def joined(translated: Sequence[str], language: str) -> str:
    """Put pieces together as the language does that they are in now."""
    has_blanks = language_of(language) not in _WITHOUT_BLANKS
    text = ""
    for piece in translated:
        if not has_blanks:
            text = text.rstrip(" ")
        elif has_blanks and text and not text[-1].isspace() and piece[:1].isalnum():
            text += " "
        text += piece
    return text


def batches(texts: Sequence[str], count: int, size: int) -> Iterator[range]:
    """Yield which texts go together: at most so many, and of so many characters."""
    begin, chars = 0, 0
    for at, text in enumerate(texts):
        if at > begin and (at - begin >= count or chars + len(text) > size):
            yield range(begin, at)
            begin, chars = at, 0
        chars += len(text)
    if begin < len(texts):
        yield range(begin, len(texts))
