"""Google Cloud Translation, Basic (v2), by an API key.

Source: https://cloud.google.com/translate/docs/reference/rest/v2/translate and
/translate/quotas: 128 texts, and 5,000 code points recommended, in one call.
"""

from collections.abc import Sequence

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.senders.outbound import Answer
from kefu_core.translators.languages import code_of, tag_of
from kefu_core.translators.service import Kind, Service, ServiceSettings, trouble_of

_CODES = {
    "zh-hans": "zh-CN",
    "zh-hant": "zh-TW",
    "pt-pt": "pt-PT",
    "pt": "pt",
    "fr-ca": "fr-CA",
    "nb": "no",
    "nn": "no",
}
_LATER = {"userRateLimitExceeded", "rateLimitExceeded", "backendError"}


class GoogleSettings(ServiceSettings, frozen=True, kw_only=True):
    key: str


class _Translation(msgspec.Struct, rename="camel"):
    translated_text: str
    detected_source_language: str = ""


class _Data(msgspec.Struct):
    translations: list[_Translation]


class _Result(msgspec.Struct):
    data: _Data


class _Reason(msgspec.Struct):
    reason: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    errors: list[_Reason] = []
    details: list[_Reason] = []


class _Failure(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


class Google(Service):
    name = "google"
    usual_url = "https://translation.googleapis.com"
    texts_max = 128

    def __init__(self, settings: GoogleSettings) -> None:
        super().__init__(settings, [settings.key])
        self._key = settings.key

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        wanted = {"q": texts, "target": code_of(target, _CODES), "format": "text"}
        if source:
            wanted["source"] = code_of(source, _CODES)
        answer = await self._post_json(
            "/language/translate/v2", wanted, {"x-goog-api-key": self._key}
        )
        if answer.status != 200:
            told = self._read_error(answer, _Failure, _Failure()).error
            raise self._refused(answer, told.message, _trouble(answer, told))
        found = [
            Translated(
                text=each.translated_text,
                source=tag_of(each.detected_source_language, _CODES),
            )
            for each in self._read(answer, _Result).data.translations
        ]
        return self._whole(texts, found)


def _trouble(answer: Answer, told: _Error) -> Trouble:
    reasons = {each.reason for each in [*told.errors, *told.details]}
    if "API_KEY_INVALID" in reasons or "keyInvalid" in reasons:
        return Trouble.ACCOUNT
    if answer.status == 403 and reasons & _LATER:
        return Trouble.LATER
    if answer.status == 400 and (
        told.message == "Invalid Value" or "language" in told.message.lower()
    ):
        # Of all that is sent only the two languages can be no valid value.
        return Trouble.LANGUAGE
    return trouble_of(answer.status)


TRANSLATOR = Kind("google", GoogleSettings, lambda settings, now: Google(settings))
