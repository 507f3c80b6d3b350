"""The app behind the real web server, asked byte by byte."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from contextlib import suppress

import httpx
import pytest

from eci_payments.api.server import Server, configured
from support.api import CHARGE, charge_body


@pytest.fixture
async def port(api):
    """Where the app listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(configured(api.app, grace_s=1.0))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await running


_keys = itertools.count(1)


async def talk(port: int, *parts: bytes) -> bytes:
    """What comes back for these bytes, to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def head(*lines: str, method: str = "POST", path: str = CHARGE) -> bytes:
    fields = [
        "Host: test",
        f"Idempotency-Key: wire-{next(_keys)}",
        "Content-Type: application/json",
        "Connection: close",
        *lines,
    ]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *fields, "", ""]).encode()


def answer(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    top, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(first.split()[1]), headers, body


async def test_a_charge_over_the_wire(api, port):
    body = json.dumps(charge_body()).encode()
    status, headers, sent = answer(await talk(port, head(f"Content-Length: {len(body)}"), body))
    assert status == 201
    assert (await api.get(headers["location"])).json() == json.loads(sent)
    assert "server" not in headers


async def test_a_body_in_chunks_and_one_that_waits_for_leave(port):
    body = json.dumps(charge_body()).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    status, _, sent = answer(await talk(port, head("Transfer-Encoding: chunked"), chunks))
    assert status == 201, sent
    other = json.dumps(charge_body()).encode()
    raw = await talk(port, head(f"Content-Length: {len(other)}", "Expect: 100-continue"), other)
    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201")


async def test_a_body_that_says_it_is_too_large_is_refused_unread(port):
    status, headers, body = answer(await talk(port, head("Content-Length: 65537")))
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert json.loads(body)["code"] == "payload_too_large"


async def test_a_chunked_body_that_does_not_end_is_refused(port):
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    raw = await talk(port, head("Transfer-Encoding: chunked"), *[chunk] * 17)
    assert answer(raw)[0] == 413


async def test_a_caller_that_hangs_up_in_the_middle_changes_nothing(api, port):
    before = (await api.get("/v1/payments")).json()["total"]
    body = json.dumps(charge_body()).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(f"Content-Length: {len(body)}") + body[:-1])
    await writer.drain()
    writer.close()
    assert await reader.read() == b""
    await asyncio.sleep(0.1)
    assert (await api.get("/v1/payments")).json()["total"] == before


async def test_head_has_no_body_on_the_wire(port):
    status, headers, body = answer(await talk(port, head(method="HEAD", path="/health")))
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/payments/order/wire%2D1", 404),
        ("/v1/payments/order/%zz", 422),
        ("/v1/payments/order/%ff", 422),
        ("/v1/payments/order/%00", 422),
        ("/v1/payments/order/%0d%0aX-Evil:1", 422),
        ("/v1/payments/order/a%2fb", 404),
        ("/v1/payments?status=%00", 422),
        ("/v1/payments?%", 422),
        ("//v1/payments", 404),
        ("*", 404),
    ],
)
async def test_odd_targets(port, path, status):
    raw = await talk(port, head(method="GET", path=path))
    assert answer(raw)[0] == status
    assert answer(raw)[1]["content-type"] == "application/problem+json"
    assert b"x-evil" not in raw.lower().partition(b"\r\n\r\n")[0]


async def test_garbage_is_a_problem_too(port):
    status, headers, body = answer(await talk(port, b"CHARGE ME NOW\r\n\r\n"))
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["code"] == "malformed_request"


async def test_one_connection_goes_on_after_a_refusal(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for status in (422, 415, 400, 201):
            sent = {422: "{}", 415: "{}", 400: "{", 201: json.dumps(charge_body())}[status]
            media = "text/plain" if status == 415 else "application/json"
            headers = {"Content-Type": media, "Idempotency-Key": f"goes-on-{status}"}
            response = await client.post(CHARGE, content=sent, headers=headers)
            assert response.status_code == status
