"""Who is on the sites now: a table in memory, and the list `visitors` made of it.

Pages report over HTTP; a visitor who does not report any more is gone when its lease
ends. It is an event-like thing: nothing is stored, a restart forgets it, and the pages
have told it anew a few seconds later.

A thousand visitors who change pages all the time must cost little, so a change only
marks its row. Rows that are marked are told in the order in which they were, at most
`TOLD_MAX` every `INTERVAL_S`; a row that has changed five times until its turn is told
once. Who talks to an agent, or waits for one, is looked up in the agents' list.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import msgspec

from kefu_core.desk.inviting import Facts, find_rule, wait_s
from kefu_core.desk.pace import Paces
from kefu_core.desk.rounds import Rounds
from kefu_core.desk.rows import visitor_name
from kefu_core.desk.visiting import (
    SHOWN_CHARS,
    TITLE_CHARS,
    Answered,
    Invitation,
    InvitationReply,
    QuotedWord,
    Report,
    browser_of,
    clean_url,
    one_line,
    source_of,
)
from kefu_core.errors import Conflict, TooMany
from kefu_core.hub import Hub
from kefu_core.hub.lists import WatchedList
from kefu_core.ids import visitor_participant
from kefu_core.limits import Limits
from kefu_core.model import ConversationStatus, Site
from kefu_core.types import ParticipantId, UnixMs

TOPIC = "visitors"
INTERVAL_S = 0.25
TOLD_MAX = 64
"""Rows told in one interval; an agent's outbox has room for four times as many."""
LEFT_S = 6.0
"""Who leaves a page has so long to show the next one."""
HIDDEN_LEASES = 4.0
"""A page that is not looked at may report so much less often: browsers hold it back."""
TRAIL_MAX = 30
_REPORTS_PER_S, _REPORTS_BURST = 1.0, 20
_REPORTS_A_LEASE = 3
"""A report that is lost, or comes late, takes nobody away."""
_SOONEST_S, _REPORTS_S = 4.0, 20
"""An invitation is shown with the next report, so pages report as often as this while
an agent looks on, and all of them together not above so many a second for that."""
_OPEN = (ConversationStatus.QUEUED.value, ConversationStatus.ACTIVE.value)


class SeenPage(msgspec.Struct, kw_only=True):
    """One page of a visit."""

    url: str
    title: str
    at: UnixMs
    seconds: int = 0
    """How long it was shown; of the last one: until now."""
    kept_id: int = 0
    """The id of its record, 0 while there is none."""
    kept_seconds: int = -1


class Visit:
    """What is known of one visitor at this moment."""

    def __init__(self, visitor: int, site_id: int, address: str, at: UnixMs) -> None:
        self.visitor = visitor
        self.site_id = site_id
        self.names: tuple[ParticipantId, ...] = (visitor_participant(visitor),)
        """All numbers of the visitor, as far as they are known."""
        self.address = address
        self.since = at
        self.page = ""
        """Which tab and loading tells."""
        self.pages = 0
        self.trail: deque[SeenPage] = deque(maxlen=TRAIL_MAX)
        self.source = self.browser = self.language = self.screen = ""
        self.is_hidden = self.is_returning = self.is_leaving = False
        self.has_refused = False
        self.invitation: Invitation | None = None
        self.word: QuotedWord | None = None
        """What an agent asked it with in own words, and it has read."""
        self.has_acted = False
        """It had a conversation: the trail is kept."""
        self.kept_id = self.kept_pages = 0
        self.kept_mark: Any = None
        """What was stored last, as far as it changes."""
        self.lease_until = 0.0
        """Monotonic seconds."""

    @property
    def participant(self) -> ParticipantId:
        """Who it is in the chat."""
        return visitor_participant(self.visitor)

    def quoted(self, invitation: Invitation | None) -> QuotedWord | None:
        """Return what of an invitation a conversation may begin with: an agent's words.

        What a rule or the widget says is not said again.
        """
        if invitation is None or not invitation.agent or not invitation.text:
            return None
        return QuotedWord(
            visitor=self.visitor,
            site_id=self.site_id,
            since=self.since,
            id=invitation.id,
            agent=invitation.agent,
            text=invitation.text,
        )


class Visits:
    """The table; `report` changes it, `run` tells of it."""

    def __init__(
        self, limits: Limits, now: Callable[[], float], now_ms: Callable[[], int]
    ) -> None:
        """Take clocks (monotonic s, Unix ms)."""
        self._limits = limits
        self._now = now
        self._now_ms = now_ms
        self._topic = WatchedList(TOPIC)
        self._conversations = WatchedList("")
        self._seen_version = -1
        self._visits: dict[int, Visit] = {}
        self._of_address: Counter[str] = Counter()
        self._marked: dict[int, None] = {}
        self._talks: dict[str, dict[str, Any]] = {}
        """The open conversation of each visitor who has one, by participant."""
        self._aliases: dict[str, int] = {}
        """Whose visit it is that has more numbers than its own, by those."""
        self._expired_at = 0.0
        self._invited = 0
        self.ended: deque[Visit] = deque(maxlen=limits.visits_max)
        """Visits that are over and whose last page was not kept yet."""
        self._paces = Paces(_REPORTS_PER_S, _REPORTS_BURST, now)
        self._addresses = Paces(
            limits.address_visits_per_s, limits.address_visits_burst, now
        )

    def attach(self, hub: Hub, conversations: str) -> None:
        """Take the hub, for the list agents watch and that of conversations."""
        self._topic = hub.lists.topic(TOPIC)
        self._conversations = hub.lists.topic(conversations)

    # -- what pages tell ---------------------------------------------------------------

    def count_request(self, address: str) -> None:
        """Let an address report. Raises `TooMany`."""
        wait_s = self._addresses.take(address)
        if wait_s:
            raise TooMany("Too many requests from this address.", retry_after_s=wait_s)

    def report(
        self,
        site_id: int,
        visitor: int,
        report: Report,
        *,
        address: str = "",
        user_agent: str = "",
    ) -> Visit | None:
        """Take what a page says.

        Returns:
            The visit; None where there is no room for one more, or none to leave.

        Raises:
            TooMany: This visitor reports too often.
        """
        wait_s = self._paces.take(str(visitor))
        if wait_s:
            raise TooMany("This page reports too often.", retry_after_s=wait_s)
        visit = self._visits.get(visitor)
        if report.has_left:
            return self._left(visit, report)
        if visit is not None and visit.site_id != site_id:
            self._drop(visit)
            visit = None
        if visit is None:
            visit = self._begin(site_id, visitor, report, address)
            if visit is None:
                return None
        leases = HIDDEN_LEASES if report.is_hidden else 1.0
        lease_until = self._now() + leases * self._limits.visit_lease_s
        visit.lease_until = max(lease_until, visit.lease_until)
        visit.browser = browser_of(user_agent)
        visit.has_refused |= report.has_refused
        if report.invitation is not None:
            self._answered(visit, report.invitation)
        # Of several tabs the one that is looked at says where the visitor is; when it
        # is closed, any other.
        is_here = report.page == visit.page or not report.is_hidden
        if is_here or visit.is_leaving or not visit.page:
            visit.lease_until = lease_until
            self._look(visit, report)
        self._marked[visitor] = None
        return visit

    def _begin(
        self, site_id: int, visitor: int, report: Report, address: str
    ) -> Visit | None:
        is_full = len(self._visits) >= self._limits.visits_max
        if is_full or self._of_address[address] >= self._limits.address_visits_max:
            return None
        visit = Visit(visitor, site_id, address, UnixMs(self._now_ms()))
        visit.source = source_of(report.referrer, report.url)
        # Who comes back to an open conversation need not wait for the next message.
        visit.has_acted = bool(self._talk_of(visit))
        self._visits[visitor] = visit
        self._of_address[address] += 1
        return visit

    def _look(self, visit: Visit, report: Report) -> None:
        now = UnixMs(self._now_ms())
        url = clean_url(report.url)
        title = one_line(report.title, 2 * TITLE_CHARS)
        last = visit.trail[-1] if visit.trail else None
        if last is None or last.url != url or report.page != visit.page:
            if last is not None:
                last.seconds = (now - last.at) // 1000
            # The same page loaded again is the same page of the trail.
            if last is None or last.url != url:
                visit.trail.append(SeenPage(url=url, title=title, at=now))
                visit.pages += 1
        visit.trail[-1].title = title
        visit.page = report.page
        visit.language = one_line(report.language, 16)
        visit.screen = one_line(report.screen, 16)
        visit.is_hidden = report.is_hidden
        visit.is_returning = report.is_returning
        visit.is_leaving = False

    def named(self, visitor: int, names: tuple[ParticipantId, ...]) -> None:
        """Take what numbers a visitor has."""
        visit = self._visits.get(visitor)
        if visit is None or names == visit.names:
            return
        visit.names = names
        self._aliases |= {name: visitor for name in names if name != visit.participant}
        visit.has_acted |= bool(self._talk_of(visit))
        self._marked[visitor] = None

    def _answered(self, visit: Visit, reply: InvitationReply) -> None:
        """Take what the visitor did with an invitation; the first answer stays."""
        invitation = visit.invitation
        if invitation is None or invitation.id != reply.id or not invitation.is_open:
            return
        invitation.state = reply.state
        if reply.state is Answered.REFUSED:
            visit.word = None
        elif reply.state is not Answered.SENT:
            visit.word = visit.quoted(invitation) or visit.word
        visit.has_refused |= reply.state is Answered.REFUSED

    def _left(self, visit: Visit | None, report: Report) -> Visit | None:
        if visit is not None and visit.page == report.page:
            visit.is_leaving = True
            visit.lease_until = self._now() + LEFT_S
        return visit

    # -- inviting --------------------------------------------------------------------

    def invite(
        self,
        visit: Visit,
        text: str,
        *,
        name: str,
        by: str,
        agent: ParticipantId | None = None,
    ) -> Invitation:
        """Ask a visitor into the chat; the page hears of it with its next report.

        Raises:
            Conflict: It has refused before, or talks already.
        """
        if visit.has_refused:
            raise Conflict("This visitor does not want to be invited.")
        if self._talk_of(visit):
            raise Conflict("This visitor is in the chat already.")
        self._invited += 1
        visit.invitation = Invitation(
            id=self._invited, text=text, name=name, by=by, agent=agent
        )
        self._marked[visit.visitor] = None
        return visit.invitation

    def look_at_rules(self, visit: Visit, site: Site) -> float | None:
        """Invite a visitor whom a rule of the site names, once in a visit.

        Returns:
            After how long to look again, if the visitor stays; None: no matter when.
        """
        is_settled = visit.has_refused or visit.invitation is not None
        if is_settled or visit.is_hidden or self._talk_of(visit):
            return None
        page, rules = visit.trail[-1], site.settings.watching.rules
        facts = Facts(
            url=page.url,
            on_page_s=(self._now_ms() - page.at) / 1000,
            pages=visit.pages,
            is_returning=visit.is_returning,
        )
        rule = find_rule(rules, facts)
        if rule is None:
            return wait_s(rules, facts)
        self.invite(visit, rule.text, name=site.name, by=rule.name)
        return None

    def invitation_for(self, visit: Visit) -> Invitation | None:
        """Return what the page is to show."""
        invitation = visit.invitation
        if invitation is None or not invitation.is_open or self._talk_of(visit):
            return None
        return None if visit.has_refused else invitation

    @property
    def every_s(self) -> float:
        """How often pages are to report: soon where few are and an agent looks on."""
        slowest = self._limits.visit_lease_s / _REPORTS_A_LEASE
        if not self._topic.watcher_count:
            return slowest
        return min(slowest, max(_SOONEST_S, len(self._visits) / _REPORTS_S))

    # -- what agents see -------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Return everybody's row, as the list has them."""
        return [self._row(visit) for visit in self._visits.values()]

    def find(self, visitor: int) -> Visit | None:
        """Return who is here."""
        return self._visits.get(visitor)

    def acting(self) -> list[Visit]:
        """Return those whose pages are to be kept, those who have left among them."""
        return [*self.ended, *(v for v in self._visits.values() if v.has_acted)]

    def trail(self, visit: Visit) -> list[SeenPage]:
        """Return the pages of a visit, the last with its time until now."""
        *before, last = visit.trail
        seconds = max(0, (self._now_ms() - last.at) // 1000)
        return [*before, msgspec.structs.replace(last, seconds=seconds)]

    def _row(self, visit: Visit) -> dict[str, Any]:
        page = visit.trail[-1]
        talk = self._talk_of(visit)
        invitation = visit.invitation
        return {
            "id": visit.visitor,
            "site_id": visit.site_id,
            "visitor": visit.participant,
            "name": talk.get("name") or visitor_name(visit.participant),
            "url": one_line(page.url, SHOWN_CHARS),
            "title": one_line(page.title, TITLE_CHARS),
            "at": page.at,
            "since": visit.since,
            "pages": visit.pages,
            "source": visit.source,
            "browser": visit.browser,
            "language": visit.language,
            "screen": visit.screen,
            "is_hidden": visit.is_hidden,
            "is_returning": visit.is_returning,
            "conversation": talk.get("conversation"),
            "status": talk.get("status", ""),
            "assignee": talk.get("assignee"),
            "place": talk.get("place"),
            "invitation": invitation.state.value if invitation else "",
            "invited_by": invitation.by if invitation else "",
            "has_refused": visit.has_refused,
        }

    def _talk_of(self, visit: Visit) -> dict[str, Any]:
        talks = [self._talks.get(name, {}) for name in visit.names]
        return next((t for t in talks if t.get("site_id") == visit.site_id), {})

    # -- telling it --------------------------------------------------------------------

    async def run(self) -> None:
        """Tell those who watch, until cancelled."""
        await Rounds("who is on the pages is told", INTERVAL_S).run(self._round)

    async def _round(self) -> None:
        self.tell()

    def tell(self) -> None:
        """Do one interval's work."""
        now = self._now()
        if now - self._expired_at >= 1.0:
            self._expired_at = now
            for visit in [v for v in self._visits.values() if v.lease_until <= now]:
                self._drop(visit)
        self._look_who_talks()
        for visitor in list(self._marked)[:TOLD_MAX]:
            del self._marked[visitor]
            self._topic.put(self._row(self._visits[visitor]))

    def _drop(self, visit: Visit) -> None:
        if visit.has_acted:
            last = visit.trail[-1]
            last.seconds = max(0, (self._now_ms() - last.at) // 1000)
            visit.kept_mark = None
            self.ended.append(visit)
        for name in visit.names:
            self._aliases.pop(name, None)
        del self._visits[visit.visitor]
        self._marked.pop(visit.visitor, None)
        self._of_address[visit.address] -= 1
        if not self._of_address[visit.address]:
            del self._of_address[visit.address]
        self._topic.drop(visit.visitor)

    def _look_who_talks(self) -> None:
        """Mark the rows of those whose conversation has changed."""
        if not self._visits or self._conversations.version == self._seen_version:
            return
        self._seen_version = self._conversations.version
        talks = talks_of(list(self._conversations.rows.values()))
        for who in talks.keys() | self._talks.keys():
            number = self._aliases.get(who, int(who[1:]))
            if talks.get(who) != self._talks.get(who) and number in self._visits:
                self._marked[number] = None
        self._talks = talks
        for visit in self._visits.values():
            visit.has_acted |= bool(self._talk_of(visit))


def talks_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each visitor's open conversation, with its place where it waits."""
    talks: dict[str, dict[str, Any]] = {}
    counts: Counter[tuple[int, int]] = Counter()
    is_open = [row for row in rows if row["status"] in _OPEN]
    for row in sorted(is_open, key=lambda row: (row["queued_at"], row["id"])):
        place = None
        if row["status"] == ConversationStatus.QUEUED.value:
            # Whoever waits for another team is not ahead.
            group = row["site_id"], row["team_id"]
            counts[group] += 1
            place = counts[group]
        talks[row["visitor"]] = {
            "site_id": row["site_id"],
            "name": row["visitor_name"],
            "conversation": row["id"],
            "status": row["status"],
            "assignee": row["assignee"],
            "place": place,
        }
    return talks
