"""Conversations for a large history: the same ones whenever they are asked for.

Number n is made from n alone, so a fill that was stopped goes on where it was, and a
larger one begins with the smaller one. Lines are of real dialogues, a third of them
with an order, a name, a product or a town, so that there are words of every frequency.
What the store keeps follows from the messages by the store's own functions.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.texts import load_texts
from kefu_core.folding import fold
from kefu_core.ids import IdGenerator, agent_participant, visitor_participant
from kefu_core.model import Conversation, Message, MessageKind
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

SITES = 5
AGENTS = 40
LABELS = ("退款", "物流", "投诉", "售前", "发票", "VIP", "refund", "shipping", "bug")
LENGTH = 20
"""Messages of an average conversation."""
_BEGIN_MS = 1_732_492_800_000
"""2024-11-25 00:00 UTC, and two years from there for five million messages."""
_DAY_MS = 86_400_000
_PER_DAY = 342
"""Conversations: 250,000 in two years."""
_LONG = 1_000
"""One conversation in so many is long, for deep pages."""
_LONG_LENGTH = 400

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯邓曹彭曾萧田董袁"
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红玲芬燕彬鹏浩宇轩梓涵欣怡"
    "子墨诗雨晨曦嘉琪俊熙雅婷思远博文若曦一诺皓然梦瑶天佑语嫣泽洋可馨志强建国淑兰"
)
PRODUCTS = (
    *("蓝牙耳机", "保温杯", "羽绒服", "跑步鞋", "电饭煲", "充电宝", "儿童书包"),
    *("洗面奶", "机械键盘", "空气炸锅", "瑜伽垫", "行李箱", "台灯", "咖啡机"),
    *("umbrella", "keyboard", "backpack", "kettle", "charger", "headphones", "lamp"),
)
TOWNS = (
    *(
        "上海浦东",
        "北京朝阳",
        "广州天河",
        "深圳南山",
        "杭州西湖",
        "成都武侯",
        "武汉洪山",
    ),
    *(
        "南京鼓楼",
        "西安雁塔",
        "重庆渝北",
        "苏州园区",
        "青岛市南",
        "长沙岳麓",
        "厦门思明",
    ),
    *("哈尔滨道里", "昆明五华", "乌鲁木齐天山", "拉萨城关", "Berlin", "Lyon", "Osaka"),
)


class Story(NamedTuple):
    """One conversation as the appender would have left it."""

    conversation: Conversation
    messages: list[Message]
    visitor_id: int
    visitor_name: str
    assignee: ParticipantId
    """Who answered; has read everything but what waits."""


class Corpus:
    """All conversations, by their number."""

    def __init__(self) -> None:
        lines = load_texts()
        self._chinese = [line for line in lines if not line.isascii()]
        self._english = [line for line in lines if line.isascii()]

    def story(self, number: int) -> Story:
        """Return a conversation; ids and times ascend with the number."""
        rng = random.Random(number)
        opened = _opened_at(number)
        ids = IdGenerator(lambda: opened, rng)
        visitor_id, row_id = ids.new(), ids.new()
        visitor = visitor_participant(visitor_id)
        row = Conversation(
            id=ConversationId(row_id),
            site_id=1 + number % SITES,
            visitor=visitor,
            last_at=UnixMs(opened),
            opened_at=UnixMs(opened),
        )
        agent = agent_participant(1 + rng.randrange(AGENTS))
        messages = []
        at = opened
        for kind, sender, data in _script(rng, number, visitor, agent):
            at += int(rng.expovariate(1 / 40_000)) + 800
            if rng.random() < 0.005:
                at += rng.randrange(8) * 3_600_000  # Later that day.
            is_written = kind is MessageKind.TEXT or kind is MessageKind.NOTE
            message = Message(
                conversation=row.id,
                seq=Seq(row.last_seq + 1),
                sender=sender,
                key=_key(rng) if is_written else f"desk-{ids.new()}",
                kind=kind,
                body=self._line(rng, number) if is_written else "",
                at=UnixMs(at),
                data=data,
            )
            row = fold(row, message)
            messages.append(message)
        return Story(row, messages, visitor_id, _name(rng), agent)

    def _line(self, rng: random.Random, number: int) -> str:
        lines = self._chinese if number % 5 < 3 else self._english
        line = lines[int(rng.random() * len(lines))]
        dice = rng.random()
        if dice > 0.36:
            return line
        if dice < 0.12:
            return f"{line} {_order(rng)}"
        if dice < 0.2:
            return f"{line}，{_name(rng)}"
        if dice < 0.28:
            return f"{_one(rng, PRODUCTS)} {line}"
        return f"{line} {_one(rng, TOWNS)}{rng.randrange(1, 999)}号"


def _script(
    rng: random.Random, number: int, visitor: ParticipantId, agent: ParticipantId
) -> list[tuple[MessageKind, ParticipantId, dict[str, object] | None]]:
    """Return what happens, in order: kind, who and `data`."""
    texts = min(60, 3 + int(rng.expovariate(1 / (LENGTH - 6))))
    if number % _LONG == 7:
        texts = _LONG_LENGTH
    fate = rng.random()
    text = MessageKind.TEXT
    events: list[tuple[MessageKind, ParticipantId, dict[str, object] | None]] = []
    events.append((text, visitor, None))
    if fate < 0.01:
        return events  # Nobody has come yet.
    events.append((MessageKind.ASSIGNMENT, agent, {"assignee": agent}))
    for _ in range(texts - 1):
        if rng.random() < 0.03:
            events.append((MessageKind.NOTE, agent, None))
        events.append((text, agent if rng.random() < 0.5 else visitor, None))
    if rng.random() < 0.4:
        labels = rng.sample(LABELS, rng.choice((1, 1, 2)))
        events.append((MessageKind.LABELS, agent, {"labels": labels}))
    if fate > 0.03:
        events.append((MessageKind.CLOSE, agent, None))
    return events


def _opened_at(number: int) -> int:
    """From seven in the morning to eleven at night, UTC, evenly."""
    day, place = divmod(number, _PER_DAY)
    return _BEGIN_MS + day * _DAY_MS + int((7 + 16 * place / _PER_DAY) * 3_600_000)


def _key(rng: random.Random) -> str:
    return f"{rng.getrandbits(128):032x}"


def _order(rng: random.Random) -> str:
    return f"KF{rng.randrange(10**8, 10**9)}"


def _name(rng: random.Random) -> str:
    given = "".join(rng.choices(GIVEN, k=2))
    return f"{rng.choice(SURNAMES)}{given}"


def _one(rng: random.Random, of: Sequence[str]) -> str:
    return of[int(rng.random() * len(of))]
