"""What a connection asks of the application."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from kefu_core.abc.streams import PeerInfo
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

    @abstractmethod
    async def load_conversation(
        self, principal: Principal, conversation: ConversationId
    ) -> Conversation:
        """Return a conversation the principal may read. Raises `NotFound`.

        The hub keeps the answer while the conversation is followed.
        """

    @abstractmethod
    def draft(
        self, principal: Principal, conversation: Conversation, send: Send
    ) -> Draft:
        """Turn a `send` into a draft. Raises `RefusedError`. Must not block."""

    @abstractmethod
    async def conversations(self, principal: Principal) -> Sequence[Conversation]:
        """Return the conversations whose heads `welcome` names (a visitor's own)."""

    @abstractmethod
    async def call(
        self, principal: Principal, method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        """Run a method of the desk. Raises `RefusedError`, `StoreError`."""

    @abstractmethod
    def may_watch(self, principal: Principal, topic: str) -> bool:
        """Whether the principal may watch this list."""
