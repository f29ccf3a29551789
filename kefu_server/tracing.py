"""The way of each message as spans of OpenTelemetry, where the settings ask for it.

The library is imported only then (extra `otel`). What is not said here it reads from
its own variables, such as `OTEL_TRACES_SAMPLER` and `OTEL_SERVICE_NAME`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from kefu_core.abc.tracing import MessageTrace, MessageTracer
from kefu_core.errors import ConfigurationError
from kefu_server.settings import Settings
from kefu_server.versions import installed_version

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_END_MS = 2_000


class SpanTrace(MessageTrace):
    """A span for the message, and one inside it for each step."""

    def __init__(
        self, tracer: "Tracer", inside: Callable[[Any], Any], root: "Span"
    ) -> None:
        """Take what makes spans, what puts them inside another, and the outer one."""
        self._tracer = tracer
        self._inside = inside
        self._root = root
        self._step: Span | None = None
        self._has_ended = False

    def step(self, name: str) -> None:
        """End the step before, begin this one."""
        if self._has_ended:
            return
        if self._step is not None:
            self._step.end()
        context = self._inside(self._root)
        self._step = self._tracer.start_span(f"kefu.{name}", context=context)

    def stored(self, seq: int, *, is_duplicate: bool) -> None:
        """Say which message of its conversation it has become."""
        self._root.set_attribute("kefu.seq", seq)
        self._root.set_attribute("kefu.is_duplicate", is_duplicate)

    def end(self, outcome: str) -> None:
        """End what is open."""
        if self._step is not None:
            self._step.end()
        self._has_ended = True
        self._root.set_attribute("kefu.outcome", outcome)
        self._root.end()


class SpanTracer(MessageTracer):
    """Makes spans by a tracer of OpenTelemetry."""

    def __init__(self, tracer: "Tracer") -> None:
        """Take whichever provider's tracer."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        self._tracer = tracer
        self._kind = SpanKind.SERVER
        self._inside = set_span_in_context

    def begin(
        self, *, conversation: int, connection: str, request: str, transport: str
    ) -> MessageTrace | None:
        """Begin a span that belongs to nobody else's."""
        root = self._tracer.start_span(
            "kefu.message",
            kind=self._kind,
            attributes={
                "kefu.conversation": conversation,
                "kefu.connection": connection,
                "kefu.request": request,
                "kefu.transport": transport,
            },
        )
        if not root.is_recording():
            return None
        return SpanTrace(self._tracer, self._inside, root)


@contextmanager
def _sending(url: str) -> Iterator[MessageTracer]:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            f"traces_url = {url!r} needs OpenTelemetry ({error}); install it with: "
            "pip install 'kefu[otel]'"
        ) from error
    about = {"service.name": "kefu", "service.version": installed_version()}
    # Its own variables say more, and win.
    resource = Resource(about).merge(Resource.create())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    try:
        yield SpanTracer(provider.get_tracer("kefu", installed_version()))
    finally:
        provider.force_flush(_END_MS)
        provider.shutdown()


@contextmanager
def _off() -> Iterator[None]:
    yield None


def tracing(settings: Settings) -> AbstractContextManager[MessageTracer | None]:
    """Trace messages inside the block, where the settings ask for it.

    Raises:
        ConfigurationError: The library is not there.
    """
    return _sending(settings.traces_url) if settings.traces_url else _off()
