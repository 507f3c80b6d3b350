"""The web server on real sockets: its own answers are problems, its patience ends, and stopping answers first."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from eci_payments.api import http_protocol
from eci_payments.api.server import Server, configured

HOST = b"Host: x\r\n"
BASE = "https://pay.example"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class App:
    """An ASGI app whose paths are what it does."""

    let_go: asyncio.Event
    heard_disconnect: asyncio.Event

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["path"] == "/crash":
            raise RuntimeError("of the app, at /srv/secret.py")
        if scope["path"] == "/nothing":
            return
        if scope["path"] != "/early":
            message = await self._whole_body(receive)
            if message["type"] == "http.disconnect":
                self.heard_disconnect.set()
                return
        if scope["path"] == "/slow":
            await self.let_go.wait()
        body = scope["path"].encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})

    @staticmethod
    async def _lifespan(receive, send) -> None:
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})

    @staticmethod
    async def _whole_body(receive):
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        return message


@dataclass
class Running:
    server: Server
    app: App
    port: int
    ended: asyncio.Task[None]
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, sent: bytes) -> Answer:
        """Send all of it, and read one answer."""
        reader, writer = await self.connect()
        writer.write(sent)
        return await read(reader)


async def read(reader: asyncio.StreamReader) -> Answer:
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        assert len(headers) == len(fields)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(first.split()[1]), headers, body)


@asynccontextmanager
async def running(
    grace_s: float = 5, listening: socket.socket | None = None, connections: int = 100
) -> AsyncIterator[Running]:
    app = App(asyncio.Event(), asyncio.Event())
    listening = listening or socket.create_server(("127.0.0.1", 0))
    server = Server(configured(app, grace_s, BASE, connections))
    made = Running(
        server, app, listening.getsockname()[1], asyncio.create_task(server.serve(sockets=[listening]))
    )
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield made
    finally:
        server.should_exit = True
        app.let_go.set()
        await made.hang_up()
        await asyncio.wait_for(made.ended, 10)


@pytest.fixture
async def up() -> AsyncIterator[Running]:
    async with running() as made:
        yield made


def assert_problem(answer: Answer, status: int = 400, code: str = "malformed_request") -> dict[str, object]:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert "server" not in answer.headers
    assert "date" in answer.headers
    problem: dict[str, object] = json.loads(answer.body)
    assert problem["type"] == f"{BASE}/problems/{code}"
    assert (problem["status"], problem["code"]) == (status, code)
    assert isinstance(problem["title"], str)
    assert isinstance(problem["detail"], str)
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", str(problem["correlation_id"]))
    return problem


MALFORMED = [
    b"complete nonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS where none is spoken
    b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /\xe9 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("sent", MALFORMED)
async def test_what_is_no_http_is_a_problem(up, sent):
    problem = assert_problem(await up.ask(sent))
    assert "instance" not in problem


async def test_the_callers_correlation_id_comes_back_with_the_refusal(up):
    head = b"GET / HTTP/1.1\r\n" + HOST + b"X-Correlation-Id: c-42\r\nAccept: */*\r\nBad Name: 1\r\n\r\n"
    assert (await up.ask(head)).headers["x-correlation-id"] == "c-42"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 300_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 40_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 40_000,
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + b"a" * 2_000_000,
    ],
)
async def test_a_head_that_is_too_large_is_a_problem_and_the_answer_arrives(up, sent):
    assert assert_problem(await up.ask(sent))["detail"] == http_protocol.TOO_LARGE


async def test_a_head_that_arrives_in_many_pieces_is_bounded_as_well(up):
    reader, writer = await up.connect()
    writer.write(b"GET / HTTP/1.1\r\n" + HOST)
    for number in range(60):
        writer.write(b"X-%d: " % number + b"a" * 1000 + b"\r\n")
        await asyncio.sleep(0.002)
    assert assert_problem(await read(reader))["detail"] == http_protocol.TOO_LARGE


async def test_requests_that_come_together_are_not_taken_for_one_large_head(up):
    reader, writer = await up.connect()
    one = b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 30000\r\n\r\n" + b"b" * 30_000
    writer.write(one * 3 + one[:40])
    assert [(await read(reader)).status for _ in range(3)] == [200] * 3
    writer.write(one[40:])
    assert (await read(reader)).body == b"/a"


async def test_a_slow_head_is_a_problem(up, monkeypatch):
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.3)
    reader, writer = await up.connect()
    writer.write(b"GET / HTTP/1.1\r\n" + HOST)
    for _ in range(3):
        await asyncio.sleep(0.05)
        writer.write(b"X: a\r\n")
    assert assert_problem(await read(reader))["detail"] == http_protocol.HEAD_TOO_SLOW


async def test_a_slow_body_is_a_problem_and_the_app_hears_of_it(up, monkeypatch):
    monkeypatch.setattr(http_protocol, "BODY_TIMEOUT_S", 0.2)
    answer = await up.ask(b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
    assert assert_problem(answer)["detail"] == http_protocol.BODY_TOO_SLOW
    await asyncio.wait_for(up.app.heard_disconnect.wait(), 5)


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_connection_that_asks_nothing_is_closed_without_a_word(up, monkeypatch, sent):
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.2)
    reader, writer = await up.connect()
    writer.write(sent)
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_a_slow_answer_is_waited_for_as_long_as_it_takes(up, monkeypatch):
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.1)
    monkeypatch.setattr(http_protocol, "BODY_TIMEOUT_S", 0.1)
    reader, writer = await up.connect()
    writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    await asyncio.sleep(0.5)
    up.app.let_go.set()
    assert (await read(reader)).body == b"/slow"
    writer.write(b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (await read(reader)).body == b"/a"


async def test_an_answer_that_came_before_its_body_does_not_hold_the_connection(up, monkeypatch):
    monkeypatch.setattr(http_protocol, "BODY_TIMEOUT_S", 0.2)
    reader, writer = await up.connect()
    writer.write(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
    assert (await read(reader)).body == b"/early"
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_a_malformed_request_never_takes_the_place_of_an_earlier_answer(up):
    reader, writer = await up.connect()
    good = [b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n" for path in (b"/slow", b"/a")]
    writer.write(b"".join(good) + b"nonsense\r\n\r\n")
    await asyncio.sleep(0.1)
    up.app.let_go.set()
    assert (await read(reader)).body == b"/slow"
    assert (await read(reader)).body == b"/a"
    assert_problem(await read(reader))
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_a_malformed_body_of_a_waiting_request_is_answered_in_its_turn(up):
    reader, writer = await up.connect()
    bad = b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n" + bad)
    await asyncio.sleep(0.1)
    up.app.let_go.set()
    assert (await read(reader)).body == b"/slow"
    assert_problem(await read(reader))


@pytest.mark.parametrize("path", [b"/crash", b"/nothing"])
async def test_what_the_app_does_not_answer_is_our_fault_without_a_word_of_it(up, path):
    answer = await up.ask(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"X-Correlation-Id: c-7\r\n\r\n")
    assert assert_problem(answer, 500, "internal_error")["correlation_id"] == "c-7"
    assert b"secret" not in answer.body


async def test_ordinary_requests_are_kept_alive_and_say_nothing_of_the_server(up):
    reader, writer = await up.connect()
    for _ in range(3):
        writer.write(b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = await read(reader)
        assert answer.body == b"/a"
        assert "server" not in answer.headers
        assert "connection" not in answer.headers


async def test_a_websocket_is_not_spoken_and_the_request_is_answered_as_any(up):
    answer = await up.ask(
        b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    assert answer.body == b"/a"
    assert answer.headers["connection"] == "close"


async def test_http_1_0_needs_no_host(up):
    assert (await up.ask(b"GET /a HTTP/1.0\r\n\r\n")).body == b"/a"


async def test_stopping_answers_what_was_accepted_and_closes_idle_connections():
    async with running() as up:
        busy, idle, late = [await up.connect() for _ in range(3)]
        busy[1].write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        await asyncio.sleep(0.1)
        up.server.should_exit = True
        await asyncio.sleep(0.25)  # noticed by now; the next request was on the wire of what seemed idle
        late[1].write(b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = await read(late[0])
        assert (answer.body, answer.headers["connection"]) == (b"/a", "close")
        assert await asyncio.wait_for(idle[0].read(), 5) == b""
        with pytest.raises(ConnectionRefusedError):
            await up.connect()
        assert not up.ended.done()
        up.app.let_go.set()
        answer = await read(busy[0])
        assert (answer.body, answer.headers["connection"]) == (b"/slow", "close")
        await asyncio.wait_for(up.ended, 5)


async def test_stopping_answers_those_who_had_connected_and_were_not_taken_over_yet():
    listening = socket.create_server(("127.0.0.1", 0))
    async with running(listening=listening) as up:
        early = [socket.create_connection(("127.0.0.1", up.port), timeout=10) for _ in range(30)]
        for each in early:
            each.sendall(b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n")
        await up.server.shutdown([listening])
        for each in early:
            answer = await asyncio.to_thread(lambda: b"".join(iter(lambda: each.recv(4096), b"")))  # noqa: B023 - awaited at once
            assert answer.endswith(b"\r\n\r\n/a")
            each.close()


async def test_what_takes_longer_than_the_grace_is_broken_off_with_a_problem():
    async with running(grace_s=0.3) as up:
        reader, writer = await up.connect()
        writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        await asyncio.sleep(0.1)
        up.server.should_exit = True
        assert_problem(await read(reader), 500, "internal_error")
        await asyncio.wait_for(up.ended, 5)


PROGRAM = """
import asyncio, socket, sys, time
import uvloop
from eci_payments.observability.logs import configure_logging
from eci_payments.api.server import serve

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    if scope["path"] == "/block":
        time.sleep(60)
    await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

configure_logging("payment-service")
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvloop.run(serve(app, listening, 8, told_to_stop=lambda: print('{"told": true}', flush=True)))
"""


@contextmanager
def process(before: str = "") -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """The program, and a connection to it."""
    command = [sys.executable, "-c", before + PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            with socket.create_connection(
                ("127.0.0.1", int(started.stdout.readline())), timeout=10
            ) as connection:
                yield started, connection
        finally:
            started.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_once_it_has_answered(number):
    with process() as (started, connection):
        connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        time.sleep(0.5)
        started.send_signal(number)
        assert b"".join(iter(lambda: connection.recv(4096), b"")).endswith(b"\r\n\r\nok")
        output, errors = started.communicate(timeout=10)
        assert started.returncode == 0
        assert errors == ""
        assert {"told": True} in [json.loads(line) for line in output.splitlines()]


def test_a_process_that_cannot_stop_is_ended():
    with process("import eci_payments.api.server as s\ns.LAST_S = 1.0\n") as (started, connection):
        connection.sendall(b"GET /block HTTP/1.1\r\n" + HOST + b"\r\n")
        time.sleep(0.5)
        started.send_signal(signal.SIGTERM)
        output, _ = started.communicate(timeout=10)
        assert started.returncode == 1
        assert "did not stop" in output


GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"


async def is_closed(reader):
    try:
        async with asyncio.timeout(0.1):
            return await reader.read() == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_connections_that_ask_nothing_make_room_for_those_that_ask():
    async with running(connections=4) as up:
        idle = [await up.connect() for _ in range(4)]
        for _ in range(6):
            assert (await up.ask(GET)).status == 200
        assert [await is_closed(reader) for reader, _ in idle[:3]] == [True] * 3


async def test_a_connection_that_has_asked_rests_longer_than_those_that_never_did():
    async with running(connections=4) as up:
        asked, writer = await up.connect()
        writer.write(GET)
        assert (await read(asked)).status == 200
        idle = [await up.connect() for _ in range(12)]
        writer.write(GET)
        assert (await read(asked)).status == 200
        assert sum([await is_closed(reader) for reader, _ in idle]) >= 9


async def test_what_is_being_answered_is_not_given_up():
    async with running(connections=2) as up:
        slow = [await up.connect() for _ in range(2)]
        for _, writer in slow:
            writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        await asyncio.sleep(0.1)
        reader, _ = await up.connect()
        assert await is_closed(reader)
        up.app.let_go.set()
        assert [(await read(reader)).status for reader, _ in slow] == [200, 200]
        assert (await up.ask(GET)).status == 200


async def test_a_body_that_drips_after_its_answer_makes_room_as_well():
    async with running(connections=2) as up:
        dripping = [await up.connect() for _ in range(2)]
        for reader, writer in dripping:
            writer.write(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
            assert (await read(reader)).status == 200
        for _ in range(3):
            assert (await up.ask(GET)).status == 200


def test_the_processs_own_limit_is_raised_as_far_as_it_may_be():
    """In a process of its own: a limit that was lowered once cannot be raised again."""
    program = (
        "import resource\n"
        "from eci_payments.api.connections import affordable\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 700))\n"
        "print(affordable(), *resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["572", "700", "700"]
