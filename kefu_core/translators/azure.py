"""Azure AI Translator, version 3.0.

Source: https://learn.microsoft.com/azure/ai-services/translator/text-translation/
reference/v3/translate and service-limits: 1,000 texts, 50,000 characters in one call.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.translators.languages import code_of, tag_of
from kefu_core.translators.service import Kind, Service, ServiceSettings

_CODES = {
    "zh-hans": "zh-Hans",
    "zh-hant": "zh-Hant",
    "pt-pt": "pt-pt",
    "pt": "pt",
    "fr-ca": "fr-ca",
    "no": "nb",
    "nn": "nb",
    "tl": "fil",
    "mn": "mn-Cyrl",
    "sr": "sr-Cyrl",
    "sr-latn": "sr-Latn",
}
_TROUBLES = {
    # A language, or a pair, that it does not have.
    **dict.fromkeys((400003, 400019, 400023, 400035, 400036, 400075), Trouble.LANGUAGE),
    # The free quota is used up.
    403001: Trouble.ACCOUNT,
}


class AzureSettings(ServiceSettings, frozen=True, kw_only=True):
    key: str
    region: str = ""
    """Of the resource, such as `eastasia`; empty for a global one."""


class _Detected(msgspec.Struct):
    language: str = ""


class _Translation(msgspec.Struct):
    text: str


class _Item(msgspec.Struct, rename="camel"):
    translations: list[_Translation]
    detected_language: _Detected = msgspec.field(default_factory=_Detected)


class _Error(msgspec.Struct):
    code: int | str = 0
    message: str = ""


class _Failure(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


class Azure(Service):
    name = "azure"
    usual_url = "https://api.cognitive.microsofttranslator.com"
    texts_max = 1_000
    chars_max = 50_000

    def __init__(self, settings: AzureSettings) -> None:
        super().__init__(settings, [settings.key])
        self._headers = {"ocp-apim-subscription-key": settings.key}
        if settings.region:
            self._headers["ocp-apim-subscription-region"] = settings.region

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        query = {"api-version": "3.0", "to": code_of(target, _CODES)}
        query["textType"] = "plain"
        if source:
            query["from"] = code_of(source, _CODES)
        wanted = [{"Text": each} for each in texts]
        answer = await self._post_json(
            f"/translate?{urlencode(query)}", wanted, self._headers
        )
        if answer.status != 200:
            told = self._read_error(answer, _Failure, _Failure()).error
            code = int(told.code) if str(told.code).isdigit() else 0
            raise self._refused(answer, told.message, _TROUBLES.get(code))
        found = [
            Translated(
                text=item.translations[0].text,
                source=tag_of(item.detected_language.language, _CODES),
            )
            for item in self._read(answer, list[_Item])
            if item.translations
        ]
        return self._whole(texts, found)


TRANSLATOR = Kind("azure", AzureSettings, lambda settings, now: Azure(settings))
