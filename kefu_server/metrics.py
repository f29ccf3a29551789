"""What runs here, as Prometheus reads it.

Nothing is measured twice: each figure is what the node counts anyway, read when it is
asked for. Counters begin anew with the process, as Prometheus expects.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import anyio
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

import kefu_core
from kefu_core.abc.translator import EconomyFigures
from kefu_core.counts import TIMES_S, Histogram, HistogramValue
from kefu_core.desk.statistics import DeskStatistics
from kefu_core.hub.statistics import HubStatistics

if TYPE_CHECKING:
    from kefu_core.node import Node
    from kefu_server.services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LAG_EVERY_S = 0.25


class LoopLag:
    """How late the event loop comes to what is due: who makes everybody wait."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.late = Histogram(TIMES_S)
        self.now = now

    async def run(self) -> None:
        """Look four times a second, until cancelled."""
        while True:
            due = self.now() + _LAG_EVERY_S
            await anyio.sleep(_LAG_EVERY_S)
            self.late.add(max(0.0, self.now() - due))


async def page(node: "Node", services: "Services", lag: LoopLag) -> bytes:
    """Return all figures in Prometheus' text format."""
    registry = CollectorRegistry()
    desk = await services.desk.statistics()
    registry.register(_Kefu(node, services, desk, lag))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Kefu(Collector):
    def __init__(
        self, node: "Node", services: "Services", desk: DeskStatistics, lag: LoopLag
    ) -> None:
        self._node = node
        self._services = services
        self._desk = desk
        self._lag = lag

    def collect(self) -> Iterable[Metric]:
        version = {"version": kefu_core.__version__}
        yield InfoMetricFamily("kefu", "The program that runs.", version)
        yield from _hub(self._services.hub.statistics())
        yield from self._store()
        yield from _desk(self._desk)
        text = "How late the event loop came to what was due."
        yield _histogram("kefu_loop_lag_seconds", text, self._lag.late.value())
        yield _gauge("kefu_tasks", "Asyncio tasks.", len(asyncio.all_tasks()))
        if self._node.economy is not None:
            yield from _translation(self._node.economy.figures, self._lag.now())

    def _store(self) -> Iterable[Metric]:
        now = self._services.store.statistics()
        yield _counter("kefu_stored_messages", "Messages stored.", now.messages)
        yield _gauge(
            "kefu_store_waiting_messages", "Not yet stored.", now.appends_waiting
        )
        yield _gauge("kefu_store_waiting_bytes", "Not yet stored.", now.bytes_waiting)
        text = "Messages that one transaction held."
        yield _histogram("kefu_commit_messages", text, now.commit_messages)
        text = "How long a transaction with messages took."
        yield _histogram("kefu_commit_seconds", text, now.commit_s)
        text = "Connections to the database that read now."
        yield _gauge("kefu_database_reads", text, now.reads)


def _hub(now: HubStatistics) -> Iterable[Metric]:
    yield _by("kefu_connections", "Open ones.", "transport", now.connections)
    yield _gauge("kefu_connections_pending", "Not yet welcomed.", now.hello_pending)
    yield _gauge("kefu_participants", "Who has a connection.", now.participants)
    text = "Conversations that somebody has open."
    yield _gauge("kefu_conversations_followed", text, now.conversations)
    text = "Connections and requests that no session saw, by status."
    yield _counters("kefu_refused", text, "status", now.refused)
    yield _counters("kefu_errors", "Frames `error`.", "code", now.errors)
    text = "Connections that ended; 4202: a reader that was too slow."
    yield _counters("kefu_closes", text, "code", now.closes)
    text = "Reads that found damage in the log; kefu audit names it."
    yield _counter("kefu_damaged_reads", text, now.damaged)
    text = "Messages handed to connections."
    yield _counter("kefu_delivered_messages", text, now.delivered)
    text = "Reads for connections that were behind."
    yield _counter("kefu_catch_ups", text, now.catch_ups)
    text = "From a message's arrival until it was stored or refused."
    yield _histogram("kefu_message_wait_seconds", text, now.waits)
    text = "From a commit until the receiver's program said that it has the message."
    yield _histogram("kefu_delivery_seconds", text, now.deliveries)
    text = "How long a poll was held before it was answered."
    yield _histogram("kefu_poll_hold_seconds", text, now.polls)
    text = "Frames that wait for their readers."
    yield _gauge("kefu_outbox_frames", text, now.outbox_frames)
    text = "Frames that wait for the slowest reader."
    yield _gauge("kefu_outbox_frames_max", text, now.outbox_frames_max)
    text = "Bytes that wait for their readers."
    yield _gauge("kefu_outbox_bytes", text, now.outbox_bytes)


def _desk(now: DeskStatistics) -> Iterable[Metric]:
    yield _by("kefu_agents", "Accounts by status.", "status", now.agents)
    yield _gauge("kefu_queue_conversations", "Waiting for an agent.", now.waiting)
    text = "How long the first of them has waited."
    yield _gauge("kefu_queue_oldest_seconds", text, now.waiting_s)
    text = "Open conversations that an agent has."
    yield _gauge("kefu_conversations_answered", text, now.answered)
    yield _gauge("kefu_visits", "People on the sites' pages now.", now.visits)


def _translation(now: EconomyFigures, at_s: float) -> Iterable[Metric]:
    calls = _empty_counter("kefu_translation_calls", "Requests.", "provider")
    chars = _empty_counter("kefu_translation_chars", "Translated.", "provider")
    seconds = _empty_counter("kefu_translation_seconds", "All calls.", "provider")
    text = "Requests that failed, by reason."
    failures = _empty_counter("kefu_translation_failures", text, "provider", "reason")
    text = "1 while it is left alone, after failures."
    paused = GaugeMetricFamily("kefu_translation_paused", text, labels=["provider"])
    for each in now.services:
        paused.add_metric([each.provider], float(each.paused_until > at_s))
        calls.add_metric([each.provider], each.calls)
        chars.add_metric([each.provider], each.chars)
        seconds.add_metric([each.provider], each.seconds)
        for reason, count in each.failures.items():
            failures.add_metric([each.provider, reason], count)
    hits = _empty_counter("kefu_translation_hits", "Texts known before.", "provider")
    for provider, count in now.hits.items():
        hits.add_metric([provider], count)
    yield from (calls, chars, seconds, failures, hits, paused)
    text = "Calls that a budget forbade."
    yield _counter("kefu_translation_over_budget", text, now.refusals)


# -- forms -------------------------------------------------------------------------


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _empty_counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def _counters(
    name: str, text: str, label: str, values: Mapping[str, Mapping[str, int]]
) -> Metric:
    family = _empty_counter(name, text, "transport", label)
    for transport, words in values.items():
        for word, count in words.items():
            family.add_metric([transport, word], count)
    return family


def _histogram(name: str, text: str, value: HistogramValue) -> Metric:
    bounds = [*map(str, value.bounds), "+Inf"]
    reached, buckets = 0, []
    for bound, count in zip(bounds, value.counts, strict=True):
        reached += count
        buckets.append((bound, reached))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=value.total)
