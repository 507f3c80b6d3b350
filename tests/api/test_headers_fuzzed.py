"""The head of a request, by property: each reader on the way of a charge reads it exactly or refuses it by name."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eci_payments.api.authentication import given_key, given_token
from eci_payments.api.bodies import MAX_BODY_BYTES, read_document
from eci_payments.api.client_address import client_address, limited_as, networks
from eci_payments.api.errors import WireError
from eci_payments.domain.api_keys import presented
from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability.context import of_headers
from eci_payments.observability.traces import parse_traceparent
from support.cards import card_numbers
from support.streams import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES = st.binary(max_size=80) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
HEX = "0123456789abcdef"
TRACEPARENTS = st.tuples(
    st.sampled_from(["00", "01", "ff", "0"]),
    st.text(HEX, min_size=30, max_size=33),
    st.text(HEX, min_size=15, max_size=17),
    st.sampled_from(["00", "01", "ff", "zz", "01-more"]),
).map(lambda parts: "-".join(parts).encode())


@given(
    st.lists(BYTES | card_numbers().map(str.encode), max_size=2),
    st.lists(TRACEPARENTS | BYTES, max_size=2),
    st.lists(BYTES, max_size=3),
)
def test_whatever_says_whose_a_request_is_it_has_ids_that_can_be_handed_on(ids, parents, states):
    headers = [
        *((b"x-correlation-id", value) for value in ids),
        *((b"traceparent", value) for value in parents),
        *((b"tracestate", value) for value in states),
    ]
    found = of_headers(headers)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", found.correlation_id)
    assert not contains_card_number(found.correlation_id)
    assert parse_traceparent(found.trace.traceparent) is not None
    assert re.fullmatch(r"[ -~]*", found.trace.tracestate)
    if found.parent is not None:
        assert found.parent.trace_id == found.trace.trace_id


@given(st.lists(st.tuples(st.sampled_from([b"authorization", b"x-api-key"]), BYTES), max_size=3))
@example([(b"authorization", b"Bearer")])
@example([(b"authorization", b"Bearer  \xa0"), (b"x-api-key", b"")])
def test_whatever_a_key_is_it_is_taken_as_it_is_or_refused(headers):
    try:
        text = given_key({"headers": headers})
    except WireError as refused:
        assert refused.code == "unauthorized"  # noqa: PT017 - not always refused
    else:
        assert text is None or presented(text) is None


@given(st.binary(max_size=120) | st.binary(max_size=60).map(lambda noise: b"token=" + noise))
@example(b"token=eci_read_1_1_1_%41&token=eci_read_")
def test_whatever_a_read_token_is_it_is_taken_as_it_is_or_refused(query):
    scope = {"query_string": query, "path": "/v1/payments/1", "headers": []}
    try:
        text = given_token(scope)
    except WireError as refused:
        assert refused.code == "unauthorized"  # noqa: PT017 - as above
    else:
        assert text is None or text.startswith("eci_read_")


def received(pieces: list[bytes]):
    """A `receive` of ASGI that brings these pieces of a body."""
    messages = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ] or [{"type": "http.request"}]
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    return receive


MEDIA = (
    st.sampled_from([b"application/json", b"Application/JSON ; charset=UTF-8", b"text/plain", b""]) | BYTES
)
LENGTHS = st.sampled_from([b"0", b"17", b"65537", b"9" * 300, b"-1", b"+5", b"1_0", b"\xb2"]) | BYTES
FIELDS = st.one_of(
    st.tuples(st.just(b"content-type"), MEDIA),
    st.tuples(st.just(b"content-length"), LENGTHS),
    st.tuples(st.just(b"content-encoding"), st.sampled_from([b"gzip", b"identity", b" "]) | BYTES),
)


@given(st.lists(FIELDS, max_size=4), st.lists(BYTES | st.just(b'{"a": 1}'), max_size=4), st.booleans())
@example([(b"content-type", b"application/json")], [b"x" * MAX_BODY_BYTES, b"xx"], False)  # noqa: FBT003 - optional
def test_whatever_is_said_of_a_body_it_is_read_or_refused(headers, pieces, optional):
    reading = read_document({"headers": headers}, received(pieces), optional=optional)
    try:
        document = asyncio.run(reading)
    except WireError as refused:
        assert refused.code in {"payload_too_large", "unsupported_media_type", "malformed_json"}  # noqa: PT017 - as above
    else:
        assert document == {} or any(pieces)


TRUSTED = networks(["10.0.0.0/8", "fd00::/8"])
HOPS = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(
        ["10.0.0.7", "fd00::1", "unknown", "", "::ffff:10.0.0.1", "1.2.3.4:5", "[::1]", "fe80::1%eth0"]
    ),
    st.text(max_size=12),
)


@given(
    st.lists(HOPS, max_size=30).map(",".join), st.sampled_from(["10.1.2.3", "192.0.2.1", "testclient", None])
)
def test_whoever_is_said_to_ask_it_is_an_address_and_nobody_untrusted_chooses_it(forwarded, peer):
    headers = [(b"x-forwarded-for", forwarded.encode("utf-8", "surrogatepass"))]
    scope = {"headers": headers, "client": None if peer is None else (peer, 1)}
    found = client_address(scope, TRUSTED)
    if peer != "10.1.2.3":
        assert found == peer
    elif found != peer:
        ip_address(str(found))
    if found is not None:
        assert limited_as(limited_as(found).partition("/")[0]) == limited_as(found)


async def everything_is_well(scope, receive, send):
    """An app that reads what there is and says so."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] != "http.disconnect":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


@contextmanager
def web_server() -> Iterator[int]:
    """Our own web server in a thread; its port."""
    ports: list[int] = []
    stop, up = threading.Event(), threading.Event()

    async def serve() -> None:
        async with listening(everything_is_well) as port:  # type: ignore[arg-type] # any ASGI app will do
            ports.append(port)
            up.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert up.wait(20)
        yield ports[0]
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with web_server() as found:
        yield found


def answers(port: int, sent: bytes) -> bytes:
    """Everything that is answered to these bytes, and then nothing more being said."""
    with socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while piece := line.recv(65536):
                found += piece
        except ConnectionResetError:  # it was refused, and we had not sent all
            pass
        return found


LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /v1/payments/charge HTTP/1.1",
        b"Host: x",
        b"Content-Length: 3",
        b"Content-Length: 3, 3",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Connection: close",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"5\r\nhello",
        b"0",
        b"abc",
        b"",
        b" folded",
        b"Name : value",
        b"PRI * HTTP/2.0",
        b"GET http://x/ HTTP/1.0",
    ]
) | st.binary(max_size=24)


@settings(max_examples=150)
@given(
    st.lists(LINES, max_size=10),
    st.sampled_from([b"\r\n", b"\n", b"\r"]),
)
@example([b"GET / HTTP/1.1", b"Host: x", b"", b"GET / HTTP/1.1", b"Host: x", b"Host: y", b""], b"\r\n")
@example(
    [b"POST / HTTP/1.1", b"Host: x", b"Transfer-Encoding: chunked", b"Content-Length: 3", b"", b"0", b""],
    b"\r\n",
)
def test_whatever_bytes_come_they_are_a_request_or_refused_and_the_server_goes_on(port, sent, end):
    said = answers(port, end.join([*sent, b""]))
    statuses = [int(each) for each in re.findall(rb"^HTTP/1\.1 (\d+) ", said, re.MULTILINE)]
    assert set(statuses) <= {100, 200, 400}
    assert not said or said.startswith(b"HTTP/1.1 ")
    assert answers(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200 ")
