"""What a site says by itself: a greeting, "please wait", and that nobody is there.

The problem
-----------
A visitor who waits is to hear something, once; and two nodes, or one that is started
again, must not say it twice or say it to whom an agent has answered just now.

The idea
--------
Each text is a line of the log by the system, of a kind of its own, so it is no answer:
the visitor waits on, and no report counts it. Its key is made of what it is and of the
moment since which the visitor waits; the store takes a key once. Its condition is that
the visitor still waits since then, held at the commit.

This node hears of waits by the commits that it does itself. Those of a node that died
are found by a look at the open conversations, at the start and now and then. What is
long overdue is not said any more: "one moment, please" after a night would be a joke.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from kefu_core.abc.store import Store
from kefu_core.desk.rounds import Rounds
from kefu_core.desk.staffing import Staffing
from kefu_core.desk.visiting import QuotedWord
from kefu_core.errors import Conflict, Invalid
from kefu_core.hours import find_zone, is_open, opens_at
from kefu_core.hub import Hub
from kefu_core.ids import SYSTEM
from kefu_core.languages import nearest
from kefu_core.model import (
    Appended,
    Conversation,
    ConversationStatus,
    Cursor,
    Draft,
    Given,
    MessageKind,
    Site,
)
from kefu_core.records import VisitorProfile
from kefu_core.types import ConversationId, UnixMs

GREETING, WAITING, AWAY, INVITATION = "greeting", "waiting", "away", "invitation"
"""What a line is about, in its `data`, and a site's text is called."""
INTERVAL_S = 1.0
LOOK_INTERVAL_S = 30.0
LATE_MS = 600_000
"""So long after its time a text is not said any more."""
WAITS_MAX = 5_000
"""Conversations that one node looks after; more are left to a look when it has room."""
_LOOK_MAX = 500
_TRIES = 5


class Wait(msgspec.Struct, kw_only=True):
    """A visitor who waits for an answer."""

    site_id: int
    since: UnixMs
    is_looked_at: bool = False
    """Whether somebody is there was asked when it began."""
    is_done: bool = False
    """All that is said in this wait was said, or is too late."""
    tries: int = 0


class Automatic:
    """One node's part in it."""

    def __init__(
        self,
        store: Store,
        staffing: Staffing,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        """Take the store, who knows who is there, and clocks (monotonic s, Unix ms)."""
        self._store = store
        self._staffing = staffing
        self._now = now
        self._now_ms = now_ms
        self._hub: Hub | None = None
        self._waits: dict[ConversationId, Wait] = {}
        self._look_at = float("-inf")
        self._rounds = Rounds("what a site says by itself is said", INTERVAL_S)

    def attach(self, hub: Hub) -> None:
        """Take the hub, through which lines are appended."""
        self._hub = hub
        hub.observers.append(self)

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Note who begins to wait, and who does not any more."""
        if appended.conversation is not None:
            self._note(appended.conversation)

    def message_found(self, repeated: Appended) -> None:
        """Note it as well: nobody was told of it."""
        self.message_committed(repeated)

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing: reading is no waiting."""

    def history_erased(self) -> None:
        """Nothing: who waits, waits still."""

    def _note(self, row: Conversation) -> None:
        if row.waiting_since is None:
            self._waits.pop(row.id, None)
            return
        known = self._waits.get(row.id)
        is_new = known is None or known.since != row.waiting_since
        if is_new and len(self._waits) >= WAITS_MAX:
            # Of those, many were answered on other nodes. Said is said: by their keys.
            self._waits = {k: v for k, v in self._waits.items() if not v.is_done}
        if is_new and (known is not None or len(self._waits) < WAITS_MAX):
            self._waits[row.id] = Wait(site_id=row.site_id, since=row.waiting_since)
            self._rounds.wake()

    # -- the work ----------------------------------------------------------------------

    async def greet(self, row: Conversation) -> Conversation:
        """Begin an empty conversation with its site's greeting; return the row then."""
        site = await self._site(row.site_id)
        if row.last_seq or site is None or not site.settings.talk.greeting:
            return row
        appended = await self._append(row, site, GREETING, "auto-greeting")
        return appended.conversation or row if appended is not None else row

    async def quote(self, row: Conversation, word: QuotedWord | None) -> Conversation:
        """Let a conversation begin with what an agent invited its visitor with.

        Only where it begins, or begins again; return the row then.
        """
        is_beginning = not row.last_seq or row.status is ConversationStatus.CLOSED
        if word is None or not is_beginning or word.site_id != row.site_id:
            return row
        appended = await self._write(
            row,
            word.key,
            word.text,
            {"about": INVITATION, "agent": word.agent},
        )
        return appended.conversation or row if appended is not None else row

    async def run(self) -> None:
        """Say what is due, until cancelled."""
        await self._rounds.run(self.turn)

    async def turn(self) -> None:
        """Say all that is due. Raises `StoreError`."""
        if self._hub is None or self._hub.is_draining:
            return
        if self._now() >= self._look_at:
            await self._look()
            self._look_at = self._now() + LOOK_INTERVAL_S
        due = [each for each in self._waits.items() if not each[1].is_done]
        if not due:
            return
        sites = {site.id: site for site in await self._store.sites()}
        for conversation, wait in due:
            if site := sites.get(wait.site_id):
                await self._look_after(conversation, wait, site)
            else:
                wait.is_done = True

    async def _look(self) -> None:
        """Find waits that nobody told this node of, if a site has a word for them."""
        talks = [site.settings.talk for site in await self._store.sites()]
        if any(talk.waiting or talk.away for talk in talks):
            for row in await self._store.list_open_conversations(limit=_LOOK_MAX):
                self._note(row)

    async def _look_after(
        self, conversation: ConversationId, wait: Wait, site: Site
    ) -> None:
        """Say what is due in one wait."""
        talk = site.settings.talk
        after_ms = talk.waiting_after_s * 1000
        waited = self._now_ms() - wait.since
        if waited > after_ms + LATE_MS or not (talk.away or talk.waiting):
            wait.is_done = True
            return
        is_due = waited >= after_ms
        if wait.is_looked_at and not is_due:
            return
        is_staffed = await self._staffing.is_staffed(site.id)
        wait.is_looked_at = True
        if is_staffed and not is_due:
            return
        about = WAITING if is_staffed else AWAY
        wait.is_done = await self._say(conversation, wait, site, about)

    async def _say(
        self, conversation: ConversationId, wait: Wait, site: Site, about: str
    ) -> bool:
        """Write a line if the visitor still waits; whether the wait is done with."""
        talk = site.settings.talk
        row = await self._store.find_conversation(conversation)
        if row is None or row.waiting_since != wait.since:
            return True
        if not (talk.waiting if about == WAITING else talk.away):
            # Whoever is told nothing now may be told the other later.
            return self._now_ms() - wait.since >= talk.waiting_after_s * 1000
        key = f"auto-{about}-{wait.since}"
        wait.tries += 1
        appended = await self._append(row, site, about, key)
        return appended is not None or wait.tries >= _TRIES

    async def _append(
        self, row: Conversation, site: Site, about: str, key: str
    ) -> Appended | None:
        """Write a text of the site; None if it is not to be written as things are."""
        language = ""
        if site.settings.talk.translations:
            found = await self._store.find_record(VisitorProfile, int(row.visitor[1:]))
            if found is not None:
                language = found.chosen_language or found.language
        body = said(about, site, language, UnixMs(self._now_ms()))
        return await self._write(row, key, body, {"about": about})

    async def _write(
        self, row: Conversation, key: str, body: str, data: dict[str, Any]
    ) -> Appended | None:
        assert self._hub is not None, "used before attach()"
        draft = Draft(
            conversation=row.id,
            sender=SYSTEM,
            key=key,
            kind=MessageKind.AUTO,
            body=body,
            data=data,
            given=Given(
                status=row.status,
                assignee=row.assignee,
                team_id=row.team_id,
                waiting_since=row.waiting_since,
            ),
        )
        try:
            return await self._hub.append(draft)
        except Conflict:
            # It goes on otherwise, or another node has said it in other words.
            return None

    async def _site(self, site_id: int) -> Site | None:
        sites = await self._store.sites()
        return next((site for site in sites if site.id == site_id), None)


def said(about: str, site: Site, language: str, now: UnixMs) -> str:
    """Return what a site says to who reads a language, in that one if it has it."""
    talk = site.settings.talk
    tag = nearest(language, [each.language for each in talk.translations])
    own = [getattr(each, about) for each in talk.translations if each.language == tag]
    return filled(next(filter(None, own), getattr(talk, about)), site, now)


def filled(text: str, site: Site, now: UnixMs) -> str:
    """Return a site's text with `{site}` and `{opens}` put in."""
    values = {"{site}": site.name, "{opens}": _opens(site, now)}
    return re.sub(r"\{(?:site|opens)\}", lambda found: values[found[0]], text)


def _opens(site: Site, now: UnixMs) -> str:
    """Return when it opens next by the clock on its wall; nothing if it is open."""
    hours = site.settings.hours
    opens = None if is_open(hours, now) else opens_at(hours, now)
    if opens is None:
        return ""
    try:
        local = datetime.fromtimestamp(opens / 1000, find_zone(hours.zone))
    except Invalid:
        return ""
    return f"{local:%m-%d %H:%M}"
