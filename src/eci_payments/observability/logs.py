"""JSON logs on standard output: one line, one object, whoever logs (ours, the web server, asyncio, warnings, crashes).

Fields: ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, ``service``, then ``correlation_id``,
``trace_id`` and ``merchant_id`` where there are any, what the call gave as ``extra``, and ``exception``. All of it is
masked, bounded and ASCII, so that nothing that anyone sends can begin a line, break one, or put a field in it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import TextIO

import msgspec

from eci_payments.observability import context
from eci_payments.observability.masking import mask
from eci_payments.observability.structures import Json, Masker, shortened, text_of

MAX_MESSAGE = 8192
MAX_TRACEBACK = 16384
"""Characters; the middle is left out where there are more: the beginning says where, the end says what."""
MAX_EXTRAS = 64
MAX_PATH = 512

_ATTRIBUTES_OF_ALL = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
_RESERVED = frozenset(
    {
        "time",
        "level",
        "logger",
        "message",
        "service",
        "correlation_id",
        "trace_id",
        "merchant_id",
        "exception",
        "stack",
    }
)
_OWN_HANDLERS_OF_OTHERS = ("uvicorn", "uvicorn.error", "uvicorn.asgi")
_CHATTY = ("httpx", "httpcore", "asyncpg", "sqlalchemy.engine")
"""Libraries that tell at INFO or DEBUG what they send: addresses with queries, headers, parameters."""

_log = logging.getLogger(__name__)


class JsonFormatter(logging.Formatter):
    """One record as one JSON object on one line. Never raises."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        try:
            if _ACCESS in vars(record):
                return self.access_line(record.levelname, record.created, vars(record)[_ACCESS])
            return _encoded(self._fields(record))
        except Exception as wrong:  # noqa: BLE001 - a log line must not cost the work that it is about
            return _encoded(
                self._head(record) | {"message": f"a line that cannot be shown: {type(wrong).__name__}"}
            )

    def _fields(self, record: logging.LogRecord) -> dict[str, Json]:
        masker = Masker()
        fields = self._head(record) | {"message": _message(record, masker), "service": self._service}
        return fields | _whose() | _extras(record, masker) | _failure(record)

    def _head(self, record: logging.LogRecord) -> dict[str, Json]:
        return {
            "time": _rfc3339(record.created),
            "level": _label(record.levelname),
            "logger": _label(record.name),
        }

    def access_line(self, level: str, created: float, told: dict[str, Json]) -> str:
        """What `log_access` tells: safe already, so that the line of every request need not be searched again."""
        return _encoded(
            {
                "time": _rfc3339(created),
                "level": level,
                "logger": _access.name,
                "message": f"{told['method']} {told['route']} {told['status']}",
                "service": self._service,
                **_whose(),
                **told,
            }
        )


class _Lines(logging.StreamHandler[TextIO]):
    """Lines onto a stream. What is told within one turn of the event loop is written together, at its end.

    Errors are written at once: after them there may be no other turn. A stream that takes no more (its reader has
    gone) costs the lines, never the work that they are about; standard error says so once.
    """

    _turn: asyncio.AbstractEventLoop | None = None
    """The loop in whose next turn it is written."""
    _is_lost = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        super().emit(record)
        if record.levelno >= logging.ERROR:
            self._flush_now()

    def write_access(self, level: int, told: dict[str, Json]) -> bool:
        """Write what `log_access` tells, without a record of it; false where somebody else has to see one."""
        if self.filters or not isinstance(self.formatter, JsonFormatter):
            return False
        line = self.formatter.access_line(logging.getLevelName(level), time.time(), told)
        try:
            self.stream.write(line + self.terminator)
        except (OSError, ValueError) as wrong:
            self._say_lost(wrong)
        self.flush()
        return True

    def flush(self) -> None:
        """Now, or where an event loop runs in its next turn."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush_now()
            return
        if loop is not self._turn:
            self._turn = loop
            loop.call_soon(self._flush_now)

    def close(self) -> None:
        """The process ends, or logs otherwise."""
        self._flush_now()
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Where a line cannot be written."""
        del record
        self._say_lost(sys.exception())

    def _flush_now(self) -> None:
        self._turn = None
        try:
            super().flush()
        except (OSError, ValueError) as wrong:  # gone, or closed
            self._say_lost(wrong)

    def _say_lost(self, wrong: BaseException | None) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        with suppress(Exception):
            sys.stderr.write(f"the log cannot be written, and its lines are lost: {wrong}\n")


def configure_logging(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log of this process, whoever writes it, to ``stream`` (standard output) as JSON lines."""
    handler = _Lines(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _OWN_HANDLERS_OF_OTHERS:
        other = logging.getLogger(name)
        other.handlers.clear()
        other.setLevel(logging.NOTSET)
        other.propagate, other.disabled = True, False
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line of ours has them
    logging.getLogger("uvicorn.access").disabled = True  # `log_access` says more, and no query
    _capture_the_rest()


def log_access(
    *, method: str, route: str, status: int, duration_ms: float, path: str = "", client: str | None = None
) -> None:
    """One line for one answered request. ``method`` and ``route`` (a template) are from closed sets; never a query."""
    level = logging.WARNING if status >= _SERVER_ERROR else logging.INFO
    if not _access.isEnabledFor(level):
        return
    told: dict[str, Json] = {
        "method": method,
        "route": route,
        "status": status,
        "duration_ms": round(duration_ms, 3),
    }
    if path not in ("", route):
        told["path"] = text_of(path, MAX_PATH)
    if client:
        told["client"] = client
    lines = _only_listener()
    if lines is None or not lines.write_access(level, told):
        record = logging.LogRecord(_access.name, level, __file__, 0, _ACCESS, None, None)
        vars(record)[_ACCESS] = told
        _access.handle(record)


def _only_listener() -> _Lines | None:
    """Our own handler, where it is all that the access log goes to: then a line needs no record of it."""
    listening = logging.root.handlers
    only = listening[0] if len(listening) == 1 and not _access.handlers and not _access.filters else None
    return only if isinstance(only, _Lines) else None


def _capture_the_rest() -> None:
    logging.captureWarnings(capture=True)
    warnings.formatwarning = _warning_on_one_line
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _message(record: logging.LogRecord, masker: Masker) -> str:
    arguments = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(_argument(each, masker) for each in arguments)
    try:
        text = str(record.msg) % arguments if arguments else str(record.msg)
    except Exception as wrong:  # noqa: BLE001 - the template alone is better than nothing
        text = f"{text_of(record.msg)} (with arguments that do not fit: {type(wrong).__name__})"
    return text_of(text, MAX_MESSAGE)


def _argument(value: object, masker: Masker) -> object:
    """Records within a message are masked by the names of their fields; the rest as text, with the message."""
    return masker.value(value) if isinstance(value, Mapping | list | tuple | set | frozenset) else value


def _whose() -> dict[str, Json]:
    whose: dict[str, Json] = {}
    if correlation := context.correlation_id.get():
        whose["correlation_id"] = correlation
    if span := context.trace.get():
        whose["trace_id"] = span.trace_id
    if (merchant := context.merchant_id.get()) is not None:
        whose["merchant_id"] = merchant
    return whose


def _extras(record: logging.LogRecord, masker: Masker) -> dict[str, Json]:
    given = [(name, value) for name, value in vars(record).items() if name not in _ATTRIBUTES_OF_ALL]
    named = ((text_of(name, 64), value) for name, value in given[:MAX_EXTRAS])
    return {f"{name}_" if name in _RESERVED else name: masker.value(value, name) for name, value in named}


def _failure(record: logging.LogRecord) -> dict[str, Json]:
    fields: dict[str, Json] = {}
    if record.exc_info and record.exc_info[1] is not None:
        fields["exception"] = _exception(record.exc_info[1])
    elif record.exc_text:
        fields["exception"] = shortened(mask(str(record.exc_text)), MAX_TRACEBACK)
    if record.stack_info:
        fields["stack"] = text_of(record.stack_info, MAX_TRACEBACK)
    return fields


def _exception(raised: BaseException) -> Json:
    told = "".join(traceback.format_exception(raised))
    return {"type": type(raised).__qualname__, "traceback": text_of(told, MAX_TRACEBACK)}


@lru_cache(maxsize=1024)
def _label(name: str) -> str:
    return text_of(name, 256)


def _encoded(fields: dict[str, Json]) -> str:
    line = msgspec.json.encode(fields)
    return line.decode() if line.isascii() else _escaped(fields)


_escaped = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""Several times slower, and ASCII whatever is in it."""


def _rfc3339(seconds: float) -> str:
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _warning_on_one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    del line
    return f"{category.__name__}: {message} ({filename}:{lineno})"


def _uncaught(kind: type[BaseException], raised: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("uncaught exception: the process ends", exc_info=(kind, raised, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name = args.thread.name if args.thread else "?"
        _log.critical("uncaught exception in thread %s", name, exc_info=args.exc_value)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    _log.error(
        "%s %r", args.err_msg or "exception that cannot be raised in", args.object, exc_info=args.exc_value
    )


_access = logging.getLogger("eci_payments.access")
_ACCESS = "access fields"
"""No name that an ``extra`` of somebody else would have."""
_SERVER_ERROR = 500
