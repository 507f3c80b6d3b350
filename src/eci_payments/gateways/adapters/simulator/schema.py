"""The record's tables: operations as the gateway knows them, disputes, and notices of what became of them."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    key            TEXT PRIMARY KEY,
    kind           TEXT NOT NULL,
    root_key       TEXT NOT NULL,
    parent_key     TEXT,
    merchant_id    INTEGER NOT NULL,
    transaction_id TEXT NOT NULL,
    order_id       TEXT NOT NULL,
    amount_minor   INTEGER NOT NULL CHECK (amount_minor >= 0),
    moved_minor    INTEGER NOT NULL CHECK (moved_minor >= 0),
    currency       TEXT NOT NULL,
    method         TEXT NOT NULL,
    reference      TEXT NOT NULL UNIQUE,
    state          TEXT NOT NULL,
    created_at_s   REAL NOT NULL,
    final          INTEGER NOT NULL,
    code           TEXT,
    silent_left    INTEGER NOT NULL,
    turns_at_s     REAL,
    turns_into     TEXT,
    turn_code      TEXT,
    action         TEXT,
    return_url     TEXT,
    capture_code   TEXT,
    card_brand     TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS operations_of_a_charge ON operations (root_key);

CREATE TABLE IF NOT EXISTS notices (
    event_id     TEXT PRIMARY KEY,
    key          TEXT NOT NULL,
    root_key     TEXT NOT NULL,
    state        TEXT NOT NULL,
    code         TEXT,
    fault        TEXT,
    happens_at_s REAL NOT NULL,
    due_at_s     REAL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    last_answer  TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS disputes (
    reference    TEXT PRIMARY KEY,
    root_key     TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    reason       TEXT NOT NULL,
    state        TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS notices_due ON notices (due_at_s) WHERE due_at_s IS NOT NULL;
"""
