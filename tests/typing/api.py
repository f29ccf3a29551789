"""What a program that imports kefu may rely on. Checked by mypy, never run."""

from typing import assert_type

from kefu_core.abc.handler import Handler
from kefu_core.abc.store import Store
from kefu_core.client import Client
from kefu_core.hub import Hub
from kefu_core.limits import Limits
from kefu_core.node import Node
from kefu_core.protocol.frames import Sent
from kefu_core.types import ConversationId, Seq


async def talk() -> None:
    """A visitor's program."""
    async with Client("ws://127.0.0.1/kefu/ws", token="t", codec="json") as client:
        conversation = await client.open_conversation()
        assert_type(conversation, ConversationId)
        await client.follow(conversation)
        sent = await client.send(conversation, "hello")
        assert_type(sent, Sent)
        assert_type(sent.seq, Seq)
        key: str = client.send_nowait(conversation, "again")
        del key


async def embed(store: Store, handler: Handler) -> None:
    """An application that mounts the core."""
    async with Node(store, handler, Limits()) as node:
        assert_type(node.hub, Hub)
