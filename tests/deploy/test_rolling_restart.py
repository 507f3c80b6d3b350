"""Two replicas behind the proxy as it is configured, restarted one after the other under load: no request fails."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from support.processes import free_port, processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from support.processes import Processes

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
CALLERS = 8
PAUSE_S = 0.02
"""Between two requests of a caller: load enough that some are always under way, on two cores that others use too."""

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is missing (Debian: haproxy)"
)


def configured(port: int, replicas: Sequence[int]) -> str:
    """The proxy's configuration with these replicas in place of those that Compose's DNS would name."""
    text = CONFIGURATION.read_text().replace("bind :8086", f"bind 127.0.0.1:{port}")
    text = text.replace("resolvers docker init-addr none", "")
    servers = "\n".join(f"    server api{number} 127.0.0.1:{number}" for number in replicas)
    text = text.replace("    server-template api 1-4 api:8000\n", f"{servers}\n")
    text = text.replace("    server-template api 1-4 api:8002 check port 8000\n", "")
    return text.replace("resolvers docker\n    parse-resolv-conf\n    hold valid 5s\n", "")


@contextmanager
def proxy(folder: Path, replicas: Sequence[int]) -> Iterator[str]:
    port, file = free_port(), folder / "haproxy.cfg"
    file.write_text(configured(port, replicas))
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(file)], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def ready(url: str) -> None:
    deadline = time.monotonic() + 20
    async with httpx.AsyncClient() as client:
        while time.monotonic() < deadline:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError(f"{url} never became ready")


async def call(url: str, caller: int, stopping: asyncio.Event, ended: Counter[str]) -> None:
    """Charges and looks, one after the other, until told to stop."""
    async with httpx.AsyncClient(base_url=url, timeout=20, headers={"Host": "localhost"}) as client:
        number = 0
        while not stopping.is_set():
            number += 1
            order = f"{caller}-{number}"
            body = {"order_id": order, "user_id": caller, "amount": 10, "payment_method": "UPI"}
            try:
                charged = await client.post(
                    "/v1/payments/charge", json=body, headers={"Idempotency-Key": order}
                )
                found = await client.get(f"/v1/payments/order/{order}")
                ended[f"{charged.status_code} {found.status_code}"] += 1
            except httpx.HTTPError as error:
                ended[type(error).__name__] += 1
            await asyncio.sleep(PAUSE_S)


async def taken_back(log: Path, port: int) -> None:
    """Until the proxy's last word on this replica is not that it is down: as whoever rolls a release waits."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        said = [
            line
            for line in (await asyncio.to_thread(log.read_text)).splitlines()
            if f"Server api/api{port} is" in line
        ]
        if not said or " is UP" in said[-1]:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"the proxy did not take {port} back")


async def restart_each(started: Processes, replicas: Sequence[int], log: Path) -> None:
    running = {each: started.running[place] for place, each in enumerate(replicas)}
    for port in replicas:
        await asyncio.sleep(1)
        assert await asyncio.to_thread(running[port].stop) == 0
        await asyncio.to_thread(started.serve, port)
        await ready(f"http://127.0.0.1:{port}")
        await asyncio.sleep(1)  # a health check of the proxy, and a margin
        await taken_back(log, port)


async def test_a_rolling_restart_fails_no_request(tmp_path, database, record_property):
    replicas = [free_port(), free_port()]
    ended: Counter[str] = Counter()
    with processes(
        tmp_path,
        DATA_DIR=tmp_path,
        DATABASE_URL=database.service_url,
        GATEWAYS="simulator",
        RATE_LIMIT_PER_ADDRESS=0,
    ) as started:
        for port in replicas:
            await asyncio.to_thread(started.serve, port)
        with proxy(tmp_path, replicas) as url:
            await ready(url)
            stopping = asyncio.Event()
            callers = [
                asyncio.create_task(call(url, each, stopping, ended)) for each in range(1, CALLERS + 1)
            ]
            await restart_each(started, replicas, tmp_path / "haproxy.log")
            stopping.set()
            await asyncio.gather(*callers)
    record_property("times", len(replicas))
    record_property("under", f"{ended.total()} charges, each looked at, through the proxy")
    assert set(ended) == {"201 200"}, ended
    assert ended["201 200"] > 100
