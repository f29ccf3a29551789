"""Webhooks: whom the desk tells what happens, and what became of it."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any, TypedDict
from urllib.parse import urlsplit

import msgspec

from kefu_core import outgoing
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Limit, Method, Methods, Params
from kefu_core.errors import Conflict, Invalid, NotFound
from kefu_core.hooks import HookEvent, delivery_of, left_content, wants
from kefu_core.model import Principal
from kefu_core.records import (
    DeliveryStatus,
    OfflineMessage,
    Webhook,
    WebhookDelivery,
)
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

WEBHOOKS_MAX = 20
URL_CHARS = 1_000
_SUBSCRIBABLE = [event.value for event in HookEvent if event is not HookEvent.PING]


class ListWebhooks(Params, frozen=True, kw_only=True):
    """`webhooks.list`: all of them."""


class PutWebhook(Params, frozen=True, kw_only=True):
    """`webhook.put`: make or change one; the same URL for the same site is the same."""

    webhook: Id | None = None
    """Which one to change; left out: a new one."""
    url: Annotated[str, msgspec.Meta(max_length=URL_CHARS)]
    events: Annotated[list[str], msgspec.Meta(min_length=1, max_length=20)]
    site: Annotated[int, msgspec.Meta(ge=0)] = 0
    """0 for every site."""
    is_active: bool = True
    new_secret: bool = False
    """Make another secret; deliveries are signed with it from now on."""


class DeleteWebhook(Params, frozen=True, kw_only=True):
    """`webhook.delete`: forget it, with all its deliveries."""

    webhook: Id


class TestWebhook(Params, frozen=True, kw_only=True):
    """`webhook.test`: tell it `ping`, as soon as it may be told anything."""

    __test__ = False  # It is no test of ours.

    webhook: Id


class ListDeliveries(Params, frozen=True, kw_only=True):
    """`deliveries.list`: what was told to one of them, the newest first."""

    webhook: Id
    status: DeliveryStatus | None = None
    before: Id | None = None
    limit: Limit = 50


class ResendDelivery(Params, frozen=True, kw_only=True):
    """`delivery.resend`: tell it again, whether it was taken or not."""

    delivery: Id


class WebhookRow(TypedDict):
    """A webhook as admins see it."""

    id: int
    url: str
    secret: str
    events: list[str]
    site_id: int
    is_active: bool
    created_at: UnixMs
    failing_since: UnixMs | None
    note: str


class DeliveryRow(TypedDict):
    """A delivery as admins see it."""

    id: int
    webhook: int
    event: str
    payload: str
    created_at: UnixMs
    status: str
    attempts: int
    next_at: UnixMs
    response_status: int
    error: str


class OneWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook."""

    webhook: WebhookRow


class AllWebhooks(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and what they can be told."""

    rows: list[WebhookRow]
    events: list[str]


class OneDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery."""

    delivery: DeliveryRow


class SomeDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them."""

    rows: list[DeliveryRow]


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """It is gone."""

    webhook: int


def webhook_row(hook: Webhook) -> WebhookRow:
    """Return what admins see; fields are named one by one on purpose."""
    return {
        "id": hook.id,
        "url": hook.url,
        "secret": hook.secret,
        "events": list(hook.events),
        "site_id": hook.site_id,
        "is_active": hook.is_active,
        "created_at": hook.created_at,
        "failing_since": hook.failing_since or None,
        "note": hook.note,
    }


def delivery_row(delivery: WebhookDelivery) -> DeliveryRow:
    """Return what admins see; fields are named one by one on purpose."""
    return {
        "id": delivery.id,
        "webhook": delivery.webhook_id,
        "event": delivery.event,
        "payload": delivery.payload,
        "created_at": delivery.created_at,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "next_at": delivery.next_at,
        "response_status": delivery.response_status,
        "error": delivery.error,
    }


async def deliveries_of(desk: "Desk", left: OfflineMessage) -> list[WebhookDelivery]:
    """Return what is told of a message that was left; stored together with it."""
    hooks = await desk.store.list_records(Webhook, limit=500)
    return [
        delivery_of(
            hook,
            HookEvent.LEFT,
            desk.ids.new(),
            source=f"{HookEvent.LEFT.value}:{left.id}",
            site_id=left.site_id,
            at=left.created_at,
            now=UnixMs(desk.now_ms()),
            content=left_content(left),
        )
        for hook in hooks
        if wants(hook, HookEvent.LEFT, left.site_id)
    ]


# -- webhooks ------------------------------------------------------------------------


async def _list(desk: "Desk", principal: Principal, params: Any) -> AllWebhooks:
    hooks = await desk.store.list_records(Webhook, after=0, limit=500)
    return AllWebhooks(rows=[webhook_row(h) for h in hooks], events=_SUBSCRIBABLE)


async def _put(desk: "Desk", principal: Principal, params: PutWebhook) -> OneWebhook:
    check_url(params.url)
    for event in params.events:
        if event not in _SUBSCRIBABLE:
            raise Invalid(f"webhook.put: there is no event {event[:40]!r}.")
    if params.site and all(s.id != params.site for s in await desk.store.sites()):
        raise Invalid("webhook.put: there is no such site.")
    async with desk.settling:
        hooks = await desk.store.list_records(Webhook, limit=500)
        if params.webhook is not None:
            known = next((h for h in hooks if h.id == params.webhook), None)
            if known is None:
                raise NotFound
        else:
            same = (params.url, params.site)
            known = next((h for h in hooks if (h.url, h.site_id) == same), None)
        if known is None:
            hook = await _make(desk, params, len(hooks))
        else:
            hook = await _change(desk, params, known)
    changed = {"url": hook.url, "events": list(hook.events), "on": hook.is_active}
    await note(desk, principal, "webhook.put", f"webhook {hook.id}", changed)
    return OneWebhook(webhook=webhook_row(hook))


async def _make(desk: "Desk", params: PutWebhook, count: int) -> Webhook:
    if count >= WEBHOOKS_MAX:
        raise Conflict(f"There are {count} webhooks; delete one first.")
    now_ms = UnixMs(desk.now_ms())
    hook = Webhook(
        id=desk.ids.new(),
        url=params.url,
        secret=new_secret(),
        events=tuple(dict.fromkeys(params.events)),
        site_id=params.site,
        is_active=params.is_active,
        created_at=now_ms,
        told_from=now_ms,
    )
    await desk.store.put_records(hook)
    return hook


async def _change(desk: "Desk", params: PutWebhook, hook: Webhook) -> Webhook:
    """Change it; followers change it too, so it is read again where they were first."""
    for _ in range(5):
        is_renewed = params.is_active and not hook.is_active
        now_ms = UnixMs(desk.now_ms())
        changed = msgspec.structs.replace(
            hook,
            url=params.url,
            events=tuple(dict.fromkeys(params.events)),
            site_id=params.site,
            is_active=params.is_active,
            secret=new_secret() if params.new_secret else hook.secret,
            # What happened while it was off is not told.
            told_from=now_ms if is_renewed else hook.told_from,
            failing_since=UnixMs(0) if is_renewed else hook.failing_since,
            note="" if params.is_active else hook.note,
            revision=hook.revision + 1,
        )
        if await desk.store.change_record(changed, when={"revision": hook.revision}):
            return changed
        found = await desk.store.find_record(Webhook, hook.id)
        if found is None:
            raise NotFound
        hook = found
    raise Conflict("Somebody else is changing this webhook.")


def new_secret() -> str:
    """Return what deliveries are signed with."""
    return f"whsec_{secrets.token_urlsafe(32)}"


def check_url(url: str) -> None:
    """Refuse what is no URL to post to. Raises `Invalid`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid("webhook.put: the URL is not one.") from None
    is_plain = (
        url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    )
    if parts.scheme not in {"http", "https"} or not host or not is_plain:
        raise Invalid("webhook.put: the URL must begin with http:// or https://.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("webhook.put: the URL has a login or a fragment in it.")


async def _load(desk: "Desk", number: int) -> Webhook:
    hook = await desk.store.find_record(Webhook, number)
    if hook is None:
        raise NotFound
    return hook


async def _delete(desk: "Desk", principal: Principal, params: DeleteWebhook) -> Deleted:
    await desk.store.delete_records(Webhook, [params.webhook])
    where = {"webhook_id": params.webhook}
    while found := await desk.store.list_records(
        WebhookDelivery, where=where, limit=500
    ):
        await desk.store.delete_records(WebhookDelivery, [each.id for each in found])
    await note(desk, principal, "webhook.delete", f"webhook {params.webhook}", {})
    return Deleted(webhook=params.webhook)


async def _test(desk: "Desk", principal: Principal, params: TestWebhook) -> OneDelivery:
    hook = await _load(desk, params.webhook)
    number, now_ms = desk.ids.new(), UnixMs(desk.now_ms())
    delivery = delivery_of(
        hook,
        HookEvent.PING,
        number,
        source=f"{HookEvent.PING.value}:{number}",
        site_id=hook.site_id,
        at=now_ms,
        now=now_ms,
        content={},
    )
    await desk.store.put_records(delivery)
    return OneDelivery(delivery=delivery_row(delivery))


# -- deliveries ------------------------------------------------------------------------


async def _list_deliveries(
    desk: "Desk", principal: Principal, params: ListDeliveries
) -> SomeDeliveries:
    where: dict[str, Any] = {"webhook_id": params.webhook}
    if params.status is not None:
        where["status"] = params.status.value
    found = await desk.store.list_records(
        WebhookDelivery, where=where, before=params.before, limit=params.limit
    )
    return SomeDeliveries(rows=[delivery_row(delivery) for delivery in found])


async def _resend(
    desk: "Desk", principal: Principal, params: ResendDelivery
) -> OneDelivery:
    delivery = await desk.store.find_record(WebhookDelivery, params.delivery)
    if delivery is None:
        raise NotFound
    changed = outgoing.again(delivery, desk.now_ms())
    if await desk.store.change_record(changed, when=outgoing.unchanged(delivery)):
        delivery = changed
    return OneDelivery(delivery=delivery_row(delivery))


METHODS: Methods = {
    "webhooks.list": Method(
        params=ListWebhooks,
        run=_list,
        result=AllWebhooks,
        http="GET /webhooks",
        scope="webhooks:write",
    ),
    "webhook.put": Method(
        params=PutWebhook,
        run=_put,
        result=OneWebhook,
        http="POST /webhooks",
        scope="webhooks:write",
    ),
    "webhook.delete": Method(
        params=DeleteWebhook,
        run=_delete,
        result=Deleted,
        http="DELETE /webhooks/{webhook}",
        scope="webhooks:write",
    ),
    "webhook.test": Method(
        params=TestWebhook,
        run=_test,
        result=OneDelivery,
        http="POST /webhooks/{webhook}/test",
        scope="webhooks:write",
    ),
    "deliveries.list": Method(
        params=ListDeliveries,
        run=_list_deliveries,
        result=SomeDeliveries,
        http="GET /webhooks/{webhook}/deliveries",
        scope="webhooks:write",
    ),
    "delivery.resend": Method(
        params=ResendDelivery,
        run=_resend,
        result=OneDelivery,
        http="POST /deliveries/{delivery}/resend",
        scope="webhooks:write",
    ),
}
