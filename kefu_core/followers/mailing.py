"""Sends the mail that waits in the store."""

import logging
import random
from collections.abc import Callable

import anyio

from kefu_core import outgoing
from kefu_core.abc.outgoing import Mailer, NotSent
from kefu_core.abc.records import Records
from kefu_core.errors import KefuError
from kefu_core.records import DeliveryStatus, Mail

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
"""Mail leaves this late; nobody waits at the other end of a mail for less."""
LEASE_MS = 120_000
"""Longer than a mailer may take for one mail."""
_AT_ONCE = 20
_RETRY_S = 5.0


class Mailing:
    """Takes mail from the store to the mailer, one after the other."""

    def __init__(
        self,
        records: Records,
        mailer: Mailer,
        *,
        now_ms: Callable[[], int],
        rng: random.Random,
    ) -> None:
        """Take the store, who carries mail, Unix milliseconds, and chance."""
        self._records = records
        self._mailer = mailer
        self._now_ms = now_ms
        self._rng = rng

    async def run(self) -> None:
        """Send for ever; a store that is away is waited for."""
        while True:
            pause_s = INTERVAL_S
            try:
                await self.send_due()
            except KefuError as error:
                logger.info("mail waits for the store: %s", error)
                pause_s = _RETRY_S
            except Exception:
                # A fault of ours in one mail must not end the server, and not spin.
                logger.exception("mail cannot go out; it is tried again")
                pause_s = _RETRY_S
            await anyio.sleep(pause_s)

    async def send_due(self) -> None:
        """Send what is due now. Raises `StoreError`."""
        due = await self._records.list_records(
            Mail,
            where={"status": DeliveryStatus.QUEUED.value},
            at_most={"next_at": self._now_ms()},
            after=0,
            limit=_AT_ONCE,
        )
        for mail in due:
            await self._send(mail)

    async def _send(self, mail: Mail) -> None:
        mine, when = outgoing.claimed(mail, self._now_ms(), LEASE_MS)
        if not await self._records.change_record(mine, when=when):
            return  # Another node has it.
        try:
            await self._mailer.send(mine)
        except NotSent as error:
            logger.warning("a mail was not sent: %s", error)
            after = outgoing.failed(
                mine, error.text, self._now_ms(), self._rng, is_final=error.is_final
            )
        else:
            after = outgoing.done(mine)
        await self._records.change_record(after, when=outgoing.unchanged(mine))
