"""What Prometheus reads, and the dashboard that shows it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kefu_core.model import Draft, Person, Role
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId
from kefu_server.app import KefuApp, create_app
from kefu_server.sections import MetricsSettings, Secret
from kefu_server.settings import Settings
from tests.server.conftest import SITE, connect

TOKEN = "metrics-canary-0123456789"
DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "kefu.json"
LATER = {"kefu_translation_chars_total", "kefu_translation_failures_total"}
"""There only where something translates."""

pytestmark = pytest.mark.anyio


@pytest.fixture
async def measured(settings: Settings, store: MemoryStore) -> AsyncIterator[KefuApp]:
    shown = MetricsSettings(token=Secret(TOKEN))
    app = create_app(msgspec.structs.replace(settings, metrics=shown), store=store)
    async with app.router.lifespan_context(app):
        yield app


async def read(client: httpx.AsyncClient) -> dict[str, dict[Any, float]]:
    """Return every sample: name to labels to value."""
    answer = await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert TOKEN not in answer.text
    found: dict[str, dict[Any, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation or family.name.startswith("process_")
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def test_a_message_is_seen_in_the_figures(
    measured: KefuApp, store: MemoryStore
) -> None:
    services = measured.state.services
    person = Person(id=ParticipantId("v1"), name="secret-name", role=Role.VISITOR)
    row = await store.open_conversation(SITE.id, person)
    async with connect(measured) as client:
        before = await read(client)
        draft = Draft(conversation=row.id, sender=person.id, key="k", body="secret")
        await services.hub.append(draft)
        after = await read(client)
        text = (
            await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        ).text
    assert "secret" not in text
    stored = "kefu_stored_messages_total"
    assert after[stored][()] == before[stored][()] + 1
    for name in ("kefu_message_wait_seconds", "kefu_commit_messages"):
        assert after[f"{name}_count"][()] == before[f"{name}_count"][()] + 1
        full = after[f"{name}_bucket"][(("le", "+Inf"),)]
        assert full == after[f"{name}_count"][()]
    assert after["kefu_tasks"][()] >= 1
    assert after["kefu_queue_conversations"][()] == 1
    assert after["kefu_agents"] == {(("status", "offline"),): 1}


async def test_the_dashboard_shows_nothing_that_is_not_measured(
    measured: KefuApp,
) -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    shown = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            shown |= set(re.findall(r"\b(?:kefu|process)_[a-z_]+", target["expr"]))
    async with connect(measured) as client:
        answer = await client.get(
            "/metrics", headers={"authorization": f"Bearer {TOKEN}"}
        )
    known = set()
    for family in text_string_to_metric_families(answer.text):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket"]}
        known |= {family.name + s for s in suffixes.get(family.type, [""])}
    assert len(shown) > 20
    assert shown - known == LATER


@pytest.mark.parametrize("shown", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}"])
async def test_who_shows_no_token_learns_nothing(measured: KefuApp, shown: str) -> None:
    async with connect(measured) as client:
        answer = await client.get("/metrics", headers={"authorization": shown})
    assert answer.status_code == 404
    assert "kefu_" not in answer.text


async def test_without_a_token_in_the_settings_there_is_no_page(app: KefuApp) -> None:
    async with connect(app) as client:
        for shown in ("Bearer ", "", "Bearer x"):
            answer = await client.get("/metrics", headers={"authorization": shown})
            assert answer.status_code == 404
