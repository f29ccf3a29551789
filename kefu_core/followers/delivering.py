"""Sends what webhooks are to be told; each in a lane of its own.

A webhook that is slow or away holds up nobody but itself: its lane has a few places,
and the others have theirs. What is on its way is claimed in the store
(`kefu_core.outgoing`): several nodes share the work, and no two do it at the same time.
"""

import logging
import random
from collections.abc import Callable, Iterable

import anyio
import msgspec
from anyio.abc import TaskGroup

from kefu_core import outgoing
from kefu_core.abc.outgoing import NotSent, Poster
from kefu_core.abc.records import Records
from kefu_core.errors import KefuError
from kefu_core.hooks import signature
from kefu_core.records import DeliveryStatus, Webhook, WebhookDelivery
from kefu_core.types import UnixMs

logger = logging.getLogger(__name__)

AT_ONCE = 2
"""Requests of one webhook."""
LEASE_MS = 60_000
"""Longer than a poster may take."""
INTERVAL_S = 1.0
HOOKS_INTERVAL_S = 2.0
OFF_AFTER_DAYS = 3
"""A webhook that has failed for so long, without a success in between, is switched
off."""
KEPT_DAYS, FAILED_KEPT_DAYS = 7, 30
"""For so long what was told, and what could not be, is there to look at."""
CLEAN_INTERVAL_S = 3600.0
_DAY_MS = 86_400_000
_PAGE = 50
_RETRY_S = 1.0


class Delivering:
    """Takes deliveries from the store to those who are to be told."""

    def __init__(
        self,
        records: Records,
        poster: Poster,
        *,
        now_ms: Callable[[], int],
        rng: random.Random,
    ) -> None:
        """Take the store, who posts, Unix milliseconds, and chance."""
        self._records = records
        self._poster = poster
        self._now_ms = now_ms
        self._rng = rng
        self._hooks: dict[int, Webhook] = {}
        self._lanes: set[int] = set()
        self._news = anyio.Event()

    def wake(self) -> None:
        """Look at once: there are new deliveries."""
        self._news.set()
        self._news = anyio.Event()

    async def run(self) -> None:
        """Send for ever; a store that is away is waited for."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run_cleaning)
            while True:
                try:
                    await self._open_lanes(tasks)
                except KefuError as error:
                    logger.info("webhooks wait for the store: %s", error)
                await anyio.sleep(HOOKS_INTERVAL_S)

    async def _open_lanes(self, tasks: TaskGroup) -> None:
        found = await self._records.list_records(Webhook, limit=500)
        self._hooks = {hook.id: hook for hook in found if hook.is_active}
        for number in self._hooks.keys() - self._lanes:
            self._lanes.add(number)
            tasks.start_soon(self._run_lane, number)

    # -- one webhook -------------------------------------------------------------------

    async def _run_lane(self, number: int) -> None:
        try:
            while number in self._hooks:
                news = self._news
                try:
                    if await self.send_due(self._hooks[number]):
                        continue
                    with anyio.move_on_after(INTERVAL_S):
                        await news.wait()
                except KefuError as error:
                    logger.info("webhook %d waits for the store: %s", number, error)
                    await anyio.sleep(_RETRY_S)
                except Exception:
                    # A fault of ours in one delivery must not end the lane, nor spin.
                    logger.exception("webhook %d cannot be told", number)
                    await anyio.sleep(_RETRY_S)
        finally:
            self._lanes.discard(number)

    async def send_due(self, hook: Webhook) -> int:
        """Send what is due now, oldest first, a few at once; return how many."""
        self._hooks.setdefault(hook.id, hook)
        due = await self._records.list_records(
            WebhookDelivery,
            where={"webhook_id": hook.id, "status": DeliveryStatus.QUEUED.value},
            at_most={"next_at": self._now_ms()},
            after=0,
            limit=_PAGE,
        )
        waiting = iter(due)
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(AT_ONCE):
                    tasks.start_soon(self._send_each, hook, waiting)
        except* KefuError as errors:
            raise next(iter(_leaves(errors))) from errors
        return len(due)

    async def _send_each(
        self, hook: Webhook, waiting: Iterable[WebhookDelivery]
    ) -> None:
        for delivery in waiting:
            known = self._hooks.get(hook.id)
            if known is None:
                return  # It was deleted or switched off meanwhile.
            await self._send(known, delivery)

    async def _send(self, hook: Webhook, delivery: WebhookDelivery) -> None:
        mine, when = outgoing.claimed(delivery, self._now_ms(), LEASE_MS)
        if not await self._records.change_record(mine, when=when):
            return  # Another node has it.
        body = mine.payload.encode()
        headers = {
            "content-type": "application/json",
            "kefu-delivery": str(mine.id),
            "kefu-event": mine.event,
            "kefu-signature": signature(hook.secret, body, self._now_ms() // 1000),
        }
        error: NotSent | None = None
        status = 0
        try:
            status = await self._poster.post(hook.url, body, headers)
            after = outgoing.done(mine)
        except NotSent as failure:
            error, status = failure, failure.status
            after = outgoing.failed(
                mine, failure.text, self._now_ms(), self._rng, is_final=failure.is_final
            )
        after = msgspec.structs.replace(after, response_status=status)
        await self._records.change_record(after, when=outgoing.unchanged(mine))
        await self._note(hook.id, error)

    # -- how it fares ------------------------------------------------------------------

    async def _note(self, number: int, error: NotSent | None) -> None:
        """Keep since when a webhook fails; switch it off when that is too long."""
        known = self._hooks.get(number)
        if known is not None and error is None and not known.failing_since:
            return
        for _ in range(3):
            hook = await self._records.find_record(Webhook, number)
            changed = hook and self._after(hook, error)
            if hook is None or changed is None or changed == hook:
                return
            changed = msgspec.structs.replace(changed, revision=hook.revision + 1)
            if await self._records.change_record(
                changed, when={"revision": hook.revision}
            ):
                if changed.is_active:
                    self._hooks[number] = changed
                else:
                    self._hooks.pop(number, None)
                return

    def _after(self, hook: Webhook, error: NotSent | None) -> Webhook:
        now_ms = UnixMs(self._now_ms())
        if error is None:
            return msgspec.structs.replace(hook, failing_since=UnixMs(0))
        if not hook.failing_since:
            return msgspec.structs.replace(hook, failing_since=now_ms)
        if now_ms - hook.failing_since < OFF_AFTER_DAYS * _DAY_MS:
            return hook
        logger.warning("webhook %d is switched off: %s", hook.id, error)
        note = f"Switched off after failing for {OFF_AFTER_DAYS} days: {error}"
        return msgspec.structs.replace(
            hook, is_active=False, note=note[: outgoing.ERROR_CHARS]
        )

    # -- what is old -------------------------------------------------------------------

    async def _run_cleaning(self) -> None:
        while True:
            try:
                await self.clean()
            except KefuError as error:
                logger.info("old deliveries are deleted later: %s", error)
            await anyio.sleep(CLEAN_INTERVAL_S)

    async def clean(self) -> None:
        """Delete what was told long ago. Raises `StoreError`."""
        for status, days in (
            (DeliveryStatus.DONE, KEPT_DAYS),
            (DeliveryStatus.FAILED, FAILED_KEPT_DAYS),
            (DeliveryStatus.QUEUED, FAILED_KEPT_DAYS),
        ):
            while old := await self._records.list_records(
                WebhookDelivery,
                where={"status": status.value},
                at_most={"next_at": self._now_ms() - days * _DAY_MS},
                limit=_PAGE,
            ):
                await self._records.delete_records(
                    WebhookDelivery, [delivery.id for delivery in old]
                )
                await anyio.sleep(0.02)


def _leaves(group: BaseExceptionGroup[KefuError]) -> Iterable[KefuError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
