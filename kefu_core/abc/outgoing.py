"""What a node needs to reach others: somebody who takes mail, and who posts to URLs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec

from kefu_core.errors import KefuError
from kefu_core.records import Mail


class NotSent(KefuError):
    """It did not go out."""

    def __init__(self, text: str, *, is_final: bool = False, status: int = 0) -> None:
        """Take a sentence for agents, and whether trying again is of no use."""
        super().__init__(text)
        self.is_final = is_final
        self.status = status
        """Of an HTTP answer; 0 where there was none."""


class MailRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk must know of how mail goes out."""

    sender: str = ""
    """The address that mail comes from; empty: none can be sent."""


class Mailer(ABC):
    """Hands mail to a server that carries it on."""

    @abstractmethod
    async def send(self, mail: Mail) -> None:
        """Send one mail. Bounded in time.

        Raises:
            NotSent: Why, in a sentence; `is_final` where the address is refused.
        """


class Poster(ABC):
    """Posts to URLs that people have chosen, and to nothing inside this network."""

    @abstractmethod
    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post once, following nothing; return the status, which is 2xx. Bounded.

        Raises:
            NotSent: It was not taken, or the address is not one we may reach.
        """
