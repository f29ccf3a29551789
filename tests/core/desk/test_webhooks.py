"""Webhooks as admins make, change and watch them."""

import msgspec
import pytest

from kefu_core.client import Rejected
from kefu_core.desk.webhooks import WEBHOOKS_MAX
from kefu_core.protocol import frames as f
from kefu_core.records import AuditEntry, DeliveryStatus, Webhook, WebhookDelivery
from tests.core.desk.test_offline import LEAVE
from tests.core.desk.world import world

pytestmark = pytest.mark.anyio

PUT = {"url": "https://a.example/hook?x=1", "events": ["offline.left"]}


async def test_a_webhook_is_made_changed_and_deleted() -> None:
    async with world() as w, w.client("a2") as admin:
        made = (await admin.call("webhook.put", PUT))["webhook"]
        assert made["secret"].startswith("whsec_")
        assert (made["site_id"], made["is_active"]) == (0, True)
        again = (await admin.call("webhook.put", PUT))["webhook"]
        assert again == made
        change = {**PUT, "webhook": made["id"], "url": "http://b.example/"}
        changed = (await admin.call("webhook.put", change))["webhook"]
        assert (changed["id"], changed["url"]) == (made["id"], "http://b.example/")
        renewed = await admin.call("webhook.put", {**change, "new_secret": True})
        assert renewed["webhook"]["secret"] != made["secret"]
        assert len((await admin.call("webhooks.list"))["rows"]) == 1
        await admin.call("webhook.test", {"webhook": made["id"]})
        await admin.call("webhook.delete", {"webhook": made["id"]})
        assert (await admin.call("webhooks.list"))["rows"] == []
        assert await w.store.list_records(WebhookDelivery) == []
        # Who did it is written down; the secret is not.
        noted = await w.store.list_records(AuditEntry, after=0)
        assert {(entry.who, entry.action) for entry in noted} == {
            ("a2", "webhook.put"),
            ("a2", "webhook.delete"),
        }
        assert "whsec_" not in repr(noted)


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "ftp://a.example/"},
        {"url": "javascript:alert(1)"},
        {"url": "/hook"},
        {"url": "https://"},
        {"url": "https://user:pass@a.example/"},
        {"url": "https://a.example/#x"},
        {"url": "https://a.example/ x"},
        {"url": "https://a.example/\r\nX: y"},
        {"url": "https://a.example\\@b.example/"},
        {"url": "https://a.example:99999/"},
        {"url": "https://茶.example/"},
        {"url": "https://a.example/" + "x" * 1_000},
        {"events": []},
        {"events": ["ping"]},
        {"events": ["everything"]},
        {"site": 99},
        {"webhook": 12_345},
        {"secret": "mine"},
    ],
)
async def test_what_is_no_webhook_is_refused(changed: dict[str, object]) -> None:
    async with world() as w, w.client("a2") as admin:
        with pytest.raises(Rejected):
            await admin.call("webhook.put", {**PUT, **changed})
        assert await w.store.list_records(Webhook) == []


async def test_there_are_not_more_than_one_can_look_after() -> None:
    async with world() as w:
        for number in range(1, WEBHOOKS_MAX + 1):
            await w.store.put_records(Webhook(id=number, url=f"u{number}", secret="s"))
        wire = await w.live("a2")
        call = f.Call(id="i", method="webhook.put", params=PUT)
        (refused,) = await wire.answers(call)
        assert refused.code == "conflict"
        wire.cut()


async def test_what_is_left_is_told_together_with_being_kept() -> None:
    async with world() as w, w.client("a2") as admin, w.client("v1") as visitor:
        made = (await admin.call("webhook.put", PUT))["webhook"]
        other = {"url": "https://other.example/", "events": ["message.created"]}
        await admin.call("webhook.put", other)
        elsewhere = {**PUT, "site": 2}
        await admin.call("webhook.put", elsewhere)
        left = await visitor.call("offline.leave", LEAVE)
        await visitor.call("offline.leave", LEAVE)
        listed = await admin.call("deliveries.list", {"webhook": made["id"]})
        (row,) = listed["rows"]
        assert (row["event"], row["status"]) == ("offline.left", "queued")
        told = msgspec.json.decode(row["payload"])
        assert told["left"]["id"] == left["id"]
        assert told["left"]["email"] == "li@example.cn"
        assert len(await w.store.list_records(WebhookDelivery)) == 1


async def test_a_delivery_is_told_again_by_hand() -> None:
    async with world() as w, w.client("a2") as admin:
        made = (await admin.call("webhook.put", PUT))["webhook"]
        test = (await admin.call("webhook.test", {"webhook": made["id"]}))["delivery"]
        delivery = await w.store.find_record(WebhookDelivery, test["id"])
        assert delivery is not None
        done = msgspec.structs.replace(
            delivery, status=DeliveryStatus.DONE, attempts=3, error=""
        )
        await w.store.put_records(done)
        row = (await admin.call("delivery.resend", {"delivery": test["id"]}))[
            "delivery"
        ]
        assert (row["status"], row["attempts"]) == ("queued", 0)
        query = {"webhook": made["id"], "status": "done"}
        assert (await admin.call("deliveries.list", query))["rows"] == []


async def test_switched_on_again_it_begins_anew() -> None:
    async with world() as w, w.client("a2") as admin:
        made = (await admin.call("webhook.put", PUT))["webhook"]
        hook = await w.store.find_record(Webhook, made["id"])
        assert hook is not None
        off = msgspec.structs.replace(
            hook, is_active=False, note="Switched off", failing_since=1, told_from=1
        )
        await w.store.put_records(off)
        row = (await admin.call("webhook.put", {**PUT, "webhook": hook.id}))["webhook"]
        assert (row["is_active"], row["note"], row["failing_since"]) == (True, "", None)
        renewed = await w.store.find_record(Webhook, hook.id)
        assert renewed is not None
        assert renewed.told_from >= hook.told_from
