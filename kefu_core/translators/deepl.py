"""DeepL, of free and of paid accounts; the key says which of the two.

Source: https://developers.deepl.com/docs/api-reference/translate, best-practices/
error-handling and resources/usage-limits: 50 texts, 128 KiB in one request.
"""

from collections.abc import Sequence

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.senders.outbound import Answer
from kefu_core.translators.languages import code_of, tag_of
from kefu_core.translators.service import Kind, Service, ServiceSettings, trouble_of

_SOURCES = {"zh-hans": "ZH", "zh": "ZH", "no": "NB", "nn": "NB"}
_TARGETS = {
    "zh-hans": "ZH-HANS",
    "zh-hant": "ZH-HANT",
    "en": "EN-US",
    "en-gb": "EN-GB",
    "en-au": "EN-GB",
    "en-nz": "EN-GB",
    "en-ie": "EN-GB",
    "pt": "PT-BR",
    "pt-pt": "PT-PT",
    "no": "NB",
    "nn": "NB",
}


class DeeplSettings(ServiceSettings, frozen=True, kw_only=True):
    key: str


class _Translation(msgspec.Struct):
    text: str
    detected_source_language: str = ""


class _Result(msgspec.Struct):
    translations: list[_Translation]


class _Failure(msgspec.Struct):
    message: str = ""
    detail: str = ""


class Deepl(Service):
    name = "deepl"
    usual_url = "https://api.deepl.com"
    texts_max = 50
    chars_max = 30_000
    """At up to four bytes a character within the size of a request."""

    def __init__(self, settings: DeeplSettings) -> None:
        super().__init__(settings, [settings.key])
        self._key = settings.key
        if settings.key.endswith(":fx") and not settings.url:
            self._url = "https://api-free.deepl.com"

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        wanted = {"text": texts, "target_lang": code_of(target, _TARGETS).upper()}
        if source:
            wanted["source_lang"] = code_of(source, _SOURCES).upper()
        answer = await self._post_json(
            "/v2/translate", wanted, {"authorization": f"DeepL-Auth-Key {self._key}"}
        )
        if answer.status != 200:
            told = self._read_error(answer, _Failure, _Failure())
            text = ". ".join(each for each in (told.message, told.detail) if each)
            raise self._refused(answer, text, _trouble(answer, text))
        found = [
            Translated(
                text=each.text, source=tag_of(each.detected_source_language, _SOURCES)
            )
            for each in self._read(answer, _Result).translations
        ]
        return self._whole(texts, found)


def _trouble(answer: Answer, text: str) -> Trouble:
    if answer.status == 456:
        return Trouble.ACCOUNT
    if answer.status == 400 and "_lang" in text:
        return Trouble.LANGUAGE
    return trouble_of(answer.status)


TRANSLATOR = Kind("deepl", DeeplSettings, lambda settings, now: Deepl(settings))
