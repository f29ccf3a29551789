"""What a connection asks of the application."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kefu_core.abc.streams import PeerInfo
from kefu_core.errors import NotFound
from kefu_core.model import Conversation, Draft, Principal
from kefu_core.protocol.frames import Send
from kefu_core.types import ConversationId


class Handler(ABC):
    """Authentication, permission and the calls of one application.

    Every question is asked at the moment of the act; the default answer is no (G10).
    A thing that does not exist and one that may not be seen give the same `NotFound`.
    """

    @abstractmethod
    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        """Return who this is. Raises `Unauthorized` (also for a wrong origin)."""

    @abstractmethod
    async def revalidate(self, principal: Principal) -> bool:
        """Whether a live connection may go on; asked about once a minute."""

    async def find_revoked(self, agents: Collection[Principal]) -> set[Principal]:
        """Return which of these were ended, or have other rights by now.

        Asked about twice a second with all connected agents and programs, so that a
        revocation on another node or by a command ends live connections within a
        second; one cheap read, or nothing where logins cannot be revoked.
        """
        return set()

    @abstractmethod
    async def load_conversation(
        self, principal: Principal, conversation: ConversationId
    ) -> Conversation:
        """Return a conversation the principal may read. Raises `NotFound`.

        The hub keeps the answer while the conversation is followed.
        """

    async def load_conversations(
        self, principal: Principal, conversations: Collection[ConversationId]
    ) -> Sequence[Conversation]:
        """Return those of these that the principal may read, in any order.

        What a client that comes back had open: asked once, instead of for each.
        """
        found = []
        for conversation in conversations:
            with suppress(NotFound):
                found.append(await self.load_conversation(principal, conversation))
        return found

    @abstractmethod
    def draft(
        self, principal: Principal, conversation: Conversation, send: Send
    ) -> Draft:
        """Turn a `send` into a draft. Raises `RefusedError`. Must not block."""

    @abstractmethod
    async def conversations(self, principal: Principal) -> Sequence[Conversation]:
        """Return the conversations whose heads `welcome` names (a visitor's own).

        The one that goes on comes first.
        """

    @abstractmethod
    async def call(
        self, principal: Principal, method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        """Run a method of the desk. Raises `RefusedError`, `StoreError`."""

    def sees_row(self, sites: frozenset[int], row: Mapping[str, Any]) -> bool:
        """Whether a principal that serves only these sites sees a list's row."""
        return False

    def shows_typing(self, site_id: int) -> bool:
        """Whether agents may see the unsent text of a site's visitors.

        Asked while somebody types: must not block.
        """
        return False

    @abstractmethod
    def may_watch(self, principal: Principal, topic: str) -> bool:
        """Whether the principal may watch this list."""
