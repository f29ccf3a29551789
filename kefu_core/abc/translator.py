"""What translates: one service, what may go wrong in a call to it, and all of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from kefu_core.errors import KefuError
from kefu_core.model import Conversation, Site
from kefu_core.types import ConversationId, ParticipantId, Seq


class Trouble(StrEnum):
    """Why a service did not translate, as far as it matters for what is done next."""

    LATER = "later"
    """Busy, throttled, slow or away: the same may work in a while."""
    ACCOUNT = "account"
    """The key is wrong, or the quota is used up: nothing works until somebody acts."""
    LANGUAGE = "language"
    """It does not know one of the two languages: another service may."""
    TEXT = "text"
    """It does not take this text, or its answer for it was of no use."""
    BUDGET = "budget"
    """The site has used what it may use on one day: no service was asked."""


class TranslationFailed(KefuError):
    """The text was not translated."""

    def __init__(
        self, text: str, trouble: Trouble, *, retry_after_s: float = 0.0
    ) -> None:
        """Take a sentence for the operator, with the service's own words and no key."""
        super().__init__(text, retry_after_s=retry_after_s)
        self.trouble = trouble


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """One text in another language."""

    text: str
    source: str = ""
    """The language it was in, as the service says; empty: it was told, or says none."""
    provider: str = ""
    """The name of the translator that did it; a chain fills it in."""


class Translator(ABC):
    """One service.

    Languages are BCP 47 tags as browsers write them (`pt-BR`, `zh-CN`, `zh-TW`); an
    implementation maps them to what its service calls them.
    """

    name: str
    """As figures and marks show it, such as `deepl`."""
    texts_max: int = 1
    """So many texts in one call."""
    chars_max: int = 5_000
    """So many characters (code points) in one call, of all its texts."""

    @abstractmethod
    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        """Return as many texts as were given, in their order.

        Args:
            texts: Plain text, none empty; at most `texts_max` and `chars_max`.
            source: The language they are in; empty: the service is to find out.
            target: The language they are wanted in.

        Raises:
            TranslationFailed: None of them was translated. Bounded in time.
        """


KEPT = "glossary"
"""The provider of what agents want a text translated as."""


class ServiceFigures(msgspec.Struct, kw_only=True):
    """What one service has done since the start."""

    provider: str
    calls: int = 0
    texts: int = 0
    chars: int = 0
    """Code points of what it has translated."""
    failures: dict[str, int] = {}
    """By `Trouble`."""
    seconds: float = 0.0
    """All its calls took together; those that failed too."""
    seconds_max: float = 0.0
    paused_until: float = 0.0
    """Monotonic seconds; 0: it is not left alone."""
    last_failure: str = ""


class EconomyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What was saved since the start, and what was not."""

    services: list[ServiceFigures]
    """Calls, characters, seconds and failures of each."""
    hits: dict[str, int]
    """Texts that were known, by the provider who was paid for them once; those of
    agents are `KEPT`."""
    hit_chars: int
    joined: int
    """Texts that somebody else was asking for at the same moment."""
    refusals: int
    """Calls that a budget forbade."""
    stopped: dict[int, int]
    """Sites that a budget forbade one, and the day (20260131) of the last time."""
    warnings: int
    """Days of sites that came near their end."""
    store_failures: int
    now: float
    """Monotonic seconds when these figures were taken."""


class Translations(ABC):
    """All services of a node, with what was paid for once and each site's budget."""

    @property
    @abstractmethod
    def figures(self) -> EconomyFigures:
        """What it has done since the start."""

    @abstractmethod
    async def translate(
        self, site: Site, texts: Sequence[str], *, source: str, target: str
    ) -> list[Translated]:
        """Return as many texts as were given, in their order.

        What has no words, or is in the target's language, comes back as it is, with no
        provider.

        Args:
            site: Whose they are; its settings now say how much it may use.
            texts: Any number, of any length.
            source: The language they are in; empty: the service is to find out.
            target: The language they are wanted in.

        Raises:
            TranslationFailed: Of at least one nothing was found out; what was paid for
                is kept, and costs nothing the next time.

        Cancellation: the others who wait for the same text ask again.
        """


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """How a text will read on the other side."""

    text: str = ""
    """Empty: it will read as it is, since nothing in it has to be translated."""
    source: str = ""
    target: str = ""
    """What the visitor reads; empty: nobody knows yet."""
    provider: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A text of a log, as somebody reads it who takes no part."""

    ref: Seq
    """The message it is of."""
    text: str
    source: str
    target: str
    by: str
    """The service, or `glossary`."""


class Interpreter(ABC):
    """What knows how a text reads to those who read another language."""

    @abstractmethod
    def look_again(self, conversation: ConversationId) -> None:
        """Hear that somebody in it reads another language from now on.

        What was missed follows, as far as anything does that was missed. Never raises.
        """

    @abstractmethod
    async def preview(
        self, site: Site, row: Conversation, text: str, *, agent: ParticipantId
    ) -> Preview:
        """Return an agent's text as the visitor will read it.

        It counts in the site's budget, and is kept: sent as it is, it costs nothing.

        Raises:
            TranslationFailed: No service has translated it.
            StoreError: The log cannot be read.
        """

    @abstractmethod
    async def read(
        self, site: Site, row: Conversation, *, agent: ParticipantId
    ) -> list[Reading]:
        """Return what an agent who takes no part cannot read of the newest lines.

        In the order of the log; nothing is written. It counts in the site's budget, and
        is kept like all translations: the next who looks on costs nothing.

        Raises:
            TranslationFailed: No service has translated any of it.
            StoreError: The log cannot be read.
        """
