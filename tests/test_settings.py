"""Settings: what is taken, what is refused and with which one line, and that `.env.example` tells the truth."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from eci_payments.settings import PeerSettings, Settings, SettingsError, declared, example, load

ROOT = Path(__file__).parent.parent
SECRET = "correct-horse-battery-staple-0123456789"
URL = "postgresql://shop:s3cret@db:5432/payments"


def test_an_empty_environment_gives_the_defaults_of_the_contract():
    settings = load({})
    assert settings == Settings()
    assert settings.database_url is None
    assert (settings.service_name, settings.service_host, settings.service_port) == (
        "payment-service",
        "127.0.0.1",
        8086,
    )
    assert settings.max_charge_amount == Decimal(100000)
    assert settings.default_currency == "INR"
    assert settings.idempotency_window_hours == 24
    assert settings.delivery_max_age_h == 72
    assert settings.batch_max == 64
    assert settings.gateways == ()
    assert settings.peers == {}
    assert settings.simulator_path == Path(".data/simulator.sqlite3")


def test_a_stop_answers_what_was_accepted_by_default():
    settings = load({})
    assert settings.gateway_timeout_s < settings.shutdown_grace_s < 10


def test_unknown_variables_are_left_alone_and_empty_ones_are_defaults():
    assert load({"PATH": "/bin", "SERVICE_PORT": "", "GATEWAYS": " ", "DATABASE_URL": ""}) == Settings()


def test_the_process_environment_is_read_when_none_is_given(monkeypatch):
    monkeypatch.setenv("SERVICE_PORT", "0")
    assert load().service_port == 0


@pytest.mark.parametrize(
    ("given", "driver_url"),
    [
        (URL, "postgresql+asyncpg://shop:s3cret@db:5432/payments"),
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u:p%40ss@h/d?sslmode=require", "postgresql+asyncpg://u:p%40ss@h/d?ssl=require"),
        ("postgresql://u@/d?host=/run/pg", "postgresql+asyncpg://u@/d?host=%2Frun%2Fpg"),
    ],
)
def test_database_urls_become_what_the_driver_takes(given, driver_url):
    settings = load({"DATABASE_URL": given})
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == driver_url
    assert settings.owner_database_url == settings.database_url


def test_the_owner_of_the_database_may_be_another():
    settings = load({"DATABASE_URL": URL, "MIGRATION_DATABASE_URL": URL.replace("shop", "owner")})
    assert settings.owner_database_url is not None
    assert "//owner:" in settings.owner_database_url.get_secret_value()


WRONG = [
    ("DATABASE_URL", "mysql://u:hunter2@h/d"),
    ("DATABASE_URL", "postgresql://u:hunter2@h:notaport/d"),
    ("DATABASE_URL", "postgresql://u:hunter2@h"),
    ("DATABASE_URL", "postgresql:///d"),
    ("DATABASE_URL", "postgresql://u@h/d?application_name=x"),
    ("DATABASE_URL", "postgresql://u@h/d?x"),
    ("REQUIRE_RESTRICTED_ROLE", "maybe"),
    ("DB_POOL_SIZE", "0"),
    ("DB_POOL_SIZE", "8.5"),
    ("DB_POOL_SIZE", "\u0668"),
    ("SERVICE_PORT", "65536"),
    ("SERVICE_PORT", "-1"),
    ("SERVICE_PORT", "80a"),
    ("SERVICE_HOST", "a b"),
    ("SERVICE_NAME", "x\ny"),
    ("GATEWAYS", "simulator,simulator"),
    ("GATEWAYS", "simulator,,other"),
    ("GATEWAYS", "Simu lator"),
    ("FINGERPRINT_KEY", "hunter2"),
    ("MAX_CHARGE_AMOUNT", "0"),
    ("MAX_CHARGE_AMOUNT", "1e5"),
    ("MAX_CHARGE_AMOUNT", "NaN"),
    ("DEFAULT_CURRENCY", "rupees"),
    ("GATEWAY_TIMEOUT_S", "inf"),
    ("GATEWAY_TIMEOUT_S", "0"),
    ("SHUTDOWN_GRACE_S", "10"),
    ("LATE_SUCCESS_POLICY", "keep"),
    ("RETURN_URL_ALLOWLIST", "https://shop.example/path"),
    ("RETURN_URL_ALLOWLIST", "javascript:alert(1)"),
    ("ORDER_SERVICE_URL", "order-service:8000"),
    ("ORDER_SERVICE_URL", "http://user:hunter2@order-service"),
    ("ORDER_SERVICE_URL", "http://order-service/?q=1"),
    ("ORDER_SERVICE_PATH", "v1/orders"),
    ("ORDER_SERVICE_PATH", "//elsewhere/v1"),
    ("ORDER_SERVICE_VERB", "GET"),
    ("ORDER_SERVICE_BODY", "{order_id}"),
    ("ORDER_SERVICE_BODY", "[]"),
    ("ORDER_SERVICE_BODY", '{"a": NaN}'),
    ("ORDER_SERVICE_BODY", "[" * 100_000),
    ("PEER_SHAPE", "cousin"),
    ("LOG_LEVEL", "LOUD"),
    ("PUBLIC_URL", "ftp://x"),
    ("DATA_DIR", "a\0b"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,hunter2"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a b=hunter2"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2;path=/"),
    ("OTEL_TRACES_SAMPLER_ARG", "1.1"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_is_one_line_that_names_it_and_never_shows_it(name, value):
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    line = str(caught.value)
    assert re.fullmatch(f"{name} must be .+", line)
    assert "hunter2" not in line
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_lease_must_outlast_the_call_that_it_covers():
    with pytest.raises(SettingsError, match="OPERATION_LEASE_S must be greater than GATEWAY_TIMEOUT_S"):
        load({"OPERATION_LEASE_S": "5", "GATEWAY_TIMEOUT_S": "5"})


def test_an_owner_of_the_embedded_database_makes_no_sense():
    with pytest.raises(SettingsError, match="MIGRATION_DATABASE_URL must not be given without DATABASE_URL"):
        load({"MIGRATION_DATABASE_URL": URL})


def test_secrets_are_never_shown():
    settings = load({"DATABASE_URL": URL, "MIGRATION_DATABASE_URL": URL, "FINGERPRINT_KEY": SECRET})
    for shown in (repr(settings), str(settings), f"{settings}"):
        assert "s3cret" not in shown
        assert SECRET not in shown
    assert settings.fingerprint_key is not None
    assert settings.fingerprint_key.get_secret_value() == SECRET


def test_a_secret_comes_from_a_file_as_well(tmp_path):
    file = tmp_path / "key"
    file.write_text(SECRET + "\n")
    assert load({"FINGERPRINT_KEY_FILE": str(file)}) == load({"FINGERPRINT_KEY": SECRET})


def test_a_secret_given_twice_is_refused_by_both_names(tmp_path):
    with pytest.raises(SettingsError, match="FINGERPRINT_KEY and FINGERPRINT_KEY_FILE"):
        load({"FINGERPRINT_KEY": SECRET, "FINGERPRINT_KEY_FILE": str(tmp_path / "key")})


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 70_000, None])
def test_a_file_that_is_no_secret_is_refused_by_name(tmp_path, content):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match="FINGERPRINT_KEY_FILE must be the path of a file"):
        load({"FINGERPRINT_KEY_FILE": str(file)})


def test_only_secrets_have_a_file(tmp_path):
    assert load({"SERVICE_PORT_FILE": str(tmp_path / "none")}) == Settings()


def test_peers_are_those_with_an_address():
    settings = load(
        {
            "ORDER_SERVICE_URL": "http://orders:8000/",
            "ORDER_SERVICE_VERB": "put",
            "ORDER_SERVICE_PATH": "/o/{order_id}",
            "ORDER_SERVICE_BODY": '{"state": "{status_detail}"}',
            "NOTIFICATION_SERVICE_URL": "https://notify",
            "INVENTORY_SERVICE_PATH": "/unused",
        }
    )
    assert settings.peers == {
        "order": PeerSettings("http://orders:8000", "/o/{order_id}", "PUT", {"state": "{status_detail}"}),
        "notification": PeerSettings("https://notify", None, None, None),
    }


def test_lists_and_words_are_read_kindly():
    settings = load(
        {
            "GATEWAYS": "simulator, other-one",
            "LOG_LEVEL": "debug",
            "RETURN_URL_ALLOWLIST": "https://a.example,http://localhost:3000/",
            "DB_PREPARED_STATEMENTS": "OFF",
        }
    )
    assert settings.gateways == ("simulator", "other-one")
    assert settings.log_level == "DEBUG"
    assert settings.return_url_allowlist == ("https://a.example", "http://localhost:3000")
    assert settings.db_prepared_statements is False


def test_settings_cannot_be_changed_and_can_be_handed_to_another_process():
    settings = load({"DATABASE_URL": URL})
    with pytest.raises(AttributeError):
        settings.service_port = 1  # type: ignore[misc] # it is frozen, which is the point
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_the_example_lists_every_setting_with_its_default_and_meaning():
    text = (ROOT / ".env.example").read_text()
    assert text == example(), "write it anew: .venv/bin/python -m eci_payments.settings > .env.example"
    for name, known in declared().items():
        assert re.search(
            f"^# {re.escape(known.meaning)}\\. Takes .+\\.\n{name.upper()}={known.default}$",
            text,
            re.MULTILINE,
        )


def test_the_example_as_an_environment_changes_nothing():
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    assert load(dict(pairs)) == Settings()
    assert len(pairs) == len(declared()) + sum(known.kind.secret for known in declared().values())


def test_the_example_is_written_by_one_command():
    command = [sys.executable, "-m", "eci_payments.settings"]
    written = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert written.stdout == example()
