"""A database of the seed's service is taken over: amounts, states and history; what does not fit is named."""

# ruff: noqa: E501 - rows of a table
from __future__ import annotations

import asyncio

import asyncpg
import pytest

from support.processes import plain_environment, run_command

SCHEMA = """
CREATE TABLE payments (
    payment_id serial PRIMARY KEY, order_id integer NOT NULL, user_id integer NOT NULL, amount numeric(10, 2) NOT NULL,
    currency varchar(3) DEFAULT 'INR', payment_method varchar(20) NOT NULL, status varchar(20) DEFAULT 'PENDING',
    transaction_id varchar(50) UNIQUE, gateway_response varchar(500), created_at timestamp DEFAULT current_timestamp,
    updated_at timestamp DEFAULT current_timestamp, completed_at timestamp
);
CREATE TABLE transactions (
    transaction_log_id serial PRIMARY KEY, payment_id integer NOT NULL REFERENCES payments,
    transaction_type varchar(20) NOT NULL, amount numeric(10, 2) NOT NULL, status varchar(20) NOT NULL,
    description varchar(500), created_at timestamp DEFAULT current_timestamp
);
INSERT INTO payments (order_id, user_id, amount, payment_method, status, transaction_id, gateway_response,
                      created_at, updated_at, completed_at) VALUES
(1, 101, 1299.07, 'CREDIT_CARD', 'COMPLETED', 'TXN1', 'Payment successful', '2025-10-25 10:00', '2025-10-25 10:01', '2025-10-25 10:01'),
(2, 102, 999.00, 'UPI', 'PROCESSING', 'TXN2', 'Payment in progress', '2025-10-28 11:00', '2025-10-28 11:00', NULL),
(3, 103, 699.00, 'UPI', 'FAILED', 'TXN3', 'Insufficient balance', '2025-10-30 09:00', '2025-10-30 09:00:30', NULL),
(4, 104, 1199.00, 'WALLET', 'REFUNDED', 'TXN4', 'Refund: Customer request', '2025-10-28 10:00', '2025-10-30 15:00', '2025-10-28 10:01'),
(5, 105, 899.00, 'DEBIT_CARD', 'CANCELLED', 'TXN5', NULL, '2025-10-31 08:00', '2025-10-31 08:05', NULL),
(6, 106, 599.00, 'WALLET', 'PENDING', NULL, NULL, '2025-10-31 09:00', '2025-10-31 09:00', NULL),
(7, 107, 100.00, 'BITCOIN', 'COMPLETED', 'TXN7', NULL, '2025-10-31 09:00', '2025-10-31 09:00', '2025-10-31 09:00'),
(1, 101, 1299.07, 'UPI', 'COMPLETED', 'TXN8', NULL, '2025-10-31 09:00', '2025-10-31 09:00', '2025-10-31 09:00'),
(9, 109, 200.00, 'COD', 'COMPLETED', 'TXN9', NULL, '2025-10-31 09:00', '2025-10-31 09:00', '2025-10-31 09:00'),
(10, 110, 50.00, 'UPI', 'FAILED', 'TXN10', 'Insufficient balance', '2025-10-31 09:00', '2025-10-31 09:00', NULL),
(10, 110, 50.00, 'UPI', 'COMPLETED', 'TXN11', NULL, '2025-10-31 10:00', '2025-10-31 10:00', '2025-10-31 10:00'),
(11, 111, 60.00, 'UPI', 'FAILED', 'TXN12', 'Insufficient balance', '2025-10-31 09:00', '2025-10-31 09:00', NULL),
(11, 111, 60.00, 'UPI', 'PROCESSING', 'TXN13', NULL, '2025-10-31 10:00', '2025-10-31 10:00', NULL);
INSERT INTO transactions (payment_id, transaction_type, amount, status, description, created_at) VALUES
(1, 'PAYMENT', 1299.07, 'PENDING', 'Payment initiated via CREDIT_CARD', '2025-10-25 10:00'),
(1, 'PAYMENT', 1299.07, 'COMPLETED', 'Status changed from PENDING to COMPLETED', '2025-10-25 10:01'),
(4, 'PAYMENT', 1199.00, 'PENDING', 'Payment initiated via WALLET', '2025-10-28 10:00'),
(4, 'PAYMENT', 1199.00, 'COMPLETED', 'Status changed from PENDING to COMPLETED', '2025-10-28 10:01'),
(4, 'REFUND', 400.00, 'REFUNDED', 'Refund of 400.0 INR: one item', '2025-10-29 15:00'),
(4, 'REFUND', 799.00, 'REFUNDED', 'Refund of 799.0 INR: the rest', '2025-10-30 15:00');
"""


def plain(url: str) -> str:
    return url.replace("postgresql+asyncpg", "postgresql")


async def execute(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(plain(url))
    try:
        if sql is SCHEMA:
            await connection.execute(sql)
            return []
        return await connection.fetch(sql)
    finally:
        await connection.close()


@pytest.fixture
def source(empty_database) -> str:
    asyncio.run(execute(empty_database.owner_url, SCHEMA))
    return plain(empty_database.owner_url)


def test_a_seed_database_is_taken_over_once(tmp_path, database, source):
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, SEED_DATABASE_URL=source
    )
    done = run_command("import-seed", environment=environment)
    assert "Imported 7 payments; 0 were here already; 6 did not fit." in done.stdout, done.stderr
    assert done.returncode == 1
    assert "order 2: its status is PROCESSING" in done.stderr
    assert "order 7: the method BITCOIN is unknown" in done.stderr
    assert "order 1: the order was paid twice" in done.stderr
    assert "order 10: the order has another payment" in done.stderr
    assert "order 11: the order has another payment" in done.stderr
    assert "order 11: its status is PROCESSING" in done.stderr

    payments = asyncio.run(execute(database.owner_url, "SELECT * FROM payments ORDER BY order_id"))
    assert [(row["order_id"], row["status"], row["amount_minor"]) for row in payments] == [
        ("1", "COMPLETED", 129907),
        ("10", "COMPLETED", 5000),
        ("3", "FAILED", 69900),
        ("4", "REFUNDED", 119900),
        ("5", "CANCELLED", 89900),
        ("6", "PENDING", 59900),
        ("9", "COMPLETED", 20000),
    ]
    assert [row["transaction_id"] for row in payments[:2]] == ["TXN1", "TXN11"]
    assert payments[0]["created_at"].isoformat() == "2025-10-25T10:00:00+00:00"
    history = asyncio.run(
        execute(
            database.owner_url, "SELECT * FROM transactions WHERE description LIKE 'Refund of%' ORDER BY 1, 2"
        )
    )
    assert [row["amount_minor"] for row in history] == [40000, 79900]

    again = run_command("import-seed", environment=environment)
    assert "Imported 0 payments; 7 were here already" in again.stdout
    verified = run_command("verify", environment=environment)
    assert verified.returncode == 0, verified.stderr
    filled = run_command("seed", environment=environment | {"GATEWAYS": "simulator"})
    assert (filled.returncode, "payments that moved money" in filled.stderr) == (1, True), filled.stderr


SAYS_14 = """
CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '140012' $$;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$;
"""
"""The seed's service comes with PostgreSQL 14, on which ours does not run."""


def test_the_seed_s_own_older_postgresql_is_read(tmp_path, database, source):
    for statement in SAYS_14.strip().splitlines():
        asyncio.run(execute(source, statement))
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, SEED_DATABASE_URL=source
    )
    assert "Imported 7 payments" in run_command("import-seed", environment=environment).stdout
    refused = run_command("migrate", environment=environment | {"DATABASE_URL": source})
    assert "the database is PostgreSQL 14; 15 to 18 are supported" in refused.stderr


AS_THE_SERVICE_MAKES_IT = """
ALTER TABLE payments ALTER amount TYPE double precision
ALTER TABLE transactions ALTER amount TYPE double precision
CREATE TYPE paymentstatus AS ENUM ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'REFUNDED', 'CANCELLED')
ALTER TABLE payments ALTER status DROP DEFAULT, ALTER status TYPE paymentstatus USING status::paymentstatus
ALTER TABLE transactions ALTER status TYPE paymentstatus USING status::paymentstatus
"""


def test_tables_that_the_seed_s_service_made_itself_are_taken_over(tmp_path, database, source):
    for statement in AS_THE_SERVICE_MAKES_IT.strip().splitlines():
        asyncio.run(execute(source, statement))
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, SEED_DATABASE_URL=source
    )
    done = run_command("import-seed", environment=environment)
    assert "Imported 7 payments; 0 were here already; 6 did not fit." in done.stdout, done.stderr
    (first,) = asyncio.run(execute(database.owner_url, "SELECT * FROM payments WHERE order_id = '1'"))
    assert (first["status"], first["amount_minor"]) == ("COMPLETED", 129907)


def test_migrate_leaves_a_seed_database_alone(tmp_path, source):
    done = run_command("migrate", environment=plain_environment(DATA_DIR=tmp_path, DATABASE_URL=source))
    assert done.returncode != 0
    assert "already holds tables" in done.stderr


def test_what_is_no_seed_database_is_refused(tmp_path, database):
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, SEED_DATABASE_URL=plain(database.owner_url)
    )
    done = run_command("import-seed", environment=environment)
    assert done.returncode == 1
    assert "no database of the seed" in done.stderr
