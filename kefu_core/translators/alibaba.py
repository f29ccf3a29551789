"""Alibaba Cloud Machine Translation, `TranslateGeneral`.

Source: https://help.aliyun.com/zh/machine-translation/developer-reference/
api-alimt-2018-10-12-translategeneral and, of the signature of RPC requests
(HMAC-SHA1), https://help.aliyun.com/zh/sdk/product-overview/rpc-mechanism: one text of
at most 5,000 characters in one call.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.translators.languages import code_of
from kefu_core.translators.service import Clock, Kind, Service, ServiceSettings

_CODES = {"zh-hans": "zh", "zh-hant": "zh-tw", "nb": "no", "nn": "no"}
_TROUBLES = {
    **dict.fromkeys(("10001", "10002", "10012"), Trouble.LATER),
    **dict.fromkeys(("10005", "10006"), Trouble.LANGUAGE),
    **dict.fromkeys(("10009", "10010", "10011", "10013"), Trouble.ACCOUNT),
}
_WORDS = (
    ("InvalidAccessKey", Trouble.ACCOUNT),
    ("SignatureDoesNotMatch", Trouble.ACCOUNT),
    ("IncompleteSignature", Trouble.ACCOUNT),
    ("Forbidden", Trouble.ACCOUNT),
    ("NoPermission", Trouble.ACCOUNT),
    ("Throttling", Trouble.LATER),
    ("ServiceUnavailable", Trouble.LATER),
    ("InternalError", Trouble.LATER),
)


class AlibabaSettings(ServiceSettings, frozen=True, kw_only=True):
    access_key_id: str
    access_key_secret: str


class _Data(msgspec.Struct, rename="pascal"):
    translated: str = ""


class _Result(msgspec.Struct, rename="pascal"):
    code: str | int = ""
    message: str = ""
    data: _Data | None = None


class Alibaba(Service):
    name = "alibaba"
    usual_url = "https://mt.cn-hangzhou.aliyuncs.com"

    def __init__(self, settings: AlibabaSettings, now: Clock) -> None:
        super().__init__(settings, [settings.access_key_secret])
        self._id = settings.access_key_id
        self._secret = settings.access_key_secret
        self._now = now

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        return [await self._one(text, source, target) for text in texts]

    async def _one(self, text: str, source: str, target: str) -> Translated:
        moment = datetime.fromtimestamp(int(self._now()), UTC)
        form = {
            "Action": "TranslateGeneral",
            "Version": "2018-10-12",
            "Format": "JSON",
            "AccessKeyId": self._id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": secrets.token_hex(16),
            "Timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "FormatType": "text",
            "Scene": "general",
            "SourceLanguage": code_of(source, _CODES) if source else "auto",
            "TargetLanguage": code_of(target, _CODES),
            "SourceText": text,
        }
        form["Signature"] = sign("POST", form, self._secret)
        answer = await self._post_form("/", form)
        result = self._read(answer, _Result)
        code = str(result.code)
        if answer.status != 200 or code != "200":
            told = f"{code} {result.message}".strip()
            raise self._refused(answer, told, _trouble(code))
        if result.data is None or not result.data.translated:
            raise self._failed(Trouble.TEXT, "It gave no text.")
        return Translated(text=result.data.translated)


def sign(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """Return the `Signature` of an RPC request with all its other parameters."""
    pairs = sorted(parameters.items())
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)
    text = f"{method}&{_encoded('/')}&{_encoded(query)}"
    digest = hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")
    return base64.b64encode(digest).decode()


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _trouble(code: str) -> Trouble | None:
    for begin, trouble in _WORDS:
        if code.startswith(begin):
            return trouble
    return _TROUBLES.get(code)


TRANSLATOR = Kind("alibaba", AlibabaSettings, Alibaba)
