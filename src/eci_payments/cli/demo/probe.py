"""Whether a process is ready: asked over HTTP, or told on a pipe."""

from __future__ import annotations

import asyncio
import os
from urllib.parse import urlsplit

ANSWER_TIMEOUT_S = 30.0
"""Our own process answers as soon as it runs: the connection waits for it in the kernel's queue."""


async def answers(base_url: str, path: str) -> bool:
    """Whether ``GET path`` is answered with 200."""
    address = urlsplit(base_url)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode()
                )
                await writer.drain()
                return (await reader.readline()).split()[1:2] == [b"200"]
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def pipe_says(descriptor: int) -> bool:
    """Wait until something is written to the pipe; False when it is closed without."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
        return bool(os.read(descriptor, 1))
    finally:
        loop.remove_reader(descriptor)
