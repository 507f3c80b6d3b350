"""What a person at the terminal gets: help, and one clear line for whatever keeps a command from starting."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import pytest

from eci_payments.domain.payment import PaymentStatus
from eci_payments.store.session import Database
from support.deliveries import fan_out_all
from support.processes import free_port, plain_environment, processes, run_command
from support.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import Database as Made

COMMANDS = ("demo", "serve", "work", "migrate", "verify", "sandbox", "standins", "deliveries", "gateways")


@pytest.fixture
def environment(tmp_path: Path, database: Made) -> dict[str, str]:
    return plain_environment(
        DATA_DIR=tmp_path,
        DATABASE_URL=database.service_url,
        MIGRATION_DATABASE_URL=database.owner_url,
        GATEWAYS="simulator",
    )


def refused(*arguments: str, environment: dict[str, str], code: int) -> str:
    """The one line with which a command ends."""
    done = run_command(*arguments, environment=environment)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert (done.returncode, len(lines)) == (code, 1), done.stderr + done.stdout
    assert lines[0].startswith("eci-payments: ")
    return lines[0].removeprefix("eci-payments: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, environment):
    done = run_command(command, "--help", environment=environment)
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_the_help_names_every_command(environment):
    said = run_command("--help", environment=environment).stdout
    assert [command for command in COMMANDS if command not in said] == []


@pytest.mark.parametrize("command", ["serve", "work"])
def test_without_gateways_nothing_starts(command, environment):
    line = refused(command, environment=environment | {"GATEWAYS": ""}, code=2)
    assert line.startswith("GATEWAYS ")


@pytest.mark.parametrize("command", ["demo", "serve", "work", "migrate", "verify"])
def test_a_wrong_setting_is_named_and_not_repeated(command, environment):
    line = refused(command, environment=environment | {"SERVICE_PORT": "secret"}, code=2)
    assert line.startswith("SERVICE_PORT ")
    assert "secret" not in line


@pytest.mark.parametrize("command", ["serve", "work", "verify"])
def test_a_peer_that_could_never_be_told_ends_the_start_and_its_setting_is_named(command, environment):
    told = environment | {"SERVICE_PORT": "0", "ORDER_SERVICE_URL": "http://orders"}
    body = refused(command, environment=told | {"ORDER_SERVICE_BODY": '{"card": "{pan}"}'}, code=2)
    assert body.startswith("ORDER_SERVICE_BODY: unknown name {pan}; known are ")
    path = refused(command, environment=told | {"ORDER_SERVICE_PATH": "/orders/{order}"}, code=2)
    assert path.startswith("ORDER_SERVICE_PATH: unknown name {order}")


def test_an_unknown_gateway_is_named(environment):
    line = refused("serve", "--port", "0", environment=environment | {"GATEWAYS": "bank"}, code=2)
    assert line.startswith("GATEWAYS")


def test_a_folder_that_cannot_be_made_is_named_with_its_setting(environment):
    nowhere = environment | {"DATA_DIR": "/proc/nowhere"}
    line = refused("serve", "--port", "0", environment=nowhere, code=1)
    assert line.startswith("FINGERPRINT_KEY is not given, and DATA_DIR (/proc/nowhere) takes none")
    given = nowhere | {"FINGERPRINT_KEY": "x" * 32}
    line = refused("serve", "--port", "0", environment=given, code=2)
    assert line.startswith("SIMULATOR_DB: /proc/nowhere/simulator.sqlite3 cannot be made")


def test_what_is_no_file_is_named_where_a_file_is_wanted(environment, tmp_path):
    folder = {"SIMULATOR_DB": str(tmp_path)}
    for command in (("serve", "--port", "0"), ("work",), ("sandbox",)):
        line = refused(*command, environment=environment | folder, code=2)
        assert line == "SIMULATOR_DB must be the path of a file"
    line = refused("standins", "--journal", str(tmp_path), environment=environment, code=2)
    assert line.startswith(f"the journal {tmp_path} cannot be used: ")


def test_the_simulators_folder_is_needed_only_where_an_account_is_the_simulators(environment, tmp_path):
    file = tmp_path / "gateways.toml"
    file.write_text(
        '[[accounts]]\nname = "a"\nadapter = "sandbox"\nurl = "http://127.0.0.1:1"\napi_key_env = "KEY"\n'
    )
    changed = environment | {"GATEWAYS": "", "GATEWAYS_FILE": str(file), "KEY": "sk_sandbox_1"}
    said = run_command("gateways", "check", environment=changed | {"DATA_DIR": "/proc/nowhere"}).stdout
    assert said == "1 account, 0 rules: all right.\n"


def test_gateways_say_where_a_charge_would_go(environment, tmp_path):
    file = tmp_path / "gateways.toml"
    file.write_text(
        '[[accounts]]\nname = "a"\nadapter = "simulator"\n[[accounts]]\nname = "b"\nadapter = "simulator"\n'
        'currencies = ["INR"]\n[[rules]]\nname = "cards"\nbins = ["4111"]\naccounts = ["b", "a"]\n'
    )
    changed = environment | {"GATEWAYS": "", "GATEWAYS_FILE": str(file)}
    said = run_command("gateways", "check", environment=changed)
    assert (said.returncode, said.stdout) == (0, "2 accounts, 1 rule: all right.\n")
    assert "rule cards: CREDIT_CARD, DEBIT_CARD; BIN 4111 -> b, a" in (
        run_command("gateways", "list", environment=changed).stdout
    )
    card = ("gateways", "route", "--method", "CREDIT_CARD", "--bin", "411111", "--amount", "5")
    assert run_command(*card, environment=changed).stdout == "rule cards decides\n1. b\n2. a\n"
    yen = run_command(*card, "--currency", "JPY", environment=changed).stdout
    assert yen == "rule cards decides\n-  b: does not take CREDIT_CARD in JPY\n1. a\n"
    upi = run_command("gateways", "route", "--method", "UPI", "--amount", "5", environment=changed)
    assert (upi.returncode, upi.stdout) == (
        1,
        "no rule fits: the charge is refused with 422 method_not_supported\n",
    )
    assert "--method" in refused(
        "gateways", "route", "--method", "X", "--amount", "5", environment=changed, code=2
    )
    file.write_text("[[accounts")
    assert refused("gateways", "check", environment=changed, code=2).startswith(f"GATEWAYS_FILE {file}: ")


@pytest.mark.parametrize("command", ["serve", "work", "migrate", "verify"])
def test_a_database_that_is_away_is_one_line_without_its_password(command, environment):
    away = f"postgresql://someone:secret@127.0.0.1:{free_port()}/books"
    changed = environment | {"DATABASE_URL": away, "MIGRATION_DATABASE_URL": "", "SERVICE_PORT": "0"}
    line = refused(command, environment=changed, code=1)
    assert line.startswith("the database books at 127.0.0.1:")
    assert "secret" not in line


@pytest.mark.parametrize("command", ["serve", "work", "verify"])
def test_a_database_that_is_not_migrated_names_the_command(command, environment, empty_database):
    urls = {"DATABASE_URL": empty_database.service_url, "MIGRATION_DATABASE_URL": empty_database.owner_url}
    line = refused(command, environment=environment | urls | {"SERVICE_PORT": "0"}, code=1)
    assert "eci-payments migrate" in line


def test_migrate_makes_the_schema_and_says_so(environment, empty_database):
    changed = environment | {
        "DATABASE_URL": empty_database.service_url,
        "MIGRATION_DATABASE_URL": empty_database.owner_url,
    }
    assert run_command("migrate", environment=changed).stdout == "The database is migrated.\n"
    assert run_command("migrate", environment=changed).stdout == "The database was up to date.\n"


def test_a_taken_port_is_one_line(environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refused("serve", "--port", port, environment=environment, code=1)
        assert line.startswith(f"port {port} on 127.0.0.1 is taken")
        demo = refused("demo", environment=environment | {"SERVICE_PORT": port}, code=1)
        assert demo == line


def test_a_role_that_could_rewrite_history_warns_or_is_refused(environment, database, tmp_path):
    as_owner = environment | {"DATABASE_URL": database.owner_url}
    line = refused("serve", "--port", "0", environment=as_owner | {"REQUIRE_RESTRICTED_ROLE": "on"}, code=1)
    assert "could rewrite history" in line
    with processes(tmp_path / "logs", **_settings(as_owner)) as made:
        running, _ = made.serve()
        warnings = [json.loads(each) for each in running.said.splitlines() if '"WARNING"' in each]
    assert any("could rewrite history" in each["message"] for each in warnings)


def test_the_simulator_warns_and_every_log_line_is_json(environment, tmp_path):
    with processes(tmp_path / "logs", **_settings(environment)) as made:
        running, _ = made.serve()
        worker = made.work()
        assert (running.stop(), worker.stop()) == (0, 0)
        lines = [json.loads(each) for each in (running.said + worker.said).splitlines()]
    assert sum("simulator" in each["message"] for each in lines if each["level"] == "WARNING") == 2


def test_another_fingerprint_key_is_refused(environment, tmp_path):
    with processes(tmp_path / "logs", **_settings(environment)) as made:
        made.serve()
    key = tmp_path / "fingerprint.key"
    assert key.stat().st_mode & 0o777 == 0o600
    other = refused("serve", "--port", "0", environment=environment | {"FINGERPRINT_KEY": "x" * 32}, code=1)
    assert other.startswith("FINGERPRINT_KEY is not the key")
    key.unlink()
    lost = refused("work", environment=environment, code=1)
    assert "FINGERPRINT_KEY is not given" in lost


def test_verify_counts_what_it_looked_at(environment):
    done = run_command("verify", environment=environment)
    assert (done.returncode, done.stdout.startswith("The books are right: ")) == (0, True)


def test_verify_says_of_which_peers_it_did_not_look(environment):
    told = {"ORDER_SERVICE_URL": "http://orders", "INVENTORY_SERVICE_URL": "http://stock"}
    said = run_command("verify", environment=environment | told).stdout
    assert said.endswith(" Not looked at, for want of its address: whether notification was told.\n")
    assert "for want" not in run_command("verify", "--audit", environment=environment).stdout
    told["NOTIFICATION_SERVICE_URL"] = "http://notes"
    assert "for want" not in run_command("verify", environment=environment | told).stdout


def test_deliveries_are_listed_and_replayed_by_name(environment):
    assert "nothing is parked" in run_command("deliveries", "list", environment=environment).stdout
    assert run_command("deliveries", "replay", "--parked", environment=environment).stdout.startswith(
        "0 are sent"
    )
    assert "no such delivery" in refused("deliveries", "replay", "1", environment=environment, code=1)
    said = run_command("audit", "events", environment=environment).stdout
    assert "parked deliveries replayed  every destination  begun" in said
    assert "delivery replayed  delivery 1  there is no such delivery" in said
    assert "--state" in refused("deliveries", "list", "--state", "x", environment=environment, code=2)
    only = ("deliveries", "replay", "1", "--destination", "order")
    assert "--parked" in refused(*only, environment=environment, code=2)


async def test_deliveries_behind_the_last_one_listed_are_listed(environment, database):
    connected = Database(database.service_url)
    await Shop(connected).told(PaymentStatus.FAILED, payments=3)
    await fan_out_all(connected)
    await connected.close()
    orders = ("deliveries", "list", "--destination", "order", "--json", "--limit", "2")
    newest = await asyncio.to_thread(_listed, *orders, environment=environment)
    rest = await asyncio.to_thread(_listed, *orders, "--before", str(newest[-1]), environment=environment)
    assert (len(newest), len(rest)) == (2, 1)
    assert rest[0] < newest[-1] < newest[0]


def _listed(*arguments: str, environment: dict[str, str]) -> list[int]:
    lines = run_command(*arguments, environment=environment).stdout.splitlines()
    return [json.loads(line)["delivery_id"] for line in lines]


def _settings(environment: dict[str, str]) -> dict[str, str]:
    names = ("DATA_DIR", "DATABASE_URL", "MIGRATION_DATABASE_URL", "GATEWAYS")
    return {name: environment[name] for name in names}
