"""The archive: every line a record, complete."""

import msgspec

from kefu_core.folding import is_visitor
from kefu_core.model import Conversation, Cursor, Message
from kefu_core.records import PageView, Visit
from kefu_core.types import ParticipantId
from kefu_core.upkeep.persons import facts_of
from kefu_core.upkeep.records import (
    FORMAT,
    VERSION,
    BanFact,
    ConversationRecord,
    CursorRecord,
    EndRecord,
    HeaderRecord,
    MessageRecord,
    PageRecord,
    PersonRecord,
    Record,
    SiteRecord,
    VisitRecord,
)
from kefu_core.upkeep.writing import Heading, Page, Writer

_encode = msgspec.json.Encoder().encode
_TOLD_MAX = 10_000


class JsonLinesWriter(Writer):
    """Writes what `upkeep.importing` reads."""

    wants_profiles = True

    def __init__(self) -> None:
        self._told: set[int | ParticipantId] = set()
        """Sites and agents that have a line already. Visitors are told with each of
        their conversations: remembering all of them would grow with the file."""

    def begin(self, heading: Heading) -> str:
        return _line(
            HeaderRecord(
                format=FORMAT, version=VERSION, epoch=heading.epoch, at=heading.at
            )
        )

    def conversation(self, page: Page) -> str:
        row = page.conversation
        record = ConversationRecord(
            id=row.id,
            site=row.site_id,
            visitor=row.visitor,
            opened_at=row.opened_at,
            last_seq=row.last_seq,
        )
        return self._site(page) + self._people(page, row.visitor) + _line(record)

    def visit(self, visit: Visit, pages: list[PageView]) -> str:
        return _line(
            VisitRecord(
                id=visit.id,
                site=visit.site_id,
                visitor=visit.visitor,
                started_at=visit.started_at,
                last_seen_at=visit.last_seen_at,
                source=visit.referrer,
                browser=visit.user_agent,
                language=visit.language,
                screen=visit.screen,
                pages=[
                    PageRecord(
                        url=page.url, title=page.title, at=page.at, seconds=page.seconds
                    )
                    for page in pages
                ],
            )
        )

    def messages(self, page: Page) -> str:
        return self._people(page) + "".join(
            _line(_message_record(message)) for message in page.messages
        )

    def cursors(self, conversation: Conversation, cursors: list[Cursor]) -> str:
        return "".join(
            _line(
                CursorRecord(
                    conversation=cursor.conversation,
                    participant=cursor.participant,
                    delivered=cursor.delivered,
                    read=cursor.read,
                )
            )
            for cursor in cursors
        )

    def end(self, conversations: int, messages: int) -> str:
        return _line(EndRecord(conversations=conversations, messages=messages))

    def _site(self, page: Page) -> str:
        site = page.site
        if site.id in self._told:
            return ""
        self._told.add(site.id)
        return _line(
            SiteRecord(
                id=site.id,
                name=site.name,
                embed_key=site.embed_key,
                allowed_origins=list(site.allowed_origins),
                locale=site.locale,
                retention_days=site.retention_days,
            )
        )

    def _people(self, page: Page, visitor: ParticipantId | None = None) -> str:
        if len(self._told) > _TOLD_MAX:
            self._told = {page.site.id}
        lines = []
        for person in sorted(page.names.values(), key=lambda person: person.id):
            if is_visitor(person.id):
                is_new = person.id == visitor
            else:
                is_new = person.id not in self._told
                self._told.add(person.id)
            if is_new:
                lines.append(
                    _line(
                        PersonRecord(
                            id=person.id,
                            name=person.name,
                            role=person.role.value,
                            **facts_of(page.profile if person.id == visitor else None),
                            bans=[
                                BanFact(at=ban.created_at, until=ban.expires_at)
                                for ban in (page.bans if person.id == visitor else [])
                            ],
                        )
                    )
                )
        return "".join(lines)


def _message_record(message: Message) -> MessageRecord:
    return MessageRecord(
        conversation=message.conversation,
        seq=message.seq,
        sender=message.sender,
        key=message.key,
        kind=message.kind.value,
        body=message.body,
        at=message.at,
        data=message.data,
        ref=message.ref,
    )


def _line(record: Record) -> str:
    return _encode(record).decode() + "\n"
