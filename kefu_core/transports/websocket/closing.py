"""How the server's end of a WebSocket says goodbye."""

import logging

import anyio

from kefu_core.abc.transports import AsgiSend

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S = 2.0


async def send_close(send: AsgiSend, code: int, reason: str) -> None:
    """Close with a code, bounded in time whatever the peer does. Never raises."""
    # A peer with a closed window makes even the close frame wait for ever.
    with anyio.move_on_after(_CLOSE_TIMEOUT_S):
        try:
            await send(
                {"type": "websocket.close", "code": code, "reason": reason[:100]}
            )
        except (OSError, RuntimeError) as error:
            logger.debug("the peer was gone before the close: %s", error)
