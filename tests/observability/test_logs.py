"""Logs: every line is one JSON object, whoever writes it, and holds nothing that must not be read."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability import context
from eci_payments.observability.logs import MAX_TRACEBACK, configure_logging, log_access
from support.cards import card_numbers

PAN = "4242424242424242"
log = logging.getLogger("eci_payments.test")
Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def stream(logging_as_before: None, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard output in its place."""
    del logging_as_before
    out = io.StringIO()
    monkeypatch.setattr(
        "_pytest.logging.LogCaptureHandler.handleError", lambda *_: None
    )  # pytest formats as well
    configure_logging("payment-service", "DEBUG", out)
    return out


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    return lambda: [strict(line) for line in stream.getvalue().splitlines()]


def fail(message: str, cause: Exception | None = None) -> None:
    raise ValueError(message) from cause


def strict(line: str) -> dict[str, object]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line.encode("ascii")
    read = json.loads(line, parse_constant=refuse)
    assert isinstance(read, dict)
    return read


def test_a_line_has_the_fields_that_it_promises(lines):
    with context.working_for(correlation="c-1", merchant=1) as span:
        log.info("charged %s", 42, extra={"gateway": "simulator", "payment_id": 42})
    (line,) = lines()
    assert datetime.fromisoformat(str(line.pop("time"))).tzinfo is not None
    assert line == {
        "level": "INFO",
        "logger": "eci_payments.test",
        "message": "charged 42",
        "service": "payment-service",
        "correlation_id": "c-1",
        "trace_id": span.trace_id,
        "merchant_id": 1,
        "gateway": "simulator",
        "payment_id": 42,
    }


def test_message_arguments_extras_and_exceptions_are_masked(stream, lines):
    try:
        fail("cvc=987 at +919876543210", KeyError(f"card {PAN} of asha@example.com"))
    except ValueError:
        log.exception(
            "refused %s %s", PAN, {"cvc": "987", "holder": ("Asha Rao",)}, extra={"card": {"cvc": "987"}}
        )
    (line,) = lines()
    for secret in (PAN, "asha", "987", "Asha"):
        assert secret not in stream.getvalue()
    assert line["message"] == "refused ****-****-****-4242 {'cvc': '****', 'holder': '****'}"
    failure = line["exception"]
    assert isinstance(failure, dict)
    assert failure["type"] == "ValueError"
    assert "ValueError: cvc=**** at +****" in failure["traceback"]
    assert "The above exception was the direct cause" in failure["traceback"]


_places: list[Callable[[str], None]] = [
    log.warning,
    lambda text: log.warning("%s", text),
    lambda text: log.warning("%r", [text]),
    lambda text: log.warning("%(x)s", {"x": text}),
    lambda text: log.warning("x", extra={"order_id": text}),
    lambda text: log.warning("x", extra={"order_id": int(text)}),
    lambda text: log.warning("x", extra={"deep": [{"a": (text,)}]}),
    lambda text: log.warning("x", extra={text: 1}),
    lambda text: log.warning("x", exc_info=ValueError(text)),
    lambda text: log.warning("x %d", int(text)),
    lambda text: log.warning("x", text, "does not fit"),  # noqa: PLE1205 - that is the point
    lambda text: log.warning("x", extra={"stack_info_": text}, stack_info=True),
    lambda text: warnings.warn(text, stacklevel=1),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(card_numbers(), st.sampled_from(range(len(_places))))
def test_a_card_number_never_reaches_a_line(stream, number, place):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        _places[place](number)
    written = stream.getvalue()
    stream.truncate(0)
    stream.seek(0)
    assert written
    assert number not in written
    assert not any(contains_card_number(line) for line in written.splitlines())


_hostile = st.text() | st.text('\n\r\x00\x1b\u2028\u2029\x85\ud800\udfff"\\{}%s', max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    _hostile,
    _hostile,
    st.dictionaries(_hostile, _hostile | st.floats() | st.binary() | st.integers(), max_size=4),
)
def test_nobody_can_begin_or_break_a_line(stream, template, argument, fields):
    stream.truncate(0)
    stream.seek(0)
    kept = {f"x{name}": value for name, value in fields.items()}
    log.warning(template, argument, extra=kept)
    log.warning("%s", argument, exc_info=ValueError(template))
    written = stream.getvalue()
    assert written.count("\n") == 2
    assert [strict(line)["level"] for line in written.splitlines()] == ["WARNING", "WARNING"]


class Odd:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_odd_objects_cost_no_line(lines):
    log.info("%s", Odd())
    log.info(Odd())
    log.info("x", extra={"odd": Odd(), "big": 10**5000, "time": "mine", "level": "mine"})
    log.info("%d", "x")
    recursive: list[object] = []
    recursive.append(recursive)
    log.info("x %s", recursive, extra={"r": recursive})
    log.info("x", exc_info=Exception(Odd()))
    written = lines()
    assert len(written) == 6
    assert written[2]["time_"] == "mine"
    assert written[2]["level"] == "INFO"
    assert written[3]["message"] == "%d (with arguments that do not fit: TypeError)"


def test_a_line_that_cannot_be_made_is_said_to_be(lines):
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "levelno": 20, "created": 1.0, "args": 5, "exc_info": (1, 2, 3)}
    )
    logging.getLogger().handle(record)
    (line,) = lines()
    assert str(line["message"]).startswith("a line that cannot be shown")


def test_a_long_traceback_keeps_its_beginning_and_its_end(lines):
    log.error("x", exc_info=ValueError("a" * 100_000))
    log.error("y" * 100_000)
    failure, message = lines()
    assert len(str(failure["exception"])) < MAX_TRACEBACK + 200
    assert len(str(message["message"])) < 10_000


def test_the_web_server_asyncio_and_warnings_write_the_same_lines(lines):
    logging.getLogger("uvicorn.error").info(
        "Started server process [%d]", 1, extra={"color_message": "\x1b[36m"}
    )
    logging.getLogger("uvicorn.access").info('%s - "%s"', "127.0.0.1", "GET /?card=1")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\nthing", DeprecationWarning, stacklevel=1)
    server, warning = lines()
    assert server["message"] == "Started server process [1]"
    assert "color_message" not in server
    assert str(warning["message"]).startswith("DeprecationWarning: old\nthing (")


def test_an_exception_that_nobody_awaited_is_one_line(lines):
    async def fail() -> None:
        raise ValueError(PAN)

    async def main() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(main())
    told = [line for line in lines() if line["logger"] == "asyncio" and line["level"] == "ERROR"]
    assert len(told) == 1
    assert "never retrieved" in str(told[0]["message"])
    assert PAN not in str(told)


def test_a_thread_that_fails_is_one_line(lines):
    def fail() -> None:
        raise ValueError(f"pin=1234 {PAN}")

    thread = threading.Thread(target=fail, name="worker-1")
    thread.start()
    thread.join()
    (line,) = lines()
    assert line["level"] == "CRITICAL"
    assert line["message"] == "uncaught exception in thread worker-1"
    assert "pin=**** ****-****-****-4242" in str(line["exception"])


def test_a_failure_in_a_destructor_is_one_line(lines):
    class Failing:
        def __del__(self) -> None:
            raise ValueError(PAN)

    failing = Failing()
    del failing
    gc.collect()
    (line,) = lines()
    assert line["level"] == "ERROR"
    assert PAN not in str(line)


def test_a_process_that_dies_says_so_in_one_line_on_standard_output():
    program = (
        "from eci_payments.observability.logs import configure_logging\n"
        "configure_logging('payment-service')\n"
        f"raise ValueError('cvc=123 {PAN}')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr == ""
    (line,) = [strict(line) for line in ended.stdout.splitlines()]
    assert line["level"] == "CRITICAL"
    assert "ValueError: cvc=**** ****-****-****-4242" in str(line["exception"])
    assert "123" not in str(line["exception"])


def test_a_reader_of_the_log_that_goes_costs_lines_and_no_work():
    program = (
        "import asyncio, logging, os, sys\n"
        "from eci_payments.observability.logs import configure_logging\n"
        "configure_logging('payment-service')\n"
        "async def work():\n"
        "    for turn in range(3):\n"
        "        logging.error('an error: %s', turn)\n"
        "        logging.info('x' * 10_000)\n"
        "        await asyncio.sleep(0)\n"
        "    return 'done'\n"
        "sys.stderr.write(asyncio.run(work()))\n"
        "sys.stderr.flush()\n"
        "os._exit(0)\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert ended.stderr.splitlines() == [
        "the log cannot be written, and its lines are lost: [Errno 32] Broken pipe",
        "done",
    ]


def test_a_log_that_is_closed_costs_lines_and_no_work(stream, capsys):
    stream.close()
    log.error("one")
    log.error("two")
    assert capsys.readouterr().err.count("the log cannot be written") == 1


def test_ctrl_c_is_no_crash():
    program = (
        "from eci_payments.observability.logs import configure_logging\n"
        "configure_logging('payment-service')\n"
        "raise KeyboardInterrupt\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.stdout, ended.stderr) == ("", "")


def test_an_answered_request_is_one_line(lines):
    with context.working_for(correlation="c-1"):
        log_access(method="POST", route="/v1/payments/{payment_id}/refund", status=200, duration_ms=12.34567)
        log_access(
            method="GET", route="unmatched", status=503, duration_ms=1, path=f"/x/{PAN}", client="127.0.0.1"
        )
    first, second = lines()
    assert first["message"] == "POST /v1/payments/{payment_id}/refund 200"
    assert (first["method"], first["route"], first["status"]) == (
        "POST",
        "/v1/payments/{payment_id}/refund",
        200,
    )
    assert first["duration_ms"] == 12.346
    assert first["correlation_id"] == "c-1"
    assert "path" not in first
    assert second["level"] == "WARNING"
    assert second["path"] == "/x/****-****-****-4242"
    assert second["client"] == "127.0.0.1"


def test_what_others_log_under_the_name_of_the_access_log_is_masked(lines):
    logging.getLogger("eci_payments.access").info("request", extra={"path": f"/x/{PAN}"})
    (line,) = lines()
    assert line["path"] == "/x/****-****-****-4242"


def test_libraries_that_tell_what_they_send_are_quiet(lines):
    logging.getLogger("httpx").info("HTTP Request: GET http://peer/?secret")
    logging.getLogger("httpcore").debug("headers")
    assert lines() == []


def test_the_level_is_kept(stream, lines):
    configure_logging("payment-service", "WARNING", stream)
    log.info("not this")
    log.warning("this")
    log_access(method="GET", route="/health", status=200, duration_ms=1)
    assert [line["message"] for line in lines()] == ["this"]
