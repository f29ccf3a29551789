"""What `kefu init`, `/setup` and the checks say, in one file a language.

`en.toml` is the whole; another language is a file of the same keys beside it, named by
its tag, and is found by being there. What a file leaves out is said in English.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from kefu_core.errors import ConfigurationError

FOLDER = Path(__file__).parent
DEFAULT = "en"
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Where a terminal keeps its language, the first that is set wins (POSIX)."""


class Words:
    """The texts of one language by their dotted keys; `{name}` is filled in."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        """Take a language's tag and all of its texts."""
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **facts: object) -> str:
        """Return a text with its facts. A key that is nowhere is a mistake of ours."""
        return self._texts[key].format_map(facts)

    def __contains__(self, key: str) -> bool:
        return key in self._texts


def languages() -> list[str]:
    """Return the tags of all languages that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def language_of(environ: Mapping[str, str] | None = None) -> str:
    """Return the language of a terminal: `zh_CN.UTF-8` is `zh-CN`, `C` is English."""
    environ = os.environ if environ is None else environ
    said = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    return nearest(said.partition(".")[0].partition("@")[0])


def nearest(tag: str) -> str:
    """Return the language that comes nearest to a tag; English when none does."""
    wanted = tag.replace("_", "-").casefold()
    known = languages()
    for language in known:
        if language.casefold() == wanted:
            return language
    first = wanted.partition("-")[0]
    for language in known:
        if first and language.casefold().partition("-")[0] == first:
            return language
    return DEFAULT


def load_words(language: str) -> Words:
    """Return the words of a language.

    Raises:
        ConfigurationError: There is no such language; names those there are.
    """
    if language not in languages():
        raise ConfigurationError(
            f"There is no language {language!r}; choose one of "
            f"{', '.join(languages())}."
        )
    return Words(language, _read(DEFAULT) | _read(language))


def _read(language: str) -> dict[str, str]:
    path = FOLDER / f"{language}.toml"
    return _flat(tomllib.loads(path.read_text("utf-8")), "")


def _flat(tree: Mapping[str, object], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = str(value)
    return found
