"""An HTTP load generator: so many connections, each with one request under way, as fast as answered or at a rate.

One process, one loop over epoll, no framework: it must not be what is measured. `ceiling` says how fast it is against
a server that does nothing.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import select
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.work import CREATED, Charges

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection as Pipe

    from bench.work import Work

Address = tuple[str, int]
ANSWER_TIMEOUT_S = 15.0
"""A connection that waits longer than this ends the run: something hangs."""
RECEIVE_BYTES = 65536


@dataclass(slots=True)
class Outcome:
    """What came of one run. ``latencies_s`` holds one number per answer; ``statuses`` counts them.

    ``cpu_s`` is the processor time that the generator itself took; ``wanted`` the status of a right answer.
    """

    seconds: float
    statuses: dict[int, int]
    latencies_s: list[float] = field(repr=False)
    wrong: list[str] = field(default_factory=list)
    wanted: int = CREATED
    cpu_s: float = 0.0

    @classmethod
    def of_rate(cls, per_second: float, seconds: float, latencies_s: list[float]) -> Outcome:
        """An outcome whose rate somebody else has counted."""
        return cls(seconds, {CREATED: round(per_second * seconds)}, latencies_s)

    @property
    def right(self) -> int:
        """How many answers had the wanted status."""
        return self.statuses.get(self.wanted, 0)

    @property
    def per_second(self) -> float:
        """Right answers per second."""
        return self.right / self.seconds

    @property
    def mean_ms(self) -> float:
        """The average latency in milliseconds."""
        return sum(self.latencies_s) / len(self.latencies_s) * 1000 if self.latencies_s else float("nan")

    def quantile_ms(self, share: float) -> float:
        """The latency below which ``share`` of the answers lie, in milliseconds."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("nan")


@dataclass(slots=True)
class _Connection:
    number: int
    socket: socket.socket
    sent_at: float = 0.0
    """When it was sent; at a given rate, when it was due."""
    received: bytearray = field(default_factory=bytearray)


def run_apart(
    addresses: Sequence[Address],
    connections: int,
    seconds: float,
    work: Work,
    per_second: float | None = None,
) -> Outcome:
    """The load from a process of its own, so that whoever asks does not disturb it."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_send_outcome, args=(theirs, list(addresses), connections, seconds, work, per_second)
    )
    process.start()
    theirs.close()
    try:
        outcome = ours.recv()
    except EOFError:
        raise RuntimeError("the load generator ended without a result") from None
    finally:
        process.join()
    if isinstance(outcome, Outcome):
        return outcome
    raise RuntimeError(f"the load generator failed: {outcome}")


def _send_outcome(pipe: Pipe, *arguments: Any) -> None:
    try:
        pipe.send(drive(*arguments))
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        pipe.send(repr(error))


def drive(
    addresses: Sequence[Address],
    connections: int,
    seconds: float,
    work: Work,
    per_second: float | None = None,
) -> Outcome:
    """Keep every connection busy for so long; answers that come later do not count.

    With ``per_second`` requests are due at that rate instead, and a latency counts from the moment when its request
    was due: what waits because every connection is busy waits on the service's account.
    """
    waiting = {}
    poll = select.epoll()
    for number in range(connections):
        opened = _Connection(number, socket.create_connection(addresses[number % len(addresses)]))
        opened.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.socket.settimeout(0)
        waiting[opened.socket.fileno()] = opened
        poll.register(opened.socket, select.EPOLLIN)
    try:
        return _loop(poll, waiting, work, seconds, per_second)
    finally:
        for each in waiting.values():
            each.socket.close()
        poll.close()


def _loop(
    poll: select.epoll,
    waiting: dict[int, _Connection],
    work: Work,
    seconds: float,
    per_second: float | None,
) -> Outcome:
    make, wanted = work.maker(), work.wanted
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    wrong: list[str] = []
    idle = deque(waiting.values())
    gap_s = 1 / per_second if per_second else 0.0
    clock = time.perf_counter
    cpu, number, begun = time.process_time(), 0, clock()
    ends = begun + seconds
    while (now := clock()) < ends:
        due = begun + number * gap_s
        while idle and due <= now:
            each = idle.popleft()
            each.sent_at = due if per_second else now
            each.socket.sendall(make(number))
            number += 1
            due = begun + number * gap_s
        patience = ANSWER_TIMEOUT_S if not idle else max(due - now, 0)
        for descriptor, _ in poll.poll(min(patience, ends - now)):
            each = waiting[descriptor]
            status = _receive(each)
            if status is None:
                continue
            statuses[status] += 1
            latencies.append(clock() - each.sent_at)
            if status != wanted and len(wrong) < 3:  # noqa: PLR2004 - a few are enough to see what it is
                wrong.append(bytes(each.received).decode(errors="replace"))
            each.received.clear()
            idle.append(each)
    return Outcome(clock() - begun, dict(statuses), latencies, wrong, wanted, time.process_time() - cpu)


def _receive(connection: _Connection) -> int | None:
    """The status of a whole answer, or None while a part of it is still to come."""
    chunk = connection.socket.recv(RECEIVE_BYTES)
    if not chunk:
        raise ConnectionError("the service closed a connection")
    connection.received += chunk
    return answer_in(connection.received)


def answer_in(received: bytearray) -> int | None:
    """The status of the answer that was received, or None while a part of it is still to come."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return None
    place = received.lower().find(b"content-length:", 0, head)
    length = int(received[place + 15 : received.find(b"\r", place)])
    return int(received[9:12]) if len(received) >= head + 4 + length else None


def ceiling(connections: int, seconds: float) -> float:
    """Requests per second that the generator does against a server which answers without looking."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_answer_everything, args=(theirs,), daemon=True)
    server.start()
    try:
        return run_apart([("127.0.0.1", ours.recv())], connections, seconds, Charges("ceiling")).per_second
    finally:
        server.terminate()
        server.join()


def _answer_everything(pipe: Pipe) -> None:
    body = json.dumps({"padding": "x" * 1000}).encode()
    answer = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    pipe.send(listening.getsockname()[1])
    poll = select.epoll()
    poll.register(listening, select.EPOLLIN)
    connected = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listening.fileno():
                taken, _ = listening.accept()
                connected[taken.fileno()] = taken
                poll.register(taken, select.EPOLLIN)
                continue
            with contextlib.suppress(ConnectionError):
                if connected[descriptor].recv(RECEIVE_BYTES):
                    connected[descriptor].sendall(answer)
                    continue
            poll.unregister(descriptor)
            connected.pop(descriptor).close()
