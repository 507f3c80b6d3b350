"""Fixtures for every test: a real PostgreSQL, and a database of one's own in it."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

import scratch
from support.postgres import Database, Server, folder_for_this_run, migrate, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_whole_run = ExitStack()
LONGEST_FIRST = ("proof", "chaos", "deploy", "cli", "security")
"""Rooms whose files take longest: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; else as they stand."""
    order = {room: place for place, room in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(order)))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the first process, not a worker of pytest-xdist
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch.root()))  # where tmp_path lies
        _whole_run.enter_context(folder_for_this_run())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged travels between processes as UTF-8; lone surrogates, which tests log on purpose, do not."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_unconfigure() -> None:
    _whole_run.close()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Puts back handlers, level and hooks, for a test that calls `configure_logging` in this process."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    before, level, shown = root.handlers[:], root.level, warnings.formatwarning
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    warnings.formatwarning = shown
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server; started when the first test wants it."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: Server) -> Iterator[str]:
    """The name of a migrated database to copy."""
    made = postgres.create()
    migrate(made)
    yield made.name
    postgres.drop(made)


@pytest.fixture
def new_database(postgres: Server, request: pytest.FixtureRequest) -> Iterator[Callable[..., Database]]:
    """Makes a database, with the schema of today or ``empty=True``; all are dropped after the test."""
    made: list[Database] = []

    def make(*, empty: bool = False) -> Database:
        made.append(postgres.create(None if empty else request.getfixturevalue("template")))
        return made[-1]

    yield make
    for database in made:
        postgres.drop(database)


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    """A fresh database with the schema of today and nothing in it."""
    return new_database()


@pytest.fixture
def empty_database(new_database: Callable[..., Database]) -> Database:
    """A fresh database without a schema."""
    return new_database(empty=True)


@pytest.fixture
def owner_url(database: Database) -> str:
    """The address of ``database`` for the owner of the schema, who migrates."""
    return database.owner_url


@pytest.fixture
def service_url(database: Database) -> str:
    """The address of ``database`` for the service, which owns nothing."""
    return database.service_url
