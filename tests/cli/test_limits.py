"""What a merchant limits, at the command line: set, listed, removed, in the trail, by the owner only."""

from __future__ import annotations

import pytest

from eci_payments.cli.card_keys import check_card_keys
from eci_payments.cli.errors import CommandError
from eci_payments.domain.limits import BlockKind
from eci_payments.settings import load
from eci_payments.store.blocks import add_block
from eci_payments.store.session import Database
from support.processes import plain_environment, run_command


@pytest.fixture
def limits(tmp_path, database):
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, MIGRATION_DATABASE_URL=database.owner_url
    )

    def command(*arguments, code=0, **changed):
        done = run_command(*arguments, environment=environment | changed)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return command


def test_a_threshold_is_set_listed_changed_and_removed(limits):
    assert "refund-approval" in limits("limits", "--help")
    assert "above 5000.00 INR" in limits("limits", "refund-approval", "INR", "5000")
    limits("limits", "refund-approval", "JPY", "0")
    limits("limits", "refund-approval", "INR", "149.50")
    assert limits("limits", "list").splitlines() == [
        "refund_approval  above 149.50 INR",
        "refund_approval  above 0 JPY",
    ]
    limits("limits", "remove", "refund_approval", "JPY")
    assert "has no limit" in limits("limits", "remove", "refund_approval", "JPY", code=1)
    trail = limits("audit", "events")
    assert trail.count("limit set") == 3
    assert trail.count("limit removed") == 1


def test_only_the_owner_limits(limits, service_url):
    said = limits("limits", "refund-approval", "INR", "5", code=1, MIGRATION_DATABASE_URL=service_url)
    assert "only the owner" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("INR", "1.001"), 2), (("XAU", "5"), 2), (("INR", "-1"), 2), (("INR", "1e3"), 2)],
)
def test_what_is_no_money_is_refused(limits, arguments, code):
    limits("limits", "refund-approval", *arguments, code=code)


def test_limits_of_charges_users_and_cards(limits):
    limits("limits", "charge", "INR", "5000")
    assert "at most 20000.00 INR and 5 charges in INR in 12 h" in limits(
        "limits", "user", "INR", "--amount", "20000", "--charges", "5", "--hours", "12"
    )
    said = limits("limits", "card", "INR", "--charges", "3", code=2)
    assert "CARD_FINGERPRINT_KEY" in said
    limits("limits", "card", "INR", "--charges", "3", CARD_FINGERPRINT_KEY=KEY)
    assert len(limits("limits", "list").splitlines()) == 3
    assert "needs --amount or --charges" in limits("limits", "user", "INR", code=2)
    assert "--hours" in limits("limits", "user", "INR", "--charges", "1", "--hours", "745", code=2)


KEY = f"k1:{'ab' * 32}"


def test_nothing_starts_that_would_not_recognise_limited_cards(limits):
    limits("limits", "card", "INR", "--charges", "3", CARD_FINGERPRINT_KEY=KEY)
    starting = ("work",)
    said = limits(*starting, code=1, GATEWAYS="simulator")
    assert "CARD_FINGERPRINT_KEY is needed" in said
    assert "must be" in limits(*starting, code=2, GATEWAYS="simulator", CARD_FINGERPRINT_KEY="k1:ab")


async def test_a_start_with_another_key_under_a_known_id_or_without_one_that_blocks_need_is_refused(
    service_url, owner_url
):
    service, owner = Database(service_url, pool_size=1), Database(owner_url, pool_size=1)
    try:
        first, second = f"k1:{'ab' * 32}", f"k2:{'cd' * 32}"
        await check_card_keys(service, load({"CARD_FINGERPRINT_KEY": first}))
        await check_card_keys(service, load({"CARD_FINGERPRINT_KEY": f"{second},{first}"}))
        await check_card_keys(service, load({}))
        with pytest.raises(CommandError, match="another key as k1"):
            await check_card_keys(service, load({"CARD_FINGERPRINT_KEY": f"k1:{'ef' * 32}"}))
        async with owner.write() as session:
            await add_block(session, 1, BlockKind.CARD, f"card:k1:{'00' * 32}", "Fraud")
        await check_card_keys(service, load({"CARD_FINGERPRINT_KEY": f"{second},{first}"}))
        with pytest.raises(CommandError, match="lacks k1"):
            await check_card_keys(service, load({"CARD_FINGERPRINT_KEY": second}))
    finally:
        await service.close()
        await owner.close()


def test_the_block_list(limits):
    assert "user:42 is blocked" in limits("blocks", "add", "user", "42", "--reason", "Chargebacks")
    assert "already" in limits("blocks", "add", "user", "42", "--reason", "Chargebacks", code=1)
    limits("blocks", "add", "upi", "Thief@UPI", "--reason", "Police report 7")
    assert [line.split()[0] for line in limits("blocks", "list").splitlines()] == ["user:42", "upi:thief@upi"]
    limits("blocks", "remove", "user:42")
    assert "does not block that" in limits("blocks", "remove", "user:42", code=1)
    assert "has no card fingerprint" in limits("blocks", "add", "card", "1", "--reason", "Stolen", code=1)
    number = "4242424242424242"
    for arguments in (("bin", number), ("card", number + "0"), ("upi", number), ("user", number + "!")):
        said = limits("blocks", "add", *arguments, "--reason", "Stolen", code=2)
        assert number not in said
    limits("blocks", "add", "user", "43", "--reason", f"Card {number}", code=2)
    trail = limits("audit", "events")
    assert (trail.count("block added"), trail.count("block removed")) == (2, 1)
