"""Spans to a collector, by OTLP over HTTP (protobuf): OpenTelemetry's own SDK and exporter.

Imported only where traces are asked for: the SDK costs 0.1 s and some megabytes of every process.

Nothing here is waited for. A span that has ended goes into the SDK's bounded queue, which a thread of its own empties;
while the collector is away or slow, the queue runs over and the oldest spans are lost. The standard variables for the
queue hold (``OTEL_BSP_MAX_QUEUE_SIZE`` and its like), as do ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SDK_DISABLED``.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.util.re import parse_env_headers

from eci_payments import __version__
from eci_payments.observability.spans import NAMES, Kind, Span
from eci_payments.observability.structures import Masker
from eci_payments.observability.traces import TraceContext

EXPORT_TIMEOUT_S = 5.0
"""For one batch with its repetitions: a collector beside us takes it in milliseconds."""
QUIET_S = 60.0
"""A collector that is away is said once in so many seconds, not once per batch."""
_LOGS = (trace_exporter.__name__, "opentelemetry.sdk._shared_internal")
"""Where the SDK says that a batch or a span was lost."""
_KINDS = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.CONSUMER: SpanKind.CONSUMER,
}
_FROM_ELSEWHERE = frozenset({Kind.SERVER, Kind.CONSUMER})


class Collector:
    """A `spans.Recorder` that sends to the collector at ``endpoint`` (without ``/v1/traces``).

    ``headers`` are those of the specification's OTEL_EXPORTER_OTLP_HEADERS: ``name=value`` with commas between.
    """

    def __init__(self, endpoint: str, headers: str, *, service: str, process: str) -> None:
        self._quiet = {logging.getLogger(name): Seldom() for name in _LOGS}
        for log, seldom in self._quiet.items():
            log.addFilter(seldom)
        session = requests.Session()
        session.trust_env = False
        self._exporter = CountingExporter(
            trace_exporter.OTLPSpanExporter(
                f"{endpoint}/v1/traces",
                headers=parse_env_headers(headers, liberal=True),
                timeout=EXPORT_TIMEOUT_S,
                session=session,
            )
        )
        self._recorded = 0
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=_resource(service, process),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("eci_payments", __version__)

    def record(self, span: Span) -> None:
        """Into the queue, masked."""
        self._ids.given = span.context
        made = self._tracer.start_span(
            span.name,
            _within(span),
            _KINDS[span.kind],
            _attributes(span),
            start_time=span.begun_ns,
        )
        if span.error is not None:
            made.set_status(StatusCode.ERROR)
        made.end(span.ended_ns)
        self._recorded += 1

    def counts(self) -> Mapping[str, int]:
        """Spans since the start: all, those that the collector took, and those that it could not be given."""
        return {"recorded": self._recorded, "sent": self._exporter.sent, "failed": self._exporter.failed}

    def close(self, within_s: float) -> None:
        """Send what waits. What cannot be sent in this time is given up with the process."""
        self._closing.start()
        self._closing.join(within_s)
        self._exporter.shutdown()
        for log, seldom in self._quiet.items():
            log.removeFilter(seldom)


class CountingExporter(SpanExporter):
    """Counts what the exporter within sends, and what it could not."""

    def __init__(self, within: SpanExporter) -> None:
        self._within = within
        self.sent = self.failed = 0
        self._is_over = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """One batch, on the queue's own thread."""
        if self._is_over:
            return SpanExportResult.FAILURE
        result = self._within.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.sent += len(spans)
        else:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """No more batches are sent, and none is tried again; repeating it does nothing."""
        if not self._is_over:
            self._is_over = True
            self._within.shutdown()


class _GivenIds(IdGenerator):
    """The ids that our own trace context has drawn: they are in headers and rows before the span ends.

    Set and read in one call without a pause, on the event loop's thread.
    """

    given: TraceContext

    def generate_span_id(self) -> int:
        return int(self.given.span_id, 16)

    def generate_trace_id(self) -> int:
        return int(self.given.trace_id, 16)


class Seldom(logging.Filter):
    """Lets one line through in `QUIET_S`."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, _record: logging.LogRecord) -> bool:
        """Whether this is the one."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + QUIET_S
        return True


def _resource(service: str, process: str) -> Resource:
    return Resource.create(
        {
            "service.name": service,
            "service.version": __version__,
            "service.instance.id": str(uuid.uuid4()),
            "eci.process": process,
        }
    )


def _within(span: Span) -> Context:
    """The parent's place. That of a span that begins somebody's work here is in another process."""
    parent = span.parent
    if parent is None:
        return Context()
    place = SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=span.kind in _FROM_ELSEWHERE,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([parent.tracestate]) if parent.tracestate else None,
    )
    return set_span_in_context(NonRecordingSpan(place), Context())


def _attributes(span: Span) -> dict[str, str | int]:
    masker = Masker()
    masked = {NAMES.get(name, f"eci.{name}"): masker.value(value, name) for name, value in span.about.items()}
    if span.error is not None:
        masked["error.type"] = masker.value(span.error)
    return {name: value for name, value in masked.items() if isinstance(value, str | int)}
