from __future__ import annotations

import asyncio
import json
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from eci_payments.delivery.peers import PeerRequest, peer, request
from eci_payments.delivery.sender import MAX_ANSWER_BYTES, Answer, HttpSender
from eci_payments.delivery.shapes import PeerName
from support.certificates import self_signed
from support.shop import event, payment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from support.standins import StandIns

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    made = HttpSender(timeout_s=0.5)
    yield made
    await made.close()


def call(base_url: str) -> PeerRequest:
    return PeerRequest("POST", f"{base_url}/v1/x", b"{}", "key")


@asynccontextmanager
async def server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://localhost:{port}"
    finally:
        listening.close()


def answering(raw: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return handle


async def test_what_is_sent_arrives_as_it_was_made(sender: HttpSender, standins: StandIns):
    made = request(peer(PeerName.ORDER, standins.url), event(payment(order_id="a.b-c")))
    answer = await sender.send(made, {"Content-Type": "application/json", "Idempotency-Key": '"k"'})
    assert answer == Answer(200)
    (arrived,) = standins.received("order")
    assert arrived["path"] == "/v1/orders/a.b-c/payment-status"
    assert json.loads(arrived["body"]) == json.loads(made.body)
    assert arrived["idempotency_key"] == '"k"'


async def test_an_encoded_path_is_not_encoded_or_decoded_again(sender: HttpSender):
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        await answering(b"HTTP/1.1 204 No Content\r\n\r\n")(reader, writer)

    async with server(handle) as url:
        made = PeerRequest("PATCH", f"{url}/v1/a%2Fb%3Fc%20d/..%2F", b"{}", "k")
        assert (await sender.send(made, {})).status == 204
    assert seen == [b"PATCH /v1/a%2Fb%3Fc%20d/..%2F HTTP/1.1\r\n"]


async def test_a_refused_connection_is_no_answer(sender: HttpSender):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    answer = await sender.send(call(f"http://127.0.0.1:{port}"), {})
    assert answer.status is None
    assert "Cannot connect" in (answer.error or "")


@pytest.mark.parametrize(
    "part", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
)
async def test_a_peer_that_falls_silent_is_given_up_in_time(sender: HttpSender, part: bytes):
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(part)(reader, writer)
        await reader.read()

    async with server(handle) as url:
        answer = await sender.send(call(url), {})
    assert answer == Answer(None, error="no answer within 0.5 s")


async def test_an_endless_answer_is_not_read(sender: HttpSender):
    sent = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()
            sent += 4096

    async with server(handle) as url:
        assert (await sender.send(call(url), {})).status == 200
    assert sent < 100 * MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 999999 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 90_000,
    ],
)
async def test_nonsense_is_no_answer_and_no_exception(sender: HttpSender, raw: bytes):
    async with server(answering(raw)) as url:
        answer = await sender.send(call(url), {})
    assert answer.status is None
    assert answer.error


async def test_a_redirect_is_an_answer_and_not_followed(sender: HttpSender):
    calls = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await answering(b"HTTP/1.1 307 x\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")(
            reader, writer
        )

    async with server(handle) as url:
        assert (await sender.send(call(url), {})).status == 307
    assert calls == 1


async def test_retry_after_is_handed_on(sender: HttpSender):
    raw = b"HTTP/1.1 503 x\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n"
    async with server(answering(raw)) as url:
        assert await sender.send(call(url), {}) == Answer(503, "17")


async def test_a_header_that_could_split_the_request_is_never_sent(sender: HttpSender, standins: StandIns):
    answer = await sender.send(call(standins.url), {"X-Correlation-Id": "a\r\nX-Evil: b"})
    assert answer.status is None
    assert standins.received(taken=False) == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(sender: HttpSender, tmp_path: Path):
    async with server(
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), self_signed(tmp_path)
    ) as url:
        answer = await sender.send(call(url), {})
    assert answer.status is None
    assert "certificate" in (answer.error or "").lower()


async def test_connections_are_used_again(sender: HttpSender):
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def ignoring_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except asyncio.IncompleteReadError:
            return

    async with server(ignoring_the_end) as url:
        assert [(await sender.send(call(url), {})).status for _ in range(5)] == [200] * 5
        await sender.close()
    assert connections == 1
