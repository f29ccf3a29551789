"""Youdao AI Cloud, text translation.

Source: https://ai.youdao.com/DOCSIRMA/html/trans/api/wbfy/index.html: a form with one
text of at most 5,000 characters, signed with SHA-256 (`signType=v3`).
"""

import hashlib
import secrets
from collections.abc import Sequence

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.translators.languages import code_of, tag_of
from kefu_core.translators.service import Clock, Kind, Service, ServiceSettings

_CODES = {"zh-hans": "zh-CHS", "zh-hant": "zh-CHT", "nb": "no", "nn": "no"}
_TROUBLES = {
    **dict.fromkeys(
        ("108", "110", "111", "116", "202", "203", "205", "401", "402"),
        Trouble.ACCOUNT,
    ),
    **dict.fromkeys(
        ("206", "207", "301", "302", "303", "304", "411", "412"), Trouble.LATER
    ),
    "102": Trouble.LANGUAGE,
}


class YoudaoSettings(ServiceSettings, frozen=True, kw_only=True):
    app_key: str
    secret: str


class _Result(msgspec.Struct, rename="camel"):
    error_code: str | int = ""
    translation: list[str] = []
    l: str = ""  # noqa: E741
    """The languages, such as `en2zh-CHS`."""


class Youdao(Service):
    name = "youdao"
    usual_url = "https://openapi.youdao.com"

    def __init__(self, settings: YoudaoSettings, now: Clock) -> None:
        super().__init__(settings, [settings.secret])
        self._app_key = settings.app_key
        self._secret = settings.secret
        self._now = now

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        return [await self._one(text, source, target) for text in texts]

    async def _one(self, text: str, source: str, target: str) -> Translated:
        salt, moment = secrets.token_hex(16), str(int(self._now()))
        form = {
            "q": text,
            "from": code_of(source, _CODES) if source else "auto",
            "to": code_of(target, _CODES),
            "appKey": self._app_key,
            "salt": salt,
            "sign": sign(self._app_key, text, salt, moment, self._secret),
            "signType": "v3",
            "curtime": moment,
            # All that it can, and not what it keeps of words it does not know.
            "strict": "true",
        }
        answer = await self._post_form("/api", form)
        result = self._read(answer, _Result)
        code = str(result.error_code)
        if answer.status != 200 or code != "0":
            told = f"error {code}"
            raise self._refused(answer, told, _TROUBLES.get(code))
        if not result.translation:
            raise self._failed(Trouble.TEXT, "It gave no text.")
        found = "" if source else tag_of(result.l.partition("2")[0], _CODES)
        return Translated(text="\n".join(result.translation), source=found)


def sign(app_key: str, text: str, salt: str, moment: str, secret: str) -> str:
    """Return what proves that a request is of whoever has the secret."""
    words = text if len(text) <= 20 else f"{text[:10]}{len(text)}{text[-10:]}"
    whole = f"{app_key}{words}{salt}{moment}{secret}"
    return hashlib.sha256(whole.encode()).hexdigest()


TRANSLATOR = Kind("youdao", YoudaoSettings, Youdao)
