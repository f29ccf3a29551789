"""A bot in an agent's seat: answers first, and hands over to people.

Usage: KEFU_BOT_TOKEN=kefu_… python examples/bot.py http://127.0.0.1:8080

The token has the scopes conversations:read and messages:write.
It takes no conversation, so whoever waits goes on waiting for a person; it says nothing
once a person has taken one. It answers what it knows, hands over when asked ("人工") or
when it does not know, and is silent from then on. Answers and keys follow from the log
alone: a bot that is killed and started again doubles nothing.
"""

import os
import sys
from collections import defaultdict

import anyio

from kefu_core.client import Client, ConnectionChanged
from kefu_core.errors import ConnectionClosed
from kefu_core.model import MessageKind
from kefu_core.protocol.frames import Event, MessageFrame, Snapshot

KNOWN = {
    "发货": "一般在付款后 24 小时内发货。",
    "退货": "签收后七天内可以退货，请保留包装。",
    "ship": "We ship within 24 hours of payment.",
    "return": "You may return anything within seven days.",
}
"""A word, and what to say when somebody uses it."""
WANTS_PEOPLE = ("人工", "客服", "human", "agent", "person")
HANDOVER = "好的，请稍等，同事马上就来。One moment, a colleague will be with you."


class Talk:
    """What the bot knows of one conversation, folded from its log."""

    def __init__(self) -> None:
        self.is_ours = True
        """Nobody has taken it, and it was not handed over."""
        self.unanswered: MessageFrame | None = None

    def fold(self, frame: MessageFrame, me: str) -> None:
        """Take in the next message of the log."""
        if frame.kind is MessageKind.CLOSE:
            self.is_ours, self.unanswered = True, None
        elif frame.kind is MessageKind.ASSIGNMENT:
            self.is_ours = not (frame.data or {}).get("assignee")
        elif frame.kind is MessageKind.TEXT and frame.sender.startswith("v"):
            self.unanswered = frame
        elif frame.kind is MessageKind.TEXT:
            self.unanswered = None
            if frame.sender != me or frame.body == HANDOVER:
                self.is_ours = False

    def reply(self) -> tuple[str, str] | None:
        """Return a key and a text, or nothing to say."""
        asked = self.unanswered
        if asked is None or not self.is_ours:
            return None
        key = f"bot-{asked.conversation}-{asked.seq}"
        words = asked.body.casefold()
        if any(word in words for word in WANTS_PEOPLE):
            return key, HANDOVER
        return key, next((KNOWN[word] for word in KNOWN if word in words), HANDOVER)


async def main(url: str, token: str) -> None:
    """Answer until the token ends. Raises `ConnectionClosed`."""
    talks: defaultdict[int, Talk] = defaultdict(Talk)
    heads: dict[int, int] = {}
    async with Client(url, token=token) as client:
        await client.watch("conversations")
        async for event in client.events():
            if isinstance(event, Snapshot | Event):
                rows = event.rows if isinstance(event, Snapshot) else [event.put]
                for row in filter(None, rows):
                    heads[row["id"]] = row["last_seq"]
                    if row["status"] == "queued":
                        await client.follow(row["id"])
            elif isinstance(event, ConnectionChanged):
                await client.wait_live()
            elif isinstance(event, MessageFrame):
                number = event.conversation
                talk = talks[number]
                talk.fold(event, str(client.me))
                # Only at the end of the log: what follows may say that it was answered.
                reply = talk.reply() if event.seq >= heads.get(number, 0) else None
                if reply is not None:
                    talk.unanswered = None
                    client.send_nowait(number, reply[1], key=reply[0])


if __name__ == "__main__":
    if len(sys.argv) != 2 or "KEFU_BOT_TOKEN" not in os.environ:
        sys.exit(__doc__)
    try:
        anyio.run(main, sys.argv[1].rstrip("/"), os.environ["KEFU_BOT_TOKEN"])
    except* ConnectionClosed:
        sys.exit("The token has ended.")
