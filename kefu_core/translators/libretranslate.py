"""LibreTranslate, one's own or somebody else's.

Source: https://docs.libretranslate.com/api/operations/translate/ and the server's
`app.py`: what it takes in one call is the choice of whoever runs it.
"""

from collections.abc import Sequence

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.senders.outbound import Answer
from kefu_core.translators.languages import code_of, tag_of
from kefu_core.translators.service import Kind, Service, ServiceSettings, trouble_of

_CODES = {"zh-hans": "zh", "zh-hant": "zt", "no": "nb", "nn": "nb", "fil": "tl"}


class LibretranslateSettings(ServiceSettings, frozen=True, kw_only=True):
    url: str = msgspec.field()
    key: str = ""
    """Empty where the server asks for none."""
    texts_max: int = 25
    chars_max: int = 2_000


class _Detected(msgspec.Struct):
    language: str = ""


class _Result(msgspec.Struct, rename="camel"):
    translated_text: list[str]
    detected_language: list[_Detected] = []


class _Failure(msgspec.Struct):
    error: str = ""


class Libretranslate(Service):
    name = "libretranslate"

    def __init__(self, settings: LibretranslateSettings) -> None:
        super().__init__(settings, [settings.key])
        self._key = settings.key
        self.texts_max = settings.texts_max
        self.chars_max = settings.chars_max

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        wanted = {
            "q": texts,
            "source": code_of(source, _CODES) if source else "auto",
            "target": code_of(target, _CODES),
            "format": "text",
        }
        if self._key:
            wanted["api_key"] = self._key
        answer = await self._post_json("/translate", wanted)
        if answer.status != 200:
            told = self._read_error(answer, _Failure, _Failure()).error
            raise self._refused(answer, told, _trouble(answer, told))
        result = self._read(answer, _Result)
        sources = [tag_of(each.language, _CODES) for each in result.detected_language]
        if len(sources) != len(texts):
            sources = [""] * len(texts)
        self._whole(texts, [Translated(text=each) for each in result.translated_text])
        return [
            Translated(text=text, source=each)
            for text, each in zip(result.translated_text, sources, strict=True)
        ]


def _trouble(answer: Answer, told: str) -> Trouble:
    if answer.status != 400:
        return trouble_of(answer.status)
    if "API key" in told:
        return Trouble.ACCOUNT
    if "not supported" in told or "target language" in told:
        return Trouble.LANGUAGE
    return Trouble.TEXT


TRANSLATOR = Kind(
    "libretranslate",
    LibretranslateSettings,
    lambda settings, now: Libretranslate(settings),
)
