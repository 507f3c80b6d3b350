"""What one small request costs with aiohttp and with httpx: CPU microseconds of the client, and requests/s.

Usage: python tools/compare_http_clients.py [ROUNDS]. The server runs in a process of its own; the two clients take
turns, 32 requests at a time, over connections that stay open.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Send = Callable[[], Awaitable[int]]

TOGETHER = 32
REQUESTS = 1000
BODY = b'{"payment_id":123,"payment_status":"COMPLETED","status_detail":"COMPLETED"}'
HEADERS = {
    "Content-Type": "application/json",
    "Idempotency-Key": '"TXN-1-order"',
    "X-Correlation-Id": "c" * 32,
}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'
SERVER = f"""
import asyncio
async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            await reader.readexactly({len(BODY)})
            writer.write({ANSWER!r})
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@asynccontextmanager
async def with_aiohttp(url: str) -> AsyncIterator[Send]:
    """One aiohttp session for all requests."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:

        async def send() -> int:
            async with client.patch(url, data=BODY, headers=HEADERS, allow_redirects=False) as answer:
                await answer.content.read(65536)
                return answer.status

        yield send


@asynccontextmanager
async def with_httpx(url: str) -> AsyncIterator[Send]:
    """One httpx client for all requests."""
    async with httpx.AsyncClient(trust_env=False) as client:

        async def send() -> int:
            async with client.stream("PATCH", url, content=BODY, headers=HEADERS) as answer:
                async for _ in answer.aiter_raw():
                    pass
                return answer.status_code

        yield send


async def round_of(send: Send) -> tuple[float, float]:
    """CPU microseconds for each request, and requests/s."""

    async def many(count: int) -> None:
        for _ in range(count):
            if await send() != httpx.codes.OK:
                raise RuntimeError("the server refused")

    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.gather(*(many(REQUESTS // TOGETHER) for _ in range(TOGETHER)))
    done = REQUESTS // TOGETHER * TOGETHER
    return (time.process_time() - cpu) / done * 1e6, done / (time.monotonic() - wall)


async def main(rounds: int) -> None:
    """Measure and print."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE
    )
    try:
        url = f"http://127.0.0.1:{await port_of(server)}/v1/orders/42/payment-status"
        async with with_aiohttp(url) as one, with_httpx(url) as other:
            clients = {"aiohttp": one, "httpx": other}
            measured: dict[str, list[tuple[float, float]]] = {name: [] for name in clients}
            for _ in range(rounds + 1):
                for name, send in clients.items():
                    measured[name].append(await round_of(send))
        for name, results in measured.items():
            cpu, rate = zip(*results[1:], strict=True)  # the first round opens the connections
            print(
                f"{name:8} CPU per request, µs: min {min(cpu):.0f}, median {statistics.median(cpu):.0f},"
                f" max {max(cpu):.0f}; requests/s: median {statistics.median(rate):.0f}"
            )
    finally:
        server.kill()
        await server.wait()


async def port_of(server: asyncio.subprocess.Process) -> int:
    """The port that the server has printed."""
    if server.stdout is None:
        raise RuntimeError("the server has no output")
    return int(await server.stdout.readline())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
