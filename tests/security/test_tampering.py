"""One row of the audit trail changed, deleted, put in or moved by a superuser: verification names it."""

from __future__ import annotations

import json

import pytest

from eci_payments.store.exported_seals import NotAnExport, export_seals, read_export
from eci_payments.store.seal_chain import GENESIS, SELECTED, row_hash
from eci_payments.store.seals import READER, seal
from eci_payments.store.session import Database, run
from eci_payments.store.trail import rows_behind
from eci_payments.store.verify import verify_audit
from support.processes import plain_environment, run_command
from support.settled import walk_to_end
from support.world import APPROVED, world

FROZEN = "SET LOCAL session_replication_role = replica"  # foreign keys do not stop a superuser


@pytest.fixture
async def superuser(database):
    """The database after 6 sealed rows of audit, opened by somebody who may do anything."""
    service = Database(database.service_url, pool_size=4)
    shop = world(service)
    for _ in range(3):
        await shop.charge(APPROVED)
    await walk_to_end(service, lambda s: seal(s, 100), lambda s: rows_behind(s, READER))
    await service.close()
    opened = Database(database.admin_url, pool_size=2)
    yield opened
    await opened.close()


async def ids(database):
    async with database.read() as session:
        rows = await run(session, "SELECT transaction_log_id FROM audit_seals ORDER BY position")
    return [row.transaction_log_id for row in rows]


async def exported(database):
    async with database.read() as session:
        return read_export(await export_seals(session)).seals


async def harm(database, *statements):
    async with database.write() as session:
        await run(session, FROZEN)
        for statement, *values in statements:
            await run(session, statement, *values)


async def seal_anew(database):
    """What somebody does who can write the seals too: a new chain over what is there now."""
    async with database.write() as session:
        rows = await run(session, f"SELECT {SELECTED} FROM transactions t ORDER BY transaction_log_id")
        await run(session, "DELETE FROM audit_seals")
        previous = GENESIS
        for position, row in enumerate(rows, 1):
            previous = row_hash(previous, row)
            sql = "INSERT INTO audit_seals (merchant_id, position, transaction_log_id, hash) VALUES (1, $1, $2, $3)"
            await run(session, sql, position, row.transaction_log_id, previous)


async def test_an_untouched_trail_is_right(superuser):
    report = await verify_audit(superuser, await exported(superuser))
    assert report.ok, report.findings
    assert report.counted["seals"] == 6


@pytest.mark.parametrize(
    "column", ["amount_minor = 1", "actor = 'somebody else'", "created_at = created_at + '1 us'"]
)
async def test_a_changed_row_is_named(superuser, column):
    third = (await ids(superuser))[2]
    await harm(superuser, (f"UPDATE transactions SET {column} WHERE transaction_log_id = $1", third))
    (found,) = (await verify_audit(superuser)).findings
    assert (found.where, found.what) == (f"audit entry {third} (seal 3)", "was changed after it was sealed")


async def test_a_deleted_row_is_named(superuser):
    fourth = (await ids(superuser))[3]
    await harm(superuser, ("DELETE FROM transactions WHERE transaction_log_id = $1", fourth))
    (found,) = (await verify_audit(superuser)).findings
    assert (found.where, found.what) == (f"audit entry {fourth} (seal 4)", "was removed after it was sealed")


async def test_an_inserted_row_is_named(superuser):
    second = (await ids(superuser))[1]
    columns = (
        "merchant_id, payment_id, operation_id, version, transaction_type, amount_minor, currency, status,"
        " description, before, after, actor, created_at, committed_in"
    )
    copy = (
        f"INSERT INTO transactions (transaction_log_id, {columns})"
        f" SELECT 999999, {columns} FROM transactions WHERE transaction_log_id = $1"
    )
    await harm(superuser, (copy, second))
    findings = (await verify_audit(superuser)).findings
    assert [(each.where, each.what) for each in findings] == [
        ("audit entry 999999", "was put in behind the walk, or its seal was removed")
    ]


async def test_a_moved_row_is_named(superuser):
    known = await ids(superuser)
    move = "UPDATE transactions SET transaction_log_id = $2 WHERE transaction_log_id = $1"
    await harm(superuser, (move, known[1], -1), (move, known[2], known[1]), (move, -1, known[2]))
    findings = (await verify_audit(superuser)).findings
    assert findings[0].where == f"audit entry {known[1]} (seal 2)"


async def test_a_cut_tail_is_named_by_an_exported_seal(superuser):
    seals, last = await exported(superuser), (await ids(superuser))[-1]
    await harm(
        superuser,
        ("DELETE FROM transactions WHERE transaction_log_id = $1", last),
        ("DELETE FROM audit_seals WHERE transaction_log_id = $1", last),
    )
    assert (await verify_audit(superuser)).ok  # the chain by itself cannot know how long it was
    (found,) = (await verify_audit(superuser, seals)).findings
    assert found.where == "seal 6 of merchant 1"
    assert f"audit entry {last}" in found.what


async def test_a_chain_that_was_made_anew_is_named_by_an_exported_seal(superuser):
    seals, second = await exported(superuser), (await ids(superuser))[1]
    await harm(superuser, ("UPDATE transactions SET amount_minor = 1 WHERE transaction_log_id = $1", second))
    await seal_anew(superuser)
    assert (await verify_audit(superuser)).ok
    (found,) = (await verify_audit(superuser, seals)).findings
    assert "the chain made anew" in found.what


async def test_the_command_line_exports_and_compares(superuser, database, tmp_path):
    given = {"DATA_DIR": tmp_path, "DATABASE_URL": database.service_url.replace("+asyncpg", "")}
    environment = plain_environment(**given)
    export = run_command("audit", "export-seal", environment=environment)
    assert export.returncode == 0, export.stderr
    assert json.loads(export.stdout)["seals"][0]["position"] == 6
    kept = tmp_path / "seal.json"
    kept.write_text(export.stdout)
    right = run_command("verify", "--audit", "--seal", str(kept), environment=environment)
    assert (right.returncode, "1 exported seals" in right.stdout) == (0, True)
    last = (await ids(superuser))[-1]
    await harm(superuser, ("UPDATE transactions SET amount_minor = 1 WHERE transaction_log_id = $1", last))
    wrong = run_command("verify", "--audit", "--seal", str(kept), environment=environment)
    assert wrong.returncode == 1
    assert f"audit entry {last}" in wrong.stderr
    kept.write_text("{}")
    assert run_command("verify", "--audit", "--seal", str(kept), environment=environment).returncode == 2


@pytest.mark.parametrize("text", [b"", b"[]", b'{"format": "else", "exported_at": "x", "seals": []}'])
def test_another_file_is_no_export(text):
    with pytest.raises(NotAnExport):
        read_export(text)
