"""What every format of an export has to say."""

from abc import ABC, abstractmethod

import msgspec

from kefu_core.model import Conversation, Cursor, Message, Person, Site
from kefu_core.records import Ban, PageView, Visit, VisitorProfile
from kefu_core.types import ParticipantId, UnixMs


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What stands above everything."""

    epoch: str
    at: UnixMs


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation or some of its messages, and who is in it."""

    conversation: Conversation
    site: Site
    names: dict[ParticipantId, Person]
    """Of those whom it names, as far as they are known."""
    messages: list[Message] = []
    profile: VisitorProfile | None = None
    """Of the visitor, with the first page of a conversation, for whoever writes it."""
    bans: list[Ban] = []
    """Of the visitor itself, with its profile."""


class Writer(ABC):
    """A format. Every method returns the next piece of text."""

    wants_profiles = False
    """Whether it writes more of a visitor than the name: what is known, and visits."""

    @abstractmethod
    def begin(self, heading: Heading) -> str:
        """Return what the file begins with."""

    @abstractmethod
    def conversation(self, page: Page) -> str:
        """Return what a conversation begins with; the page has no messages yet."""

    def visit(self, visit: Visit, pages: list[PageView]) -> str:
        """Return one visit of who is in the conversation that has just begun."""
        return ""

    @abstractmethod
    def messages(self, page: Page) -> str:
        """Return some of its messages."""

    @abstractmethod
    def cursors(self, conversation: Conversation, cursors: list[Cursor]) -> str:
        """Return what a conversation ends with."""

    @abstractmethod
    def end(self, conversations: int, messages: int) -> str:
        """Return what the file ends with."""
