"""What production is told to set fits what it is told to run on."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped] # it brings no types

from eci_payments.api import bodies
from eci_payments.api.routes import hooks
from eci_payments.settings import declared, load
from eci_payments.store.session import Database
from support import pooler
from support.archived_server import DATABASE, SERVICE
from support.town import database_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.archived_server import ArchivedServer

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
IGNORED = "ignore_startup_parameters"


def manifests(file: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(file.read_text()) if each]


def example(kind: str) -> dict[str, Any]:
    return next(each for each in manifests(K8S / "examples" / "cloudnativepg.yaml") if each["kind"] == kind)


def of_production() -> dict[str, str]:
    lines = (K8S / "overlays" / "production" / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="eci-production-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
async def server(ground) -> AsyncIterator[ArchivedServer]:
    async with database_server(ground) as made:
        yield made


@contextmanager
def started(server: ArchivedServer, more: str = "") -> Iterator[pooler.Pooler]:
    made = pooler.Pooler.before(server, more)
    made.start()
    try:
        yield made
    finally:
        made.kill()


async def ping(between: pooler.Pooler, *, prepared: bool) -> None:
    url = f"postgresql+asyncpg://{SERVICE}@127.0.0.1:{between.port}/{DATABASE}"
    database = Database(url, pool_size=1, prepared_statements=prepared)
    try:
        await database.ping()
    finally:
        await database.close()


needs_pgbouncer = pytest.mark.skipif(
    pooler.program() is None, reason="pgbouncer is missing (Debian: pgbouncer)"
)


@needs_pgbouncer
async def test_the_settings_of_production_connect_through_a_pooler_as_it_comes(server):
    with started(server) as between:
        await ping(between, prepared=load(of_production()).db_prepared_statements)


@needs_pgbouncer
async def test_the_pooler_of_the_example_takes_either_setting(server):
    parameters = example("Pooler")["spec"]["pgbouncer"]["parameters"]
    with started(server, f"{IGNORED} = {parameters[IGNORED]}") as between:
        for prepared in (True, False):
            await ping(between, prepared=prepared)


def test_settings_of_production_are_settings():
    assert set(of_production()) <= {name.upper() for name in declared()}


def test_whoever_is_granted_something_in_the_example_is_there_by_then():
    """The operator makes its managed roles after the bootstrap, and ``postInitSQL`` before the database."""
    begun = example("Cluster")["spec"]["bootstrap"]["initdb"]
    made = {line.split()[2] for line in begun["postInitSQL"] if line.startswith("CREATE ROLE ")}
    granted = {line.split()[-1] for line in begun["postInitApplicationSQL"] if line.startswith("GRANT ")}
    assert granted <= made | {begun["owner"]}


def test_the_ingress_lets_through_what_the_service_takes():
    (ingress,) = manifests(K8S / "examples" / "ingress.yaml")
    most = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert int(most.removesuffix("k")) * 1024 >= max(hooks.MAX_BODY_BYTES, bodies.MAX_BODY_BYTES)
    paths = {each["path"] for each in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert paths == {"/v1/", "/problems/"}
