"""Starting: open only on loopback; keys made at the command line; what the processes say and do not say."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.processes import free_port, plain_environment, processes, run_command

BOOTSTRAP = "eci_1_" + "k7w2m9xq4h3b" * 6


@pytest.fixture
def settings(tmp_path: Path, database) -> dict[str, object]:
    return {
        "DATA_DIR": tmp_path,
        "DATABASE_URL": database.service_url.replace("+asyncpg", ""),
        "MIGRATION_DATABASE_URL": database.owner_url.replace("+asyncpg", ""),
        "GATEWAYS": "simulator",
    }


def status_of(address, path="/v1/payments", **headers):
    request = urllib.request.Request(address + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def command(settings, *arguments):
    return run_command(*arguments, environment=plain_environment(**settings))


def test_open_mode_warns_in_one_line_and_ends_with_the_first_key(tmp_path, settings):
    with processes(tmp_path / "p", **settings) as made:
        served, address = made.serve()
        assert status_of(address) == 200
        (warning,) = [line for line in served.said.splitlines() if "OPEN MODE" in line]
        assert json.loads(warning)["level"] == "WARNING"


def test_other_addresses_are_refused_without_a_key_and_closed_with_one(tmp_path, settings):
    refused = command(settings, "serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1
    assert "there is no API key yet" in refused.stderr
    assert refused.stderr.strip().count("\n") == refused.stderr.strip().count('{"time"')

    admin = free_port()
    assert command(settings | {"BOOTSTRAP_API_KEY": BOOTSTRAP}, "migrate").returncode == 0
    with processes(tmp_path / "p", **settings, SERVICE_HOST="0.0.0.0", ADMIN_PORT=admin) as made:
        served, address = made.serve()
        address = address.replace("0.0.0.0", "127.0.0.1")
        assert status_of(address) == 401
        assert status_of(address, **{"X-Api-Key": BOOTSTRAP}) == 200
        assert status_of(address, "/metrics") == 401
        assert status_of(f"http://127.0.0.1:{admin}", "/metrics") == 200
        assert status_of(f"http://127.0.0.1:{admin}") == 401
        assert served.stop() == 0
        assert BOOTSTRAP not in served.said


def test_no_process_shows_a_secret_in_its_arguments_or_its_log(tmp_path):
    """Everything embedded: the service and the database that it starts."""
    secrets = {
        "BOOTSTRAP_API_KEY": BOOTSTRAP,
        "FINGERPRINT_KEY": "fingerprints-of-requests-are-keyed-by-this",
        "CARD_FINGERPRINT_KEY": "k1:" + "5e" * 32,
        "READ_TOKEN_KEY": "read-tokens-are-signed-by-this-and-no-other",
        "SANDBOX_API_KEY": "the-key-of-the-sandbox",
    }
    settings = {"DATA_DIR": tmp_path / "data", "GATEWAYS": "simulator", "LOG_LEVEL": "DEBUG"} | secrets
    assert command(settings, "migrate").returncode == 0
    with processes(tmp_path / "p", **settings) as made:
        served, address = made.serve()
        assert status_of(address, **{"X-Api-Key": BOOTSTRAP}) == 200
        assert status_of(address, **{"X-Api-Key": BOOTSTRAP[:-1]}) == 401
        shown = served.said + "".join(arguments())
        assert served.stop() == 0
    assert str(tmp_path / "data") in shown  # the database's arguments are among them
    assert [name for name, secret in secrets.items() if secret.removeprefix("k1:")[:-1] in shown] == []


def arguments():
    """What any process of this machine was started with."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield each.read_text(errors="replace")


def test_keys_are_made_listed_rotated_and_revoked(settings):
    made = command(
        settings, "keys", "create", "--scopes", "read,charge", "--name", "shop", "--expires-days", "30"
    )
    key = made.stdout.strip()
    assert (made.returncode, key[:6]) == (0, "eci_1_")
    assert "shown this once" in made.stderr
    rotated = command(settings, "keys", "rotate", key[:18], "--grace-hours", "1").stdout.strip()
    assert command(settings, "keys", "revoke", rotated[:18]).returncode == 0
    listed = command(settings, "keys", "list").stdout.splitlines()
    assert [line.split()[:3] for line in listed] == [
        [key[:18], "works", "charge,read"],
        [rotated[:18], "revoked", "charge,read"],
    ]
    assert all("expires" in line for line in listed)  # the new key lives as long as the old one was made for
    assert key not in "".join(listed)
    assert command(settings, "keys", "revoke", rotated[:18]).returncode == 1
    assert "scopes must be of" in command(settings, "keys", "create", "--scopes", "everything").stderr
    assert "there is no merchant 9" in command(settings, "keys", "list", "--merchant", "9").stderr


def test_a_key_has_a_rate_limit_of_its_own_and_hands_it_on(settings):
    key = command(settings, "keys", "create", "--scopes", "read", "--per-second", "250").stdout.strip()
    rotated = command(settings, "keys", "rotate", key[:18], "--expires-days", "7").stdout.strip()
    assert command(settings, "keys", "limit", key[:18], "--per-second", "0").returncode == 0
    old, new = command(settings, "keys", "list").stdout.splitlines()
    assert (old[:18], "250/s" in old) == (key[:18], False)
    assert (new[:18], "250/s" in new, "expires" in new) == (rotated[:18], True, True)
    trail = command(settings, "audit", "events").stdout
    assert f"{key[6:18]} to the default per second" in trail
    assert command(settings, "keys", "limit", "eci_1_nobodys", "--per-second", "5").returncode == 1


def test_merchants_are_made_and_have_keys_of_their_own(settings):
    assert command(settings, "merchants", "create", "Second shop").returncode == 0
    key = command(settings, "keys", "create", "--scopes", "all", "--merchant", "2").stdout
    assert key.startswith("eci_2_")
    listed = command(settings, "merchants", "list").stdout
    assert "Second shop" in listed
    assert "1 keys" in listed


def test_the_services_role_makes_no_keys(settings):
    restricted = {name: value for name, value in settings.items() if name != "MIGRATION_DATABASE_URL"}
    refused = command(restricted, "keys", "create", "--scopes", "all")
    assert (refused.returncode, "MIGRATION_DATABASE_URL" in refused.stderr) == (1, True)


def test_the_bootstrap_key_comes_from_a_file_and_is_stored_once(settings, tmp_path):
    file = tmp_path / "key"
    file.write_text(BOOTSTRAP + "\n")
    given = settings | {"BOOTSTRAP_API_KEY_FILE": file}
    for _ in range(2):
        assert command(given, "migrate").returncode == 0
    assert command(settings, "keys", "revoke", BOOTSTRAP[:18]).returncode == 0
    assert command(given, "migrate").returncode == 0
    (line,) = command(settings, "keys", "list").stdout.splitlines()
    assert "revoked" in line
    wrong = command(settings | {"BOOTSTRAP_API_KEY": "hunter2"}, "migrate")
    assert (wrong.returncode, "hunter2" in wrong.stderr) == (2, False)
