"""What visitors and agents say, in Chinese and English.

`load_texts` has the lines of a public corpus, for a large history of many words;
`Speech` has sentences written for this, of the lengths that people write.
"""

import importlib.util
import random
from functools import cache
from pathlib import Path

import yaml

LANGUAGES = ("chinese", "english")
CHARS_MAX = 500
FALLBACK = ("Hello, is this still available?", "请问什么时候可以发货？")


def load_texts() -> list[str]:
    """Return the lines of the dialogues, in the order of their files."""
    return list(_load())


@cache
def _load() -> tuple[str, ...]:
    spec = importlib.util.find_spec("chatterbot_corpus")
    if spec is None or spec.origin is None:
        return FALLBACK
    texts: list[str] = []
    for language in LANGUAGES:
        folder = Path(spec.origin).parent / "data" / language
        for path in sorted(folder.glob("*.yml")):
            content = yaml.safe_load(path.read_text("utf-8"))
            for dialogue in content.get("conversations", []):
                texts += [str(line)[:CHARS_MAX] for line in dialogue if line]
    return tuple(texts) or FALLBACK


# -- what people say to each other -----------------------------------------------------

_VISITOR_ZH = (
    "在吗？",
    "你好，请问有人吗",
    "这款{item}还有货吗？",
    "我昨天下的单，怎么到现在还没有发货？订单号{order}",
    "请问{item}和上一代比有什么区别，值得换吗？",
    "能开增值税发票吗？抬头是公司的",
    "退款大概几天能到账？",
    "快递显示已签收，可是我没有收到，麻烦帮我查一下",
    "好的",
    "好的，谢谢",
    "嗯嗯",
    "那我再看看",
    "可以便宜一点吗，我打算买两件",
    "收到的{item}外壳有划痕，像是用过的，我想换一个新的",
    "尺码偏大还是偏小？我身高一米七五，体重七十公斤",
    "优惠券用不了，提示不在活动时间内，可是页面上写的是到这个月底",
    "地址写错了，能帮我改成上海市浦东新区张江路吗？订单{order}",
    "什么时候能发货，我周五要出差，想在那之前收到",
    "一直连不上蓝牙，手机能搜到，但是配对的时候就失败了",
    "说明书找不到了，有没有电子版可以发给我",
    "我按照你说的重启过了，还是不行",
    "？",
    "稍等，我去拍张照片",
    "可以用花呗分期吗",
    "运费谁承担？",
    "你们周末有人上班吗",
    "不是这个意思，我是说两个订单能不能合在一起寄，这样只收一次运费",
    "谢谢你，解决了！",
)
_AGENT_ZH = (
    "您好，很高兴为您服务，请问有什么可以帮您？",
    "您好，我是客服小周，正在为您查询，请稍等一下",
    "亲，这款{item}目前有现货，今天下午四点前付款当天就可以发出",
    "已经帮您查到了，订单{order}今天早上已经出库，预计后天送达",
    "好的",
    "请稍等",
    "可以的",
    "退款一般会在一到三个工作日内原路退回，节假日顺延，请您留意银行的短信通知",
    "麻烦您提供一下订单号，或者下单时留的手机号后四位",
    "非常抱歉给您带来不便，我这边马上联系快递公司核实，今天之内给您答复",
    "可以开的，请把公司名称、税号和收件邮箱发给我，发票会在三个工作日内发到您的邮箱",
    "尺码是标准的，按照您的身高体重建议选L码，如果喜欢宽松一点可以选XL",
    "地址已经帮您改好了，请您再核对一遍",
    "请您先把设备关机，长按电源键十秒钟，看到指示灯闪烁之后再重新配对",
    "这个问题我需要和技术同事确认一下，大概需要五分钟，您方便等一下吗？",
    "收到，照片很清楚，这是运输中造成的，我们给您换一台全新的，旧的等快递上门取就可以，运费由我们承担",
    "不客气，祝您生活愉快！",
    "请问还有其他可以帮您的吗？",
    "电子版说明书已经发到您的邮箱，里面第十二页有您问的设置方法",
    "优惠券是满三百减三十的，您的订单现在是二百八十六元，再加一件小商品就可以使用了",
)
_VISITOR_EN = (
    "Hi",
    "Hello, is anyone there?",
    "Is the {item} still in stock?",
    "I ordered three days ago and it still says processing. My order is {order}.",
    "What's the difference between this {item} and last year's model?",
    "ok",
    "ok thanks",
    "Great, thank you!",
    "Could you change the delivery address on order {order}? I moved last week.",
    (
        "The tracking page says it was delivered, but nothing is here. I asked "
        "the neighbours too."
    ),
    "Do you ship to Singapore, and how much would that be?",
    "It arrived with a crack along the side. I have photos if you need them.",
    "How long does a refund usually take to show up on a card?",
    "I tried that already, it does the same thing",
    "Can I pay in instalments?",
    "hmm",
    "One second, let me find the receipt",
    "Does the warranty cover water damage, or only faults from the factory?",
    (
        "The discount code says it has expired, but your e-mail says it is valid "
        "until Sunday."
    ),
    (
        "I'd like to return one of the two, and keep the other. Do I have to send"
        " both back?"
    ),
)
_AGENT_EN = (
    "Hello, thanks for getting in touch. How can I help?",
    "Let me check that for you, one moment please.",
    (
        "Yes, the {item} is in stock and leaves our warehouse the same day if you"
        " order before four."
    ),
    "Sure",
    "Of course!",
    "Could you tell me the order number, please?",
    "I found order {order}: it left this morning and should be with you on Thursday.",
    (
        "I'm sorry about that. I have asked the courier where it was left, and "
        "will write to you as soon as they answer, today at the latest."
    ),
    (
        "Refunds take three to five working days, depending on your bank. You "
        "will get an e-mail from us when it is on its way."
    ),
    (
        "Please hold the power button for ten seconds, wait until the light "
        "blinks, and then try to pair it again."
    ),
    "The address is changed. Could you check that it is right now?",
    (
        "That is covered. We will send you a new one, and the courier takes the "
        "old one back when he brings it, so there is nothing for you to pay."
    ),
    "Is there anything else I can do for you?",
    "You're welcome, have a nice day!",
    (
        "You can keep one and return the other: open the order, choose the item, "
        "and print the label. It is free within thirty days."
    ),
)
_ITEMS_ZH = ("耳机", "保温杯", "羽绒服", "跑步鞋", "机械键盘", "空气炸锅", "行李箱")
_ITEMS_EN = ("kettle", "backpack", "keyboard", "jacket", "desk lamp", "headphones")
_SENTENCES = {
    ("zh", False): (_VISITOR_ZH, _ITEMS_ZH, ""),
    ("zh", True): (_AGENT_ZH, _ITEMS_ZH, ""),
    ("en", False): (_VISITOR_EN, _ITEMS_EN, " "),
    ("en", True): (_AGENT_EN, _ITEMS_EN, " "),
}
_CHINESE = 0.7
"""Share of the conversations that are in Chinese."""
_COUNTS = (1, 2, 5)
_COUNTED = (0.84, 0.14, 0.02)
"""How often a message is one sentence, two, or a long explanation."""


class Speech:
    """What the two sides of one conversation say, one message after another.

    Sentences were written for this, after what shops are asked: half of all messages
    have up to 20 Chinese characters or 60 Latin letters, one in fifty is several times
    as long, some are a word.
    """

    def __init__(self, rng: random.Random) -> None:
        """Take the chance that decides, the language first of all."""
        self._rng = rng
        self.language = "zh" if rng.random() < _CHINESE else "en"

    def next(self, *, is_agent: bool) -> str:
        """Return what one side says next."""
        sentences, items, between = _SENTENCES[self.language, is_agent]
        (count,) = self._rng.choices(_COUNTS, _COUNTED)
        text = between.join(self._rng.choices(sentences, k=count))
        return text.replace("{item}", self._rng.choice(items)).replace(
            "{order}", f"{self._rng.randrange(10**11, 10**12)}"
        )
