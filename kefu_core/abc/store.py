"""What a store promises: the log, and the people around it."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence

import msgspec

from kefu_core.abc.archive import Archive
from kefu_core.abc.records import Records
from kefu_core.abc.upkeep import Upkeep
from kefu_core.counts import HistogramValue
from kefu_core.errors import KefuError
from kefu_core.model import (
    Agent,
    AgentSession,
    Appended,
    Arrival,
    Conversation,
    Cursor,
    Draft,
    Message,
    Person,
    Site,
)
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

Outcome = Appended | KefuError


class PendingAppend:
    """A draft on its way into the log.

    `done` is called exactly once, from the event loop, never from inside `submit`, in
    the order in which a conversation's messages were committed (several conversations
    may be committed at once); it must not raise and must not block.
    """

    __slots__ = ("done", "draft", "patience_s", "size", "submitted_at", "void")

    def __init__(
        self,
        draft: Draft,
        done: Callable[["PendingAppend", Outcome], None],
        *,
        size: int,
        submitted_at: float,
        patience_s: float = 0.0,
    ) -> None:
        self.draft = draft
        self.done = done
        self.size = size
        """Approximate bytes, for the limits of the queue."""
        self.submitted_at = submitted_at
        """Monotonic seconds, for the longest wait."""
        self.patience_s = patience_s
        """So long it may wait to be committed with something that does not wait: a
        transaction of its own would hold up whoever comes meanwhile."""
        self.void = False
        """Set by the submitter before the append is taken into a transaction: an
        earlier message of the same sender failed, so this one must not be stored
        (G14). It is answered with `OutOfOrder`."""


class StoreStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a store is doing now."""

    appends_waiting: int
    bytes_waiting: int
    commits: int
    messages: int
    """Stored by this process."""
    commit_messages: HistogramValue
    """How many messages a transaction held."""
    commit_s: HistogramValue
    """How long a transaction with messages took, with what was tried again."""
    reads: int
    """Reading connections in use."""


class Store(Archive, Upkeep, Records):
    """Durable state of one installation. `async with store:` opens and closes it.

    Guarantees: G1 (`done` with `Appended` only after the commit), G2, G3, G11 (a
    caller that is cancelled leaves the whole message or none of it, and never a
    connection in doubt), and that `at` never decreases along seq.
    """

    @abstractmethod
    async def __aenter__(self) -> "Store":
        """Open. Raises `ConfigurationError` or `StoreUnavailable`."""

    @abstractmethod
    async def __aexit__(self, *exc_info: object) -> None:
        """Commit or refuse what waits, then close. Bounded in time."""

    # -- the log -------------------------------------------------------------------

    @abstractmethod
    def submit(self, append: PendingAppend) -> None:
        """Queue one message for the next transaction (group commit).

        Raises:
            Busy: The queue is full; `done` will not be called.
            StoreUnavailable: The store is closing; `done` will not be called.
        """

    @abstractmethod
    async def append(self, draft: Draft) -> Appended:
        """Store one message and wait for it: `submit` for those outside the hub.

        Raises:
            NotFound: No such conversation. Conflict: the key has other content.
            Invalid: The database refuses the content. Busy, StoreUnavailable: nothing
            was stored, sending again with the same key is safe.

        Cancellation: the message is stored whole or not at all (G11).
        """

    @abstractmethod
    async def history(
        self,
        conversation: ConversationId,
        *,
        after: Seq | None = None,
        before: Seq | None = None,
        limit: int = 100,
    ) -> list[Message]:
        """Return messages in ascending seq order, contiguous, by keyset.

        With `after`: the first `limit` beyond it. With `before` (or neither): the last
        `limit` below it. Both given: `ValueError`. An unknown conversation is empty.
        """

    @abstractmethod
    async def heads(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, Seq]:
        """Return the last seq of each of these that exists."""

    # -- conversations -------------------------------------------------------------

    @abstractmethod
    async def find_conversation(
        self, conversation: ConversationId
    ) -> Conversation | None:
        """Return one conversation's row."""

    @abstractmethod
    async def conversations_by_id(
        self, conversations: Collection[ConversationId]
    ) -> dict[ConversationId, Conversation]:
        """Return the rows of those of these that exist, as after this call."""

    @abstractmethod
    async def open_conversation(self, site_id: int, visitor: Person) -> Conversation:
        """Return the visitor's newest conversation on this site, creating both if new.

        Idempotent: concurrent calls give the same conversation. Raises `NotFound` for
        an unknown site.
        """

    @abstractmethod
    async def conversations_of_visitor(
        self, visitor: ParticipantId, *, limit: int = 50
    ) -> list[Conversation]:
        """Return a visitor's conversations, newest activity first; at most 50."""

    @abstractmethod
    async def list_open_conversations(self, *, limit: int) -> list[Conversation]:
        """Return queued and active conversations, oldest waiting first."""

    @abstractmethod
    async def list_queued(
        self, *, after: tuple[UnixMs, ConversationId] | None = None, limit: int
    ) -> list[Conversation]:
        """Return those that wait in the queue, the longest waiting first.

        One in which nobody has written anything does not wait. `after` is `queued_at`
        and id of the last of the page before.
        """

    @abstractmethod
    async def list_answered(
        self, assignee: ParticipantId, *, limit: int
    ) -> list[Conversation]:
        """Return the active conversations of an agent, in the order of their ids."""

    @abstractmethod
    async def count_answered(self) -> dict[ParticipantId, int]:
        """Return how many active conversations each agent has who has any."""

    @abstractmethod
    async def count_unread(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, int]:
        """Return how many visitor texts lie beyond what any agent has read."""

    # -- cursors -------------------------------------------------------------------

    @abstractmethod
    async def advance_cursors(
        self, cursors: Sequence[Cursor], arrivals: Sequence[Arrival] = ()
    ) -> None:
        """Raise stored cursors to these (each the maximum of old and new).

        Args:
            cursors: What was heard.
            arrivals: When, of those that may have risen over messages older than
                `LATE_MS`. Which did is found in the log and kept, for
                `Upkeep.late_deliveries`; nothing is late of what is not named here.
        """

    @abstractmethod
    async def cursors(self, *conversations: ConversationId) -> list[Cursor]:
        """Return all participants' cursors of these conversations."""

    # -- people and sites ----------------------------------------------------------

    @abstractmethod
    async def people(self, ids: Sequence[ParticipantId]) -> list[Person]:
        """Return what is known of these participants; unknown ones are left out."""

    @abstractmethod
    async def find_site(self, embed_key: str) -> Site | None:
        """Return the site with this embed key."""

    @abstractmethod
    async def sites(self) -> list[Site]:
        """Return all sites by id."""

    @abstractmethod
    async def put_site(self, site: Site) -> None:
        """Create or replace a site."""

    @abstractmethod
    async def change_site(
        self, site_id: int, change: Callable[[Site], Site]
    ) -> Site | None:
        """Replace a site by what `change` makes of it; returns that, None for none.

        Two changes at once, on whichever nodes, come one after the other, so neither
        takes the other back. `change` may be asked again; what it raises is raised,
        and nothing is changed.
        """

    @abstractmethod
    async def find_agent(
        self, *, login: str | None = None, agent_id: int | None = None
    ) -> Agent | None:
        """Return an agent by login (case-folded) or id."""

    @abstractmethod
    async def agents(self) -> list[Agent]:
        """Return all agents by id."""

    @abstractmethod
    async def put_agent(self, agent: Agent) -> None:
        """Create or replace an agent. Raises `Conflict` when the login is taken."""

    @abstractmethod
    async def renew_presence(
        self, agents: Collection[int], *, until: UnixMs, now: UnixMs
    ) -> None:
        """Let these agents' leases end no earlier than `until`, in one transaction.

        Whoever has no presence yet begins as online; what was chosen stays chosen.
        """

    @abstractmethod
    async def find_agent_session(self, token_hash: str) -> AgentSession | None:
        """Return a login session."""

    @abstractmethod
    async def sessions_of_agent(self, agent_id: int) -> list[AgentSession]:
        """Return an agent's login sessions, the oldest first."""

    @abstractmethod
    async def live_agent_sessions(self, token_hashes: Sequence[str]) -> set[str]:
        """Return which of these login sessions exist and belong to an active agent."""

    @abstractmethod
    async def touch_agent_session(self, token_hash: str, at: UnixMs) -> bool:
        """Note that a login session was used; False if it has been deleted."""

    @abstractmethod
    async def put_agent_session(self, session: AgentSession) -> None:
        """Create or replace a login session."""

    @abstractmethod
    async def delete_agent_sessions(
        self, *, token_hash: str | None = None, agent_id: int | None = None
    ) -> None:
        """End one login session, or all of an agent's."""

    # -- the installation ----------------------------------------------------------

    @property
    @abstractmethod
    def epoch(self) -> str:
        """Random name of this history (G13); known once the store is open."""

    @abstractmethod
    async def ping(self) -> None:
        """Do one cheap read. Raises `StoreUnavailable`."""

    @abstractmethod
    async def problems(self) -> list[str]:
        """Return what keeps this store from keeping its promise, each with its fix.

        Reads the settings in force: of durability, isolation, versions and clocks.
        Raises `StoreUnavailable`.
        """

    @abstractmethod
    def statistics(self) -> StoreStatistics:
        """Return what the store is doing now."""
