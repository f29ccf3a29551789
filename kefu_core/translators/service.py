"""What our translators have in common: settings, one request, and what went wrong."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

import msgspec

from kefu_core.abc.translator import (
    Translated,
    TranslationFailed,
    Translator,
    Trouble,
)
from kefu_core.errors import ConfigurationError
from kefu_core.senders.outbound import Answer, NotReached, Outbound

T = TypeVar("T")
Clock = Callable[[], float]
"""Unix seconds."""
TEXT_MAX = 300
"""Characters of what a service says of its failure."""
RETRY_MAX_S = 3_600.0


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service takes. Never shown: what derives from it holds keys."""

    url: str = ""
    """Where it is, if not at its usual place; this one may be inside the network."""
    timeout_s: float = 10.0
    """For one call in all."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class Service(Translator):
    """One service over HTTP; no key of it is in any error."""

    usual_url: ClassVar[str] = ""

    def __init__(self, settings: ServiceSettings, secrets: Sequence[str]) -> None:
        """Take settings, and what in them must not be told to anybody."""
        self._url = (settings.url or self.usual_url).rstrip("/")
        self._timeout_s = settings.timeout_s
        self._secrets = [each for each in secrets if each]
        self._outbound = Outbound([settings.url] if settings.url else [])

    async def _post(
        self, path: str, content: bytes, headers: Mapping[str, str]
    ) -> Answer:
        try:
            return await self._outbound.request(
                "POST",
                self._url + path,
                content=content,
                headers={"user-agent": "kefu-translate/1", **headers},
                timeout_s=self._timeout_s,
            )
        except NotReached as error:
            raise self._failed(Trouble.LATER, error.text) from error

    async def _post_json(
        self, path: str, value: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        kind = {"content-type": "application/json; charset=utf-8"}
        return await self._post(
            path, msgspec.json.encode(value), {**kind, **(headers or {})}
        )

    async def _post_form(self, path: str, form: Mapping[str, str]) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self._post(path, urlencode(form).encode(), kind)

    def _read(self, answer: Answer, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.ValidationError as error:
            text = f"Its answer ({answer.status}) is not as documented: {error}"
            raise self._failed(trouble_of(answer.status), text, answer) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = f"It answered {answer.status}, and no JSON."
            # A page in its place, as of a proxy, says nothing of the text.
            trouble = trouble_of(answer.status)
            if answer.status == 200:
                trouble = Trouble.LATER
            raise self._failed(trouble, text, answer) from None

    def _read_error(self, answer: Answer, kind: type[T], empty: T) -> T:
        """Return what it says of a failure; `empty` where that is not as documented."""
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return empty

    def _failed(
        self, trouble: Trouble, text: str, answer: Answer | None = None
    ) -> TranslationFailed:
        """Return the error, without what is secret."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())[:TEXT_MAX]
        wait_s = retry_after_s(answer.headers) if answer is not None else 0.0
        return TranslationFailed(f"{self.name}: {text}", trouble, retry_after_s=wait_s)

    def _refused(
        self, answer: Answer, text: str, trouble: Trouble | None = None
    ) -> TranslationFailed:
        """Return the error for an answer that is none of success."""
        told = text or "no reason given"
        trouble = trouble or trouble_of(answer.status)
        return self._failed(trouble, f"{told} ({answer.status})", answer)

    def _whole(
        self, texts: Sequence[str], found: Sequence[Translated]
    ) -> Sequence[Translated]:
        if len(texts) != len(found):
            told = f"It gave {len(found)} texts for {len(texts)}."
            raise self._failed(Trouble.TEXT, told)
        return found


class Kind(msgspec.Struct, frozen=True):
    """A translator that settings can name: what it takes, and how it is made."""

    name: str
    settings: type[msgspec.Struct]
    make: Callable[[Any, Clock], Translator]
    """From its settings, and a clock of Unix seconds for signatures."""

    def build(self, options: Mapping[str, object], now: Clock) -> Translator:
        """Return one. Raises `ConfigurationError`, which quotes no value."""
        try:
            settings = msgspec.convert(options, self.settings)
        except msgspec.ValidationError as error:
            text = f"The translator {self.name!r} is not set up: {error}"
            raise ConfigurationError(text) from None
        return self.make(settings, now)


def trouble_of(status: int) -> Trouble:
    """Return what an HTTP status means where the service says nothing better."""
    if status in {401, 402, 403, 404}:
        return Trouble.ACCOUNT
    if status in {200, 400, 413, 414, 422}:
        return Trouble.TEXT
    return Trouble.LATER


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return the seconds that an answer asks to wait; 0 where it does not."""
    told = headers.get("retry-after", "").strip()
    return min(float(told), RETRY_MAX_S) if told.isascii() and told.isdigit() else 0.0
