"""One row of an audit trail changed, deleted, put in or moved by a superuser: verification names it.

Both trails: what happened to payments, and who did or was refused what.
"""

from __future__ import annotations

import json

import pytest

from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.store.admin_events import AdminEvent, record_one
from eci_payments.store.checks.seals import seal_name
from eci_payments.store.exported_seals import export_seals, read_export
from eci_payments.store.seal_chain import ACTS, CHAINS, PAYMENTS, row_hash
from eci_payments.store.seals import oldest_unsealed_s, seal
from eci_payments.store.session import Database, run
from eci_payments.store.trail import rows_behind
from eci_payments.store.verify import verify_audit
from support.processes import plain_environment, run_command
from support.settled import walk_to_end
from support.world import APPROVED, world

FROZEN = "SET LOCAL session_replication_role = replica"  # foreign keys do not stop a superuser


pytestmark = pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.seals)


@pytest.fixture
async def superuser(database):
    """The database after 6 sealed rows of each trail, opened by somebody who may do anything."""
    service = Database(database.service_url, pool_size=4)
    shop = world(service)
    for number in range(3):
        await shop.charge(APPROVED)
        for action in ("key created", "GET (no route)"):
            async with service.write() as session:
                await record_one(session, AdminEvent(SINGLE_SHOP, "somebody", action, f"k{number}", "401"))
    await walk_to_end(service, lambda s: seal(s, 100), lambda s: rows_behind(s, PAYMENTS.reader))
    await walk_to_end(service, lambda s: seal(s, 100), lambda s: rows_behind(s, ACTS.reader, ACTS.rows))
    await service.close()
    opened = Database(database.admin_url, pool_size=2)
    yield opened
    await opened.close()


async def ids(database, chain):
    async with database.read() as session:
        rows = await run(session, f"SELECT {chain.rows.key} AS id FROM {chain.seals} ORDER BY position")
    return [row.id for row in rows]


async def exported(database):
    async with database.read() as session:
        return read_export(await export_seals(session)).all


async def harm(database, *statements):
    async with database.write() as session:
        await run(session, FROZEN)
        for statement, *values in statements:
            await run(session, statement, *values)


async def seal_anew(database, chain):
    """What somebody does who can write the seals too: a new chain over what is there now."""
    key = chain.rows.key
    async with database.write() as session:
        rows = await run(session, f"SELECT {chain.selected} FROM {chain.rows.table} t ORDER BY {key}")
        await run(session, f"DELETE FROM {chain.seals}")
        previous = chain.genesis
        for position, row in enumerate(rows, 1):
            previous = row_hash(chain, previous, row)
            sql = f"INSERT INTO {chain.seals} (merchant_id, position, {key}, hash) VALUES (1, $1, $2, $3)"
            await run(session, sql, position, getattr(row, key), previous)


def place(chain, row_id, position):
    return f"{chain.noun} {row_id} ({seal_name(chain, position)})"


async def test_an_untouched_trail_is_right(superuser, chain):
    report = await verify_audit(superuser, await exported(superuser))
    assert report.ok, report.findings
    assert report.counted["seals" if chain is PAYMENTS else f"seals of {chain.noun}s"] == 6
    async with superuser.read() as session:
        assert await oldest_unsealed_s(session) == 0


@pytest.mark.parametrize("change", ["actor = 'somebody else'", "origin = 'x'", "{time} = {time} + '1 us'"])
async def test_a_changed_row_is_named(superuser, chain, change):
    third = (await ids(superuser, chain))[2]
    changed = change.format(time=chain.rows.time)
    sql = f"UPDATE {chain.rows.table} SET {changed} WHERE {chain.rows.key} = $1"
    await harm(superuser, (sql, third))
    (found,) = (await verify_audit(superuser)).findings
    assert (found.where, found.what) == (place(chain, third, 3), "was changed after it was sealed")


async def test_a_deleted_row_is_named(superuser, chain):
    fourth = (await ids(superuser, chain))[3]
    await harm(superuser, (f"DELETE FROM {chain.rows.table} WHERE {chain.rows.key} = $1", fourth))
    found = (await verify_audit(superuser)).findings[0]
    assert (found.where, found.what) == (place(chain, fourth, 4), "was removed after it was sealed")


async def test_an_inserted_row_is_named(superuser, chain):
    second = (await ids(superuser, chain))[1]
    columns = ", ".join(name for name in (*chain.columns, "committed_in") if name != chain.rows.key)
    copy = (
        f"INSERT INTO {chain.rows.table} ({chain.rows.key}, {columns})"
        f" SELECT 999999, {columns} FROM {chain.rows.table} WHERE {chain.rows.key} = $1"
    )
    await harm(superuser, (copy, second))
    findings = (await verify_audit(superuser)).findings
    assert (findings[0].where, findings[0].what) == (
        f"{chain.noun} 999999",
        "was put in behind the walk, or its seal was removed",
    )


async def test_a_row_put_in_as_if_it_were_new_is_no_version_of_its_payment(superuser, chain):
    """What is put in where the walk has not been yet is sealed like any other: only payments tell it apart."""
    if chain is ACTS:
        return
    columns = ", ".join(name for name in chain.columns if name != chain.rows.key)
    copy = f"INSERT INTO transactions ({chain.rows.key}, {columns}) SELECT 999999, {columns} FROM transactions LIMIT 1"
    await harm(superuser, (copy,))
    await walk_to_end(superuser, lambda s: seal(s, 100), lambda s: rows_behind(s, PAYMENTS.reader))
    findings = (await verify_audit(superuser)).findings
    assert findings[0].where.startswith("audit entry 999999 of payment ")


async def test_a_moved_row_is_named(superuser, chain):
    known, key = await ids(superuser, chain), chain.rows.key
    move = f"UPDATE {chain.rows.table} SET {key} = $2 WHERE {key} = $1"
    await harm(superuser, (move, known[1], -1), (move, known[2], known[1]), (move, -1, known[2]))
    findings = (await verify_audit(superuser)).findings
    assert findings[0].where == place(chain, known[1], 2)


@pytest.mark.parametrize(("removed", "name"), [(1, ""), (2, " to 4")])
async def test_removed_seals_are_named(superuser, chain, removed, name):
    known = await ids(superuser, chain)
    gone = f"DELETE FROM {chain.seals} WHERE position BETWEEN 3 AND $1"
    await harm(superuser, (gone, 2 + removed))
    findings = (await verify_audit(superuser)).findings
    assert (findings[0].where, findings[0].what) == (
        f"{seal_name(chain, 3)}{name}",
        f"was removed; {chain.noun} {known[2 + removed]} is sealed next",
    )
    left = [found.where for found in findings if "its seal was removed" in found.what]
    assert left == [f"{chain.noun} {row_id}" for row_id in known[2 : 2 + removed]]


async def test_two_seals_that_changed_places_are_named(superuser, chain):
    known, key = await ids(superuser, chain), chain.rows.key
    move = f"UPDATE {chain.seals} SET {key} = $2 WHERE {key} = $1"
    await harm(superuser, (move, known[1], -1), (move, known[2], known[1]), (move, -1, known[2]))
    findings = (await verify_audit(superuser)).findings
    assert findings[0].where == place(chain, known[2], 2)
    assert findings[0].what.endswith("the order was changed")


async def test_a_cut_tail_is_named_by_an_exported_seal(superuser, chain):
    seals, last = await exported(superuser), (await ids(superuser, chain))[-1]
    await harm(
        superuser,
        (f"DELETE FROM {chain.rows.table} WHERE {chain.rows.key} = $1", last),
        (f"DELETE FROM {chain.seals} WHERE {chain.rows.key} = $1", last),
    )
    found = (await verify_audit(superuser)).findings
    if chain is PAYMENTS:
        assert found[0].what == "is at version 2, its last audit entry at version 1"
    else:
        assert not found  # a chain by itself cannot know how long it was
    missed = (await verify_audit(superuser, seals)).findings[-1]
    assert missed.where == f"{seal_name(chain, 6)} of merchant 1"
    assert f"{chain.noun} {last}" in missed.what


async def test_a_chain_that_was_made_anew_is_named_by_an_exported_seal(superuser, chain):
    seals, second = await exported(superuser), (await ids(superuser, chain))[1]
    change = f"UPDATE {chain.rows.table} SET actor = 'x' WHERE {chain.rows.key} = $1"
    await harm(superuser, (change, second))
    await seal_anew(superuser, chain)
    assert (await verify_audit(superuser)).ok
    (found,) = (await verify_audit(superuser, seals)).findings
    assert "the chain made anew" in found.what


async def test_the_command_line_exports_and_compares(superuser, database, tmp_path, chain):
    given = {"DATA_DIR": tmp_path, "DATABASE_URL": database.service_url.replace("+asyncpg", "")}
    environment = plain_environment(**given)
    export = run_command("audit", "export-seal", environment=environment)
    assert export.returncode == 0, export.stderr
    told = json.loads(export.stdout)
    assert [told[kind][0]["position"] for kind in ("seals", "acts")] == [6, 6]
    kept = tmp_path / "seal.json"
    kept.write_text(export.stdout)
    right = run_command("verify", "--audit", "--seal", str(kept), environment=environment)
    assert (right.returncode, "2 exported seals" in right.stdout) == (0, True)
    last = (await ids(superuser, chain))[-1]
    await harm(superuser, (f"UPDATE {chain.rows.table} SET actor = 'x' WHERE {chain.rows.key} = $1", last))
    wrong = run_command("verify", "--audit", "--seal", str(kept), environment=environment)
    assert wrong.returncode == 1
    assert f"{chain.noun} {last}" in wrong.stderr
    kept.write_text("{}")
    assert run_command("verify", "--audit", "--seal", str(kept), environment=environment).returncode == 2
