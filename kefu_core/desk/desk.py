"""The application that a hub asks: people, permissions, calls and the agents' list."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import anyio
from anyio.abc import TaskGroup

from kefu_core.abc.files import FileStorage, Thumbnailer
from kefu_core.abc.handler import Handler
from kefu_core.abc.outgoing import MailRules
from kefu_core.abc.store import Store
from kefu_core.abc.streams import PeerInfo
from kefu_core.abc.translator import Interpreter, Translations
from kefu_core.desk.access import (
    QUEUE,
    READING,
    WRITING,
    check_scope,
    may_read,
    may_watch,
    readable,
    sees_row,
)
from kefu_core.desk.automatic import Automatic
from kefu_core.desk.bans import Bans
from kefu_core.desk.calls import run_call, scope_of_topic
from kefu_core.desk.drafts import check_send
from kefu_core.desk.files import FilePaces, FileRoom
from kefu_core.desk.inbox import TOPIC, Inbox
from kefu_core.desk.introducing import INTRODUCTIONS_PER_H
from kefu_core.desk.journal import Journal
from kefu_core.desk.left import TOPIC as LEFT
from kefu_core.desk.left import LeftMessages
from kefu_core.desk.letters import Letters
from kefu_core.desk.numbers import conversations_of
from kefu_core.desk.pace import Paces
from kefu_core.desk.people import Met
from kefu_core.desk.places import Places
from kefu_core.desk.presence import Presence
from kefu_core.desk.previews import Previews
from kefu_core.desk.profiles import TOPIC as PROFILES
from kefu_core.desk.profiles import Profiles
from kefu_core.desk.router import Router
from kefu_core.desk.staffing import Staffing
from kefu_core.desk.statistics import DeskStatistics, statistics_of
from kefu_core.desk.trails import Trails
from kefu_core.desk.translating import (
    GLANCES_BURST,
    GLANCES_PER_S,
    PREVIEWS_BURST,
    PREVIEWS_PER_S,
)
from kefu_core.desk.visiting import QuotedWord
from kefu_core.desk.visits import Visits
from kefu_core.errors import NotFound, TooMany
from kefu_core.hub import Hub
from kefu_core.ids import ID_MAX, IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import Conversation, Draft, Principal
from kefu_core.protocol.frames import Send
from kefu_core.types import ConversationId

logger = logging.getLogger(__name__)

NO_MAIL = MailRules()
_TOLD_PER_S, _TOLD_BURST = 0.2, 10

Authenticate = Callable[[str, PeerInfo], Awaitable[Principal]]
Revalidate = Callable[[Principal], Awaitable[bool]]
HashPassword = Callable[[str, str], Awaitable[str]]
ReadInvitation = Callable[[str], QuotedWord | None]
FindRevoked = Callable[[Collection[Principal]], Awaitable[set[Principal]]]


class Desk(Handler):
    """Answers what the hub asks; `attach` it to its hub, then `start` it."""

    def __init__(
        self,
        store: Store,
        authenticate: Authenticate,
        limits: Limits,
        ids: IdGenerator,
        now_ms: Callable[[], int],
        *,
        revalidate: Revalidate,
        find_revoked: FindRevoked | None = None,
        now: Callable[[], float],
        mail: MailRules = NO_MAIL,
        hash_password: HashPassword | None = None,
        storage: FileStorage | None = None,
        thumbnailer: Thumbnailer | None = None,
        read_invitation: ReadInvitation | None = None,
    ) -> None:
        """Take the store, how people are known, and clocks (Unix ms, monotonic s).

        `find_revoked` is left out where logins cannot be ended before their time,
        `mail` where none can be sent, `hash_password` (of a password and its login;
        raises `Invalid`) where accounts are none of the desk's business, `storage`
        where no files are sent, `thumbnailer` where no small pictures are made,
        `read_invitation` (None for a token that is not good) where this node is alone.
        """
        self.store = store
        self.ids = ids
        self.journal = Journal(store, ids, now_ms)
        """Who did what."""
        self.assigning = anyio.Lock()
        """Held from looking at an assignee to the commit of the next one."""
        self.settling = anyio.Lock()
        """Held while a list of settings is looked at and added to."""
        self.opening = anyio.Lock()
        """Held from looking for a visitor's conversation to having one."""
        per_h = limits.new_conversations_per_h
        self.openings = Paces(per_h / 3600, per_h, now)
        per_h = limits.new_conversations_per_address_h
        self.openings_of_address = Paces(per_h / 3600, per_h, now)
        self.introductions = Paces(INTRODUCTIONS_PER_H / 3600, INTRODUCTIONS_PER_H, now)
        self._told = Paces(_TOLD_PER_S, _TOLD_BURST, now)
        """Lines in the log about one participant's reaching for what is not theirs."""
        self._authenticate = authenticate
        self._revalidate = revalidate
        self._find_revoked = find_revoked
        self.mail = mail
        self.read_invitation = read_invitation
        self.hash_password = hash_password
        self.letters = Letters(limits, now)
        self.left = LeftMessages(store, limits, now)
        self.staffing = Staffing(store, now, now_ms)
        self.presence = Presence(store, limits, now, now_ms)
        self.router = Router(store, self.presence, ids, now_ms)
        self.places = Places(store)
        self.previews = Previews(store)
        self.automatic = Automatic(store, self.staffing, now, now_ms)
        self.profiles = Profiles()
        self.met = Met(store)
        self.bans = Bans(store, now_ms, limits.revocation_check_s)
        self.visits = Visits(limits, now, now_ms)
        self.trails = Trails(store, self.visits, ids, now_ms)
        self.limits = limits
        self.now_ms = now_ms
        self._visitors = Paces(
            limits.visitor_messages_per_s, limits.visitor_messages_burst, now
        )
        self._agents = Paces(
            limits.agent_messages_per_s, limits.agent_messages_burst, now
        )
        self.file_paces = FilePaces(limits, now)
        self.files = (
            FileRoom(self, storage, thumbnailer) if storage is not None else None
        )
        self.translations: Translations | None = None
        """All services that translate; the node sets it where it has any."""
        self.interpreter: Interpreter | None = None
        """What translates; the node sets it where it has services for it."""
        self.translation_previews, self.translation_glances = (
            Paces(PREVIEWS_PER_S, PREVIEWS_BURST, now),
            Paces(GLANCES_PER_S, GLANCES_BURST, now),
        )
        self._hub: Hub | None = None
        self._inbox: Inbox | None = None

    def attach(self, hub: Hub) -> None:
        """Take the hub, before anything is served."""
        self._hub = hub
        self._inbox = Inbox(self.store, self.limits, hub.lists.topic(TOPIC))
        hub.observers.append(self._inbox)
        self.left.attach(hub.lists.topic(LEFT))
        self.profiles.attach(hub.lists.topic(PROFILES))
        self.staffing.attach(hub)
        self.presence.attach(hub)
        self.router.attach(hub)
        self.places.attach(hub)
        self.automatic.attach(hub)
        self.bans.attach(hub)
        self.visits.attach(hub, TOPIC)
        hub.observers.append(self.trails)

    async def start(self, tasks: TaskGroup) -> None:
        """Load the agents' list; keep it up in `tasks`. Raises `StoreUnavailable`."""
        await self.inbox.load()
        await self.left.load()
        await self.staffing.load()
        await self.presence.load()
        await self.previews.load()
        await self.bans.load()
        tasks.start_soon(self.inbox.run)
        tasks.start_soon(self.left.run)
        tasks.start_soon(self.staffing.run)
        tasks.start_soon(self.presence.run)
        tasks.start_soon(self.router.run)
        tasks.start_soon(self.places.run)
        tasks.start_soon(self.automatic.run)
        tasks.start_soon(self.previews.run)
        tasks.start_soon(self.bans.run)
        tasks.start_soon(self.visits.run)
        tasks.start_soon(self.trails.run)

    @property
    def hub(self) -> Hub:
        """The hub this desk is attached to."""
        assert self._hub is not None, "used before attach()"
        return self._hub

    async def statistics(self) -> DeskStatistics:
        """Return who is there, who waits and who is answered. Raises nothing."""
        return await statistics_of(self)

    @property
    def inbox(self) -> Inbox:
        """The agents' list."""
        assert self._inbox is not None, "used before attach()"
        return self._inbox

    # -- who ---------------------------------------------------------------------------

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        principal = await self._authenticate(token, peer)
        self.bans.check(principal)
        return principal

    async def find_revoked(self, agents: Collection[Principal]) -> set[Principal]:
        return await self._find_revoked(agents) if self._find_revoked else set()

    async def revalidate(self, principal: Principal) -> bool:
        expires_at_ms = principal.expires_at_ms
        if expires_at_ms and expires_at_ms <= self.now_ms():
            return False
        return await self._revalidate(principal)

    # -- what they may see -------------------------------------------------------------

    async def load_conversation(
        self, principal: Principal, conversation: ConversationId
    ) -> Conversation:
        check_scope(principal, READING)
        return await self.find_readable(principal, conversation)

    async def find_readable(self, principal: Principal, number: int) -> Conversation:
        """Return a conversation as it is now. Raises `NotFound`."""
        # A number that no id can have never reaches the database, which may choke.
        row = (
            await self.store.find_conversation(ConversationId(number))
            if 0 < number <= ID_MAX
            else None
        )
        try:
            return readable(principal, row)
        except NotFound:
            # The answer tells nobody that it exists; the log may tell the operator.
            if row is not None and not self._told.take(principal.participant):
                who = principal.participant
                logger.warning("refused who=%s conversation=%d", who, row.id)
            raise

    async def load_conversations(
        self, principal: Principal, conversations: Collection[ConversationId]
    ) -> Sequence[Conversation]:
        if not principal.has_scope(READING):
            return []
        possible = [number for number in conversations if 0 < number <= ID_MAX]
        rows = await self.store.conversations_by_id(possible)
        return [row for row in rows.values() if may_read(principal, row)]

    async def conversations(self, principal: Principal) -> Sequence[Conversation]:
        if principal.is_agent:
            return []
        rows = await conversations_of(self.store, principal.numbers)
        return [row for row in rows if may_read(principal, row)]

    def may_watch(self, principal: Principal, topic: str) -> bool:
        may = may_watch(principal, topic) and principal.has_scope(scope_of_topic(topic))
        if may and topic.startswith(QUEUE):
            self.places.begin(topic, principal)
        return may

    def shows_typing(self, site_id: int) -> bool:
        return self.previews.shows(site_id)

    def sees_row(self, sites: frozenset[int], row: Mapping[str, Any]) -> bool:
        return sees_row(sites, row)

    # -- what they may do --------------------------------------------------------------

    def draft(
        self, principal: Principal, conversation: Conversation, send: Send
    ) -> Draft:
        check_scope(principal, WRITING)
        self.bans.check(principal)
        check_send(principal, conversation, send, self.limits)
        self.count_write(principal)
        return Draft(
            conversation=conversation.id,
            sender=principal.name_in(conversation.visitor),
            key=send.key,
            kind=send.kind,
            body=send.body,
            data=send.data,
            ref=send.ref,
        )

    def count_write(self, principal: Principal) -> None:
        """Count what somebody writes into a log. Raises `TooMany`."""
        paces = self._agents if principal.is_agent else self._visitors
        wait_s = paces.take(principal.participant)
        if wait_s:
            raise TooMany("You are writing too fast.", retry_after_s=wait_s)

    async def call(
        self, principal: Principal, method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        self.bans.check(principal)
        return await run_call(self, principal, method, params)
