"""Tencent Cloud Machine Translation, `TextTranslateBatch`.

Source: https://cloud.tencent.com/document/api/551/40566 and, of the signature
TC3-HMAC-SHA256, https://cloud.tencent.com/document/api/551/30636: fewer than 6,000
characters in one call.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.translators.languages import code_of, tag_of
from kefu_core.translators.service import Clock, Kind, Service, ServiceSettings

_CODES = {"zh-hans": "zh", "zh-hant": "zh-TW"}
_TYPE = "application/json; charset=utf-8"
_TROUBLES = (
    ("AuthFailure", Trouble.ACCOUNT),
    ("UnauthorizedOperation", Trouble.ACCOUNT),
    ("FailedOperation.NoFreeAmount", Trouble.ACCOUNT),
    ("FailedOperation.ServiceIsolate", Trouble.ACCOUNT),
    ("FailedOperation.UserNotRegistered", Trouble.ACCOUNT),
    ("UnsupportedOperation.UnsupportedLanguage", Trouble.LANGUAGE),
    ("UnsupportedOperation.UnSupportedTargetLanguage", Trouble.LANGUAGE),
    ("UnsupportedOperation.UnsupportedSourceLanguage", Trouble.LANGUAGE),
    ("FailedOperation.LanguageRecognitionErr", Trouble.LANGUAGE),
    ("UnsupportedOperation", Trouble.TEXT),
    ("InvalidParameter", Trouble.TEXT),
    ("RequestLimitExceeded", Trouble.LATER),
    ("LimitExceeded", Trouble.LATER),
    ("InternalError", Trouble.LATER),
)


class TencentSettings(ServiceSettings, frozen=True, kw_only=True):
    secret_id: str
    secret_key: str
    region: str = "ap-guangzhou"


class _Error(msgspec.Struct, rename="pascal"):
    code: str = ""
    message: str = ""


class _Response(msgspec.Struct, rename="pascal"):
    target_text_list: list[str] = []
    source: str = ""
    error: _Error | None = None


class _Result(msgspec.Struct, rename="pascal"):
    response: _Response


class Tencent(Service):
    name = "tencent"
    usual_url = "https://tmt.tencentcloudapi.com"
    texts_max = 50
    chars_max = 5_000

    def __init__(self, settings: TencentSettings, now: Clock) -> None:
        super().__init__(settings, [settings.secret_key])
        self._settings = settings
        self._now = now
        self._host = self._url.partition("://")[2].partition("/")[0]

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        if not source and len(texts) > 1:
            # "auto" takes all of them for one language.
            alone = [
                await self.translate([each], source="", target=target) for each in texts
            ]
            return [found for [found] in alone]
        wanted = {
            "Source": code_of(source, _CODES) if source else "auto",
            "Target": code_of(target, _CODES),
            "ProjectId": 0,
            "SourceTextList": texts,
        }
        body = msgspec.json.encode(wanted)
        answer = await self._post("/", body, self._headers(body))
        response = self._read(answer, _Result).response
        if answer.status != 200 or response.error is not None:
            error = response.error or _Error()
            told = f"{error.code} {error.message}".strip()
            raise self._refused(answer, told, _trouble(error.code))
        found = "" if source else tag_of(response.source, _CODES)
        return self._whole(
            texts,
            [Translated(text=each, source=found) for each in response.target_text_list],
        )

    def _headers(self, body: bytes) -> dict[str, str]:
        moment = int(self._now())
        settings = self._settings
        return {
            "content-type": _TYPE,
            "authorization": authorization(
                "tmt",
                self._host,
                body,
                moment,
                settings.secret_id,
                settings.secret_key,
            ),
            "x-tc-action": "TextTranslateBatch",
            "x-tc-version": "2018-03-21",
            "x-tc-region": settings.region,
            "x-tc-timestamp": str(moment),
        }


def authorization(
    service: str, host: str, body: bytes, moment: int, secret_id: str, secret_key: str
) -> str:
    """Return the header of a POST that is signed with TC3-HMAC-SHA256.

    Args:
        service: The product, such as `tmt`.
        host: The value of the request's header.
        body: JSON, sent as `application/json; charset=utf-8`.
        moment: Unix seconds.
        secret_id: Names the key.
        secret_key: Signs.
    """
    day = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
    headers = f"content-type:{_TYPE}\nhost:{host}\n"
    signed = "content-type;host"
    request = f"POST\n/\n\n{headers}\n{signed}\n{_sha256(body)}"
    scope = f"{day}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{moment}\n{scope}\n{_sha256(request.encode())}"
    key = f"TC3{secret_key}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, "
        f"SignedHeaders={signed}, Signature={signature}"
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _trouble(code: str) -> Trouble | None:
    for begin, trouble in _TROUBLES:
        if code.startswith(begin):
            return trouble
    return None


TRANSLATOR = Kind("tencent", TencentSettings, Tencent)
