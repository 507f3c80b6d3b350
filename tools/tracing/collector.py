"""A collector of one's own on loopback: takes OTLP over HTTP (protobuf) and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Seen:
    """One span, as it was sent. Times are nanoseconds since 1970."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    begun_ns: int
    ended_ns: int
    failed: bool
    attributes: dict[str, Value]
    resource: dict[str, Value]

    @property
    def process(self) -> str:
        """Which of our commands it comes from."""
        return str(self.resource.get("eci.process", "?"))


@dataclass(slots=True)
class Collected:
    """What came so far. ``hangs``: take requests and never answer, until ``released``."""

    address: str = ""
    spans: list[Seen] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hangs: bool = False
    asked: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def trace(self, trace_id: str) -> list[Seen]:
        """The spans of one trace, those first that began first."""
        return sorted(
            (span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.begun_ns
        )


@contextmanager
def collecting(*, hangs: bool = False) -> Iterator[Collected]:
    """A collector while the block lasts."""
    collected = Collected(hangs=hangs)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collected.asked += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if collected.hangs:
                collected.released.wait()
                return
            _take(collected, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            collected.headers.append({name.lower(): value for name, value in self.headers.items()})
            content = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collected.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield collected
    finally:
        collected.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _take(collected: Collected, body: bytes) -> None:
    request = ExportTraceServiceRequest.FromString(body)
    collected.bodies.append(body)
    for sent in request.resource_spans:
        resource = _values(sent.resource.attributes)
        collected.spans.extend(_seen(span, resource) for scope in sent.scope_spans for span in scope.spans)


def _seen(span: Span, resource: dict[str, Value]) -> Seen:
    return Seen(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        begun_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        resource=resource,
    )


def _values(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
