"""The way of each message as spans; nothing of what is written in them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from msgspec.structs import replace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from kefu_core.abc.store import PendingAppend
from kefu_core.errors import StoreUnavailable
from kefu_core.protocol import frames as f
from kefu_core.store.memory import MemoryStore
from kefu_server.app import create_app
from kefu_server.settings import Settings
from kefu_server.tracing import SpanTracer, tracing
from tests.core.hub.world import World, send, world

pytestmark = pytest.mark.anyio

STEPS = ["kefu.check", "kefu.commit", "kefu.fan-out", "kefu.write"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _say(w: World, body: str) -> None:
    """Have v1 send a message that a7 sees."""
    conversation = await w.conversation()
    v1 = await w.follower("v1", conversation)
    a7 = await w.follower("a7", conversation)
    await v1.say(send(conversation, 1, body))
    await v1.expect(f.Sent)
    await a7.bodies(1)


def _spans(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return sorted(exporter.get_finished_spans(), key=lambda each: each.start_time or 0)


async def test_a_message_is_one_span_with_its_steps_inside() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with world() as w:
        w.hub.tracer = SpanTracer(provider.get_tracer("test"))
        await _say(w, "canary-text")
    provider.shutdown()
    root, *steps = _spans(exporter)
    assert root.name == "kefu.message"
    assert root.attributes is not None
    assert root.attributes["kefu.seq"] == 1
    assert root.attributes["kefu.outcome"] == "written"
    assert root.attributes["kefu.transport"] == "memory"
    assert [each.name for each in steps] == STEPS
    for step in steps:
        assert step.parent is not None
        assert step.parent.span_id == root.context.span_id
    for earlier, later in pairwise(steps):
        assert (earlier.end_time or 0) <= (later.end_time or 0)
    assert "canary" not in str([each.to_json() for each in _spans(exporter)])


async def test_what_is_refused_ends_with_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(append: PendingAppend) -> None:
        raise StoreUnavailable

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with world() as w:
        w.hub.tracer = SpanTracer(provider.get_tracer("test"))
        conversation = await w.conversation()
        v1 = await w.follower("v1", conversation)
        monkeypatch.setattr(w.store, "submit", refuse)
        await v1.say(send(conversation, 1, "canary-text"))
        await v1.expect(f.ErrorFrame)
    provider.shutdown()
    root = _spans(exporter)[0]
    assert root.attributes is not None
    assert root.attributes["kefu.outcome"] == "unavailable"


async def test_what_is_not_sampled_costs_no_steps() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(sampler=ALWAYS_OFF)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with world() as w:
        w.hub.tracer = SpanTracer(provider.get_tracer("test"))
        await _say(w, "hello")
    provider.shutdown()
    assert _spans(exporter) == []


@contextmanager
def _collector(bodies: list[bytes]) -> Iterator[str]:
    """Take what is sent by OTLP over HTTP; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_spans_reach_a_collector_before_the_server_is_gone() -> None:
    bodies: list[bytes] = []
    with _collector(bodies) as url, tracing(Settings(traces_url=url)) as tracer:
        async with world() as w:
            w.hub.tracer = tracer
            await _say(w, "canary-text")
    names = []
    for body in bodies:
        assert b"canary" not in body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names += [s.name for scope in resource.scope_spans for s in scope.spans]
    assert sorted(names) == sorted(["kefu.message", *STEPS])


async def test_the_server_traces_what_its_node_does(
    settings: Settings, store: MemoryStore
) -> None:
    with _collector([]) as url:
        app = create_app(replace(settings, traces_url=url), store=store)
        async with app.router.lifespan_context(app):
            assert isinstance(app.state.node.hub.tracer, SpanTracer)


def test_without_the_setting_the_library_is_not_even_imported() -> None:
    code = (
        "import sys, kefu_server.app, kefu_server.tracing as t; "
        "from kefu_server.settings import Settings; "
        "assert t.tracing(Settings()).__enter__() is None; "
        "assert not [m for m in sys.modules if m.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
