"""A translator of one's own: phrases that a shop has written down, in a table.

A package names it by an entry point, and the translation file of the server by a table:

    [project.entry-points."kefu.translators"]     # pyproject.toml of the package
    phrases = "own_translator:TRANSLATOR"

    [phrases]                                     # translation.toml of the server
    file = "phrases.json"

    {"zh-CN": {"olá": "你好"}}                     # phrases.json: texts by target

Then: kefu translate "Olá" --to zh-CN. What is not in the table, the next service does.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from kefu_core.abc.translator import Translated, TranslationFailed, Translator, Trouble
from kefu_core.errors import ConfigurationError
from kefu_core.languages import nearest
from kefu_core.translators.service import Clock, Kind


class PhraseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the table of the translation file."""

    file: str


class Phrases(Translator):
    """Knows what is in its table, whatever the letters' case."""

    name = "phrases"
    texts_max = 100
    chars_max = 100_000

    def __init__(self, phrases: dict[str, dict[str, str]]) -> None:
        """Take texts and translations by target language."""
        self._phrases = {
            target: {text.casefold(): told for text, told in some.items()}
            for target, some in phrases.items()
        }

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        known = self._phrases.get(nearest(target, self._phrases), {})
        found = [known.get(text.strip().casefold()) for text in texts]
        # All or none: what is missing is the next service's to do.
        if any(each is None for each in found):
            told = "phrases: not all of these texts are in the table."
            raise TranslationFailed(told, Trouble.TEXT)
        return [Translated(text=each) for each in found if each is not None]


def make(settings: PhraseSettings, now: Clock) -> Phrases:
    """Read the table; the server does not start with one that is none."""
    try:
        table = Path(settings.file).read_bytes()
        return Phrases(msgspec.json.decode(table, type=dict[str, dict[str, str]]))
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"phrases: {settings.file}: {error}") from None


TRANSLATOR = Kind("phrases", PhraseSettings, make)
