"""A page for reading and printing: one file that loads and runs nothing."""

from datetime import tzinfo
from html import escape

from kefu_core.model import (
    CONTENT_KINDS,
    EDIT_KINDS,
    INTERNAL_KINDS,
    Conversation,
    Cursor,
    Message,
    MessageKind,
)
from kefu_core.types import ParticipantId, UnixMs
from kefu_core.upkeep.csv_table import local_time
from kefu_core.upkeep.writing import Heading, Page, Writer

# Whatever got past the escaping could still load nothing and run nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
_STYLE = """
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;color:#1d2433;
max-width:48rem;margin:2rem auto;padding:0 1rem}
h2{font-size:1rem;margin:2.5rem 0 .5rem;padding-top:1rem;border-top:1px solid #c8ced9}
h2 small,time,.line{color:#5b6475;font-weight:400;font-size:.85rem}
article{margin:.5rem 0;padding:.5rem .75rem;border-radius:.5rem;background:#eef1f6}
article.agent{background:#e3f0ff;margin-inline-start:3rem}
article.note{background:#fff4d6;margin-inline-start:3rem}
article p{margin:.25rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere}
.line{text-align:center;margin:.75rem 0}
@media print{article{break-inside:avoid}}
"""
_WORDS = {
    "en": {
        "title": "Conversations",
        "written": "Written",
        "visitor": "Visitor",
        "site": "site",
        "note": "internal note",
        "erased": "The text has been erased.",
        "assignment": "Assigned to",
        "queued": "Back in the queue",
        "close": "Closed",
        "reopen": "Reopened",
        "labels": "Labels:",
        "none": "none",
        "rating": "Rating:",
        "recall": "Took a message back",
        "edit": "edited, now reads",
        "translation": "translation",
        "untranslated": "The translation failed.",
        "translating": "Switched translations on",
        "not translating": "Switched translations off",
        "unknown": "An entry that cannot be shown.",
        "total": "{0} conversations, {1} messages",
    },
    "zh-CN": {
        "title": "会话记录",
        "written": "导出时间",
        "visitor": "访客",
        "site": "站点",
        "note": "内部备注",
        "erased": "内容已删除。",
        "assignment": "已分配给",
        "queued": "已回到队列",
        "close": "会话已关闭",
        "reopen": "会话已重新打开",
        "labels": "标签:",
        "none": "无",
        "rating": "评价:",
        "recall": "撤回了一条消息",
        "edit": "已编辑为",
        "translation": "译文",
        "untranslated": "翻译失败。",
        "translating": "开启了翻译",
        "not translating": "关闭了翻译",
        "unknown": "无法显示的记录。",
        "total": "共 {0} 个会话,{1} 条消息",
    },
}


class HtmlWriter(Writer):
    """Writes one self-contained page."""

    def __init__(self, tz: tzinfo | None, language: str) -> None:
        self._tz = tz
        self._language = language if language in _WORDS else "en"
        self._words = _WORDS[self._language]

    def begin(self, heading: Heading) -> str:
        words = self._words
        return (
            f'<!DOCTYPE html>\n<html lang="{self._language}">\n<head>\n'
            '<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="referrer" content="no-referrer">\n'
            '<meta name="viewport" content="width=device-width">\n'
            f"<title>{words['title']}</title>\n<style>{_STYLE}</style>\n"
            f"</head>\n<body>\n<h1>{words['title']}</h1>\n"
            f'<p class="line">{words["written"]} {self._time(heading.at)}</p>\n'
        )

    def conversation(self, page: Page) -> str:
        row = page.conversation
        visitor = self._name(page, row.visitor)
        return (
            f'<h2 id="c{row.id}">{self._words["visitor"]} {visitor} '
            f"<small>{self._words['site']} {_text(page.site.name)} · "
            f"#{row.id} · {self._time(row.opened_at)}</small></h2>\n"
        )

    def messages(self, page: Page) -> str:
        return "".join(self._message(page, message) for message in page.messages)

    def cursors(self, conversation: Conversation, cursors: list[Cursor]) -> str:
        return ""

    def end(self, conversations: int, messages: int) -> str:
        total = self._words["total"].format(conversations, messages)
        return f'<p class="line">{total}</p>\n</body>\n</html>\n'

    def _message(self, page: Page, message: Message) -> str:
        was = (message.data or {}).get("was")
        kind = was if message.kind is MessageKind.ERASED else message.kind.value
        if str(kind) not in CONTENT_KINDS:
            line = self._system_line(page, message)
            return (
                f'<p class="line">{self._time(message.at)} '
                f"{self._name(page, message.sender)} · {line}</p>\n"
            )
        is_note = kind in INTERNAL_KINDS
        side = "visitor" if message.sender.startswith("v") else "agent"
        mark = f" · {self._words['note']}" if is_note else ""
        if kind in EDIT_KINDS:
            mark += f" · {self._words['edit']}"
        if kind == MessageKind.RATING:
            score = (message.data or {}).get("score")
            stars = f"{score}/5" if isinstance(score, int) else ""
            mark = f" · {self._words['rating']} {stars}"
        if kind == MessageKind.TRANSLATION:
            mark += f" · {self._words['translation']}"
        if kind == MessageKind.TRANSLATION and not message.body:
            body = f"<p><em>{self._words['untranslated']}</em></p>"
        elif message.kind is MessageKind.ERASED:
            body = f"<p><em>{self._words['erased']}</em></p>"
        else:
            body = f'<p dir="auto">{escape(message.body)}</p>'
        return (
            f'<article class="{"note" if is_note else side}">'
            f"<strong>{self._name(page, message.sender)}</strong> "
            f"{self._time(message.at)}{mark}{body}</article>\n"
        )

    def _system_line(self, page: Page, message: Message) -> str:
        words, data = self._words, message.data or {}
        match message.kind:
            case MessageKind.ASSIGNMENT:
                who = data.get("assignee")
                if not isinstance(who, str):
                    return words["queued"]
                return f"{words['assignment']} {self._name(page, ParticipantId(who))}"
            case MessageKind.CLOSE:
                return words["close"]
            case MessageKind.REOPEN:
                return words["reopen"]
            case MessageKind.LABELS:
                named = data.get("labels")
                labels = named if isinstance(named, list) else []
                texts = [_text(label) for label in labels if isinstance(label, str)]
                return f"{words['labels']} {', '.join(texts) or words['none']}"
            case MessageKind.TRANSLATING:
                is_on = data.get("is_on") is True
                return words["translating" if is_on else "not translating"]
            case MessageKind.RECALL:
                return words["recall"]
            case MessageKind.AUTO:
                who = data.get("agent")
                if not isinstance(who, str):
                    return _text(message.body)
                name = self._name(page, ParticipantId(who))
                return f"{name}: {_text(message.body)}"
            case _:
                return words["unknown"]

    def _name(self, page: Page, who: ParticipantId) -> str:
        person = page.names.get(who)
        return _text(person.name if person is not None and person.name else who)

    def _time(self, at: UnixMs) -> str:
        moment, zone = local_time(at, self._tz)
        return f'<time title="{zone}">{moment}</time>'


def _text(text: str) -> str:
    """Return a piece of a line that cannot turn the direction of what follows."""
    return f"<bdi>{escape(text)}</bdi>"
