"""The load generator against servers of ours: what it counts, and from when a latency counts."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager

from bench.load import drive
from bench.peer import Connection, peer
from bench.work import Charges, Reads, Replays

STALL_S = 0.4


@contextmanager
def server(answer, stall_s=0.0):
    """Answers one connection's requests in turn; the first one late."""
    listening = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []
    done = threading.Event()

    def serve():
        connection, _ = listening.accept()
        with connection:
            while request := connection.recv(65536):
                if not seen:
                    done.wait(stall_s)
                seen.append(request)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname(), seen
    finally:
        done.set()
        thread.join()
        listening.close()


def response(status):
    return b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % status


def test_only_wanted_answers_count_and_a_wrong_one_is_shown():
    with server(response(200)) as (address, _):
        outcome = drive([address], 1, 0.2, Charges("a"))
    assert (outcome.per_second, outcome.right) == (0.0, 0)
    assert outcome.statuses[200] == len(outcome.latencies_s) > 0
    assert "HTTP/1.1 200" in outcome.wrong[0]


def test_at_a_given_rate_a_latency_counts_from_when_the_request_was_due():
    with server(response(201), STALL_S) as (address, _):
        outcome = drive([address], 1, 3 * STALL_S, Charges("a"), per_second=50)
    late = [latency for latency in outcome.latencies_s if latency > STALL_S / 2]
    assert len(late) > 1, "who waited behind the slow answer waited as well"


def test_a_given_rate_is_not_exceeded():
    with server(response(201)) as (address, seen):
        outcome = drive([address], 1, 0.5, Charges("a"), per_second=20)
    assert 1 <= len(seen) <= 11
    assert outcome.right <= len(seen)


def test_charges_are_all_different_and_replays_repeat_them_byte_for_byte():
    charge, again = Charges("run").maker(), Replays("run", 3).maker()
    made = [charge(number) for number in range(200)]
    assert len(set(made)) == 200
    assert [again(number) for number in range(6)] == made[:3] * 2


def test_reads_go_round():
    read = Reads(("/a", "/b")).maker()
    assert [read(number).split()[1] for number in range(3)] == [b"/a", b"/b", b"/a"]


def test_the_peer_answers_whole_requests_however_they_arrive():
    answered: dict[str, float] = {}

    async def run():
        listening = await asyncio.get_running_loop().create_server(
            lambda: Connection(answered), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        request = b'PATCH / HTTP/1.1\r\nIdempotency-Key: "%d"\r\ncontent-length: 4\r\n\r\nbody'
        pieces = request % 1 + request % 2
        for place in range(0, len(pieces), 7):
            writer.write(pieces[place : place + 7])
            await writer.drain()
        got = await reader.readexactly(2 * len(ANSWERED))
        writer.close()
        await writer.wait_closed()
        listening.close()
        return got

    assert asyncio.run(run()) == 2 * ANSWERED
    assert list(answered) == ["1", "2"]


ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def test_the_peer_tells_once_what_it_answered():
    with peer() as healthy:
        with socket.create_connection(("127.0.0.1", int(healthy.url.rpartition(":")[2]))) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nIdempotency-Key: k\r\nContent-Length: 0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert list(healthy.answered()) == ["k"]
        assert healthy.answered() == {}
