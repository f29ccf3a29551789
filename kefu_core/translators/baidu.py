"""Baidu Translate, the general text API.

Source: https://fanyi-api.baidu.com/doc/21: a form, signed with MD5; 1,000 characters
to 6,000 bytes of text in one call, by plan, whose lines are translated one by one.
"""

import hashlib
import secrets
from collections.abc import Sequence

import msgspec

from kefu_core.abc.translator import Translated, Trouble
from kefu_core.translators.languages import code_of, tag_of
from kefu_core.translators.service import Kind, Service, ServiceSettings

_CODES = {
    "zh-hans": "zh",
    "zh-hant": "cht",
    "yue": "yue",
    "ja": "jp",
    "ko": "kor",
    "fr": "fra",
    "es": "spa",
    "ar": "ara",
    "bg": "bul",
    "et": "est",
    "da": "dan",
    "fi": "fin",
    "ro": "rom",
    "sl": "slo",
    "sv": "swe",
    "vi": "vie",
}
_TROUBLES = {
    **dict.fromkeys(
        ("52003", "54001", "54004", "58000", "58002", "58003", "90107"),
        Trouble.ACCOUNT,
    ),
    **dict.fromkeys(("52001", "52002", "54003", "54005"), Trouble.LATER),
    "58001": Trouble.LANGUAGE,
}


class BaiduSettings(ServiceSettings, frozen=True, kw_only=True):
    app_id: str
    key: str


class _Line(msgspec.Struct):
    dst: str


class _Result(msgspec.Struct):
    source: str = msgspec.field(default="", name="from")
    trans_result: list[_Line] = []
    error_code: str | int = ""
    error_msg: str = ""


class Baidu(Service):
    name = "baidu"
    usual_url = "https://fanyi-api.baidu.com"
    texts_max = 20
    chars_max = 1_000
    """What the smallest of its plans takes."""

    def __init__(self, settings: BaiduSettings) -> None:
        super().__init__(settings, [settings.key])
        self._app_id = settings.app_id
        self._key = settings.key

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        if not source and len(texts) > 1:
            # "auto" takes all lines for one language.
            alone = [
                await self.translate([each], source="", target=target) for each in texts
            ]
            return [found for [found] in alone]
        # It passes over empty lines, so they are put back where they were.
        lines = [each.splitlines() for each in texts]
        query = "\n".join(line for text in lines for line in text if line.strip())
        salt = secrets.token_hex(8)
        form = {
            "q": query,
            "from": code_of(source, _CODES) if source else "auto",
            "to": code_of(target, _CODES),
            "appid": self._app_id,
            "salt": salt,
            "sign": sign(self._app_id, query, salt, self._key),
        }
        answer = await self._post_form("/api/trans/vip/translate", form)
        result = self._read(answer, _Result)
        code = str(result.error_code)
        if answer.status != 200 or code not in {"", "52000"}:
            told = f"{result.error_msg} {code}".strip()
            raise self._refused(answer, told, _TROUBLES.get(code))
        found = iter(line.dst for line in result.trans_result)
        wanted = sum(bool(line.strip()) for text in lines for line in text)
        if len(result.trans_result) != wanted:
            told = f"It gave {len(result.trans_result)} lines for {wanted}."
            raise self._failed(Trouble.TEXT, told)
        from_tag = "" if source else tag_of(result.source, _CODES)
        return [
            Translated(
                text="\n".join(next(found) if line.strip() else "" for line in text),
                source=from_tag,
            )
            for text in lines
        ]


def sign(app_id: str, query: str, salt: str, key: str) -> str:
    """Return what proves that a request is of whoever has the key."""
    words = f"{app_id}{query}{salt}{key}".encode()
    return hashlib.md5(words, usedforsecurity=False).hexdigest()


TRANSLATOR = Kind("baidu", BaiduSettings, lambda settings, now: Baidu(settings))
