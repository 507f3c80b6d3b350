"""What the line can do to a call: only what certainly never left is not sent; all else is unknown, and bounded."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from eci_payments.gateways.contract import NotSent, Unknown
from eci_payments.gateways.transport import MAX_ANSWER_BYTES, Reply, Transport
from support.certificates import self_signed

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def speaking(speak: Speak, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that does this with every connection; its address."""
    ended: list[asyncio.Task[None] | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.current_task())
        try:
            await speak(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        server.close()
        await asyncio.gather(*(task for task in ended if task))


async def ask(url: str, timeout_s: float = 5.0) -> Reply | NotSent | Unknown:
    transport = Transport(url, headers={"X-Key": "k"}, timeout_s=timeout_s)
    try:
        return await transport.send("POST", "/v1/charges", json={"amount": 1})
    finally:
        await transport.close()


def answering(raw: bytes, *, cut: bool = False) -> Speak:
    """Reads the request and says this; then it closes, or cuts the line (RST)."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        if cut:
            _reset(writer)

    return speak


def _reset(writer: asyncio.StreamWriter) -> None:
    plain: socket.socket = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


async def test_a_name_that_does_not_resolve_was_not_sent() -> None:
    assert await ask("http://gateway.invalid") == NotSent("no connection: ConnectError")


async def test_nobody_who_listens_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as was:
        port = was.getsockname()[1]
    assert await ask(f"http://127.0.0.1:{port}") == NotSent("no connection: ConnectError")


async def test_a_certificate_that_nobody_vouches_for_was_not_sent(tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))

    async with speaking(speak, self_signed(tmp_path)) as url:
        assert await ask(url) == NotSent("no connection: ConnectError")
    assert heard in ([], [b""]), "nothing of the request left"


async def test_a_server_that_speaks_no_tls_was_not_sent_to() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"what?")

    async with speaking(speak) as url:
        assert await ask(url.replace("http:", "https:")) == NotSent("no connection: ConnectError")


PARTIAL = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": '


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 2", PARTIAL], ids=["nothing", "half a line", "half a body"])
@pytest.mark.parametrize("cut", [False, True], ids=["closed", "reset"])
async def test_a_line_that_ends_after_the_request_is_unknown(said: bytes, *, cut: bool) -> None:
    async with speaking(answering(said, cut=cut)) as url:
        assert isinstance(await ask(url), Unknown)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>502 Bad Gateway</body></html>",
        b"",
        b"[]",
        b'"approved"',
        b'{"id": ',
        b"\xff\xfe{}",
        b"[" * 100_000,
    ],
    ids=["html", "empty", "a list", "a text", "half", "no text", "deep"],
)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "502 Bad Gateway"])
async def test_what_is_no_json_object_is_unknown(status: str, body: bytes) -> None:
    async with speaking(answering(http(body, status))) as url:
        assert isinstance(await ask(url), Unknown)


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
async def test_a_redirect_is_unknown_and_not_followed(status: str) -> None:
    asked: list[str] = []

    async def elsewhere(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.append("asked")

    async with speaking(elsewhere) as other:
        moved = http(b'{"id": "pi_1", "status": "succeeded"}', status, f"Location: {other}/v1/charges")
        async with speaking(answering(moved)) as url:
            assert isinstance(await ask(url), Unknown)
    assert not asked


async def test_an_answer_that_does_not_end_is_left_at_its_limit() -> None:
    sent = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        while True:
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)

    async with speaking(speak) as url:
        assert isinstance(await ask(url), Unknown)
    assert sent < 10 * MAX_ANSWER_BYTES, "what the system holds on the way, and no more"


async def test_a_small_answer_that_unpacks_to_a_large_one_is_unknown() -> None:
    packed = gzip.compress(b" " * (2 * MAX_ANSWER_BYTES) + b"{}")
    async with speaking(answering(http(packed, "200 OK", "Content-Encoding: gzip"))) as url:
        assert isinstance(await ask(url), Unknown)


async def test_what_is_packed_without_being_asked_is_still_read() -> None:
    packed = gzip.compress(b'{"id": "pi_1"}')
    async with speaking(answering(http(packed, "200 OK", "Content-Encoding: gzip"))) as url:
        assert await ask(url) == Reply(200, {"id": "pi_1"})


async def test_an_answer_in_small_pieces_ends_with_the_time_of_whoever_waits() -> None:
    """Each piece comes in time, the whole never: the transport's steps do not bound it, the engine's wait does."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with speaking(speak) as url:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(url), 0.5)
