"""The gateways file: what it makes, and one clear line for each thing that is wrong with it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from eci_payments.cli.gateways import schema_text
from eci_payments.domain.ids import MerchantId
from eci_payments.gateway_accounts import adapters_named, configured_gateways
from eci_payments.gateways.configured.entries import MAX_ACCOUNTS
from eci_payments.settings import SettingsError, load

DOCS = Path(__file__).parents[2] / "docs"
SECRET = "sk_live_correct_horse"
SIMULATOR = '[[accounts]]\nname = "sim"\nadapter = "simulator"\n'
STRIPE = '[[accounts]]\nname = "main"\nadapter = "stripe"\nsecret_key_env = "STRIPE_MAIN"\n'


def rule(text: str, name: str = "r") -> str:
    return f'{SIMULATOR}[[rules]]\nname = "{name}"\naccounts = ["sim"]\n{text}\n'


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("STRIPE_MAIN", SECRET)


def settings_of(folder: Path, text: str, **also: str):
    path = folder / "gateways.toml"
    path.write_text(text)
    return load({"GATEWAYS_FILE": str(path), "DATA_DIR": str(folder), **also})


def line(folder: Path, text: str, **also: str) -> str:
    """The one line with which it is refused, after the file's name."""
    settings = settings_of(folder, text, **also)
    with pytest.raises(SettingsError) as wrong:
        configured_gateways(settings)
    said = str(wrong.value)
    assert "\n" not in said
    assert SECRET not in said
    prefix = f"GATEWAYS_FILE {folder / 'gateways.toml'}: "
    assert said.startswith(prefix)
    return said.removeprefix(prefix)


async def test_accounts_and_rules_as_they_are_written(tmp_path):
    (tmp_path / "razorpay.secret").write_text("a-secret-of-razorpay\n")
    gateways = configured_gateways(
        settings_of(
            tmp_path,
            SIMULATOR + STRIPE + 'merchants = [2]\ncurrencies = ["INR", "EUR"]\nnever_seen_after_s = 300\n'
            '[[accounts]]\nname = "rzp"\nadapter = "razorpay"\nkey_id = "rzp_test_1"\n'
            'key_secret_file = "razorpay.secret"\nemail = "pay@shop.example"\ncontact = "+919000090000"\n'
            '[[accounts]]\nname = "box"\nadapter = "sandbox"\nurl = "http://127.0.0.1:9"\napi_key_env = "STRIPE_MAIN"\n'
            'webhook_secret_env = "STRIPE_MAIN"\n'
            '[[rules]]\nname = "cards"\nbins = ["4111", "520000-529999"]\naccounts = ["main", "sim"]\n',
        )
    )
    assert [account.name for account in gateways.accounts()] == ["sim", "main", "rzp", "box"]
    main = gateways.account("main")
    assert main is not None
    assert (main.serves(MerchantId(2)), main.serves(MerchantId(1))) == (True, False)
    assert main.gateway.capabilities.never_seen_after_s == 300
    assert main.gateway.capabilities.currencies == frozenset({"INR", "EUR"})
    assert [account.only_merchant for account in gateways.accounts()] == [None, 2, None, None]
    assert gateways.webhook_secrets("box") == (SECRET,)
    assert gateways.webhook_secrets("main") == gateways.webhook_secrets("gone") == ()
    assert gateways.named("main") is main.gateway
    assert gateways.named("gone") is None
    assert gateways.rules[0].accounts == ("main", "sim")
    assert SECRET not in repr(gateways.accounts())
    for gateway in gateways.all():
        await gateway.close()


WRONG = {
    "no toml": ("[[accounts]", "the file: is no TOML: Expected"),
    "nothing": ("", "the file: Object missing required field `accounts`"),
    "unknown key": (f"{SIMULATOR}colour = 1\n", "accounts[0] (sim): Object contains unknown field `colour`"),
    "unknown table": (f"{SIMULATOR}[routes]\n", "the file: Object contains unknown field `routes`"),
    "unknown adapter": (
        '[[accounts]]\nname = "x"\nadapter = "bank"\n',
        "accounts[0] (x).adapter: Invalid value 'bank'",
    ),
    "a bad name": ('[[accounts]]\nname = "X Y"\nadapter = "simulator"\n', "accounts[0] (X Y).name: Expected"),
    "two of one name": (SIMULATOR * 2, "accounts[1] (sim): another account has this name"),
    "too many": (
        "".join(SIMULATOR.replace("sim", f"s{n}", 1) for n in range(MAX_ACCOUNTS + 1)),
        "accounts: Expected `array` of length <= 32",
    ),
    "a secret inline": (
        f'{STRIPE}secret_key = "{SECRET}"\n',
        "accounts[0] (main): Object contains unknown field",
    ),
    "no secret": (
        '[[accounts]]\nname = "m"\nadapter = "stripe"\n',
        "accounts[0] (m): secret_key_file or secret_key_env is needed",
    ),
    "two secrets": (
        f'{STRIPE}secret_key_file = "x"\n',
        "accounts[0] (main): secret_key_file and secret_key_env must not both be given",
    ),
    "no such variable": (
        STRIPE.replace("STRIPE_MAIN", "NO_SUCH"),
        "accounts[0] (main): the variable NO_SUCH of secret_key_env must hold 8 to 1024 printable characters",
    ),
    "no such file": (
        STRIPE.replace('secret_key_env = "STRIPE_MAIN"', 'secret_key_file = "gone"'),
        "accounts[0] (main): secret_key_file must be the path of a file",
    ),
    "a method that the adapter cannot do": (
        f'{STRIPE}methods = ["UPI"]\n',
        "accounts[0] (main): the adapter cannot do UPI",
    ),
    "cash": (f'{SIMULATOR}methods = ["COD"]\n', "accounts[0] (sim).methods: COD is collected by a courier"),
    "no currency": (
        f'{SIMULATOR}currencies = ["XAU"]\n',
        "accounts[0] (sim).currencies: XAU is not a currency",
    ),
    "an unknown account": (
        rule("").replace('["sim"]', '["sum"]'),
        "rules[0] (r).accounts: there is no account 'sum'; there are sim",
    ),
    "an account twice": (
        rule("").replace('["sim"]', '["sim", "sim"]'),
        "rules[0] (r).accounts: sim stands there twice",
    ),
    "no account": (
        rule("").replace('["sim"]', "[]"),
        "rules[0] (r).accounts: Expected `array` of length >= 1",
    ),
    "an unknown method": (rule('methods = ["CASH"]'), "rules[0] (r).methods[0]: Invalid enum value 'CASH'"),
    "an amount the wrong way": (
        rule('amount = { currency = "INR", min_minor = 5, max_minor = 4 }'),
        "rules[0] (r).amount: min_minor 5 is above max_minor 4",
    ),
    "an amount in another currency": (
        rule('currencies = ["JPY"]\namount = { currency = "INR" }'),
        "rules[0] (r).amount: INR is none of the rule's currencies",
    ),
    "an amount without currency": (
        rule("amount = { min_minor = 5 }"),
        "rules[0] (r).amount: Object missing required field `currency`",
    ),
    "a bin of letters": (rule('bins = ["41x1"]'), "rules[0] (r).bins[0]: Expected `str` matching regex"),
    "a range the wrong way": (rule('bins = ["5200-5100"]'), "rules[0] (r).bins: 5200-5100 is no range"),
    "a crooked range": (rule('bins = ["5200-52999"]'), "rules[0] (r).bins: 5200-52999 is no range"),
    "bins without cards": (
        rule('methods = ["UPI"]\nbins = ["4111"]'),
        "rules[0] (r).bins: UPI has no card number",
    ),
    "a rule behind one that takes all": (
        rule("") + '[[rules]]\nname = "later"\nmethods = ["UPI"]\naccounts = ["sim"]\n',
        "rules[1] (later): rule 'r' before it takes all of it: it can never decide",
    ),
    "two rules of one name": (
        rule('methods = ["UPI"]') + '[[rules]]\nname = "r"\naccounts = ["sim"]\n',
        "rules[1] (r): another rule has this name",
    ),
    "an account that can take none of it": (
        STRIPE + '[[rules]]\nname = "r"\nmethods = ["UPI"]\naccounts = ["main"]\n',
        "rules[0] (r).accounts: main takes none of the rule's methods, currencies and merchants",
    ),
    "an account of another merchant": (
        STRIPE + 'merchants = [1]\n[[rules]]\nname = "r"\nmerchants = [2]\naccounts = ["main"]\n',
        "rules[0] (r).accounts: main takes none of the rule's methods, currencies and merchants",
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_with_its_place(tmp_path, text, said):
    assert line(tmp_path, text).startswith(said)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        configured_gateways(load({"GATEWAYS_FILE": str(tmp_path / "gone.toml")}))


def test_never_seen_must_outlast_every_time_out_on_the_way(tmp_path):
    settings = settings_of(tmp_path, STRIPE, OPERATION_LEASE_S="120")
    with pytest.raises(SettingsError, match=r"account main counts a call as never seen after 120 s"):
        configured_gateways(settings)
    configured_gateways(settings_of(tmp_path, f"{STRIPE}never_seen_after_s = 121\n", OPERATION_LEASE_S="120"))
    simple = {"GATEWAYS": "stripe", "STRIPE_SECRET_KEY": SECRET, "OPERATION_LEASE_S": "600"}
    with pytest.raises(SettingsError, match=r"GATEWAYS: account stripe counts"):
        configured_gateways(load(simple))


@pytest.mark.parametrize("lease_s", ["7", "30", "3600"])
def test_the_simulators_outlast_whatever_lease_there_is(tmp_path, lease_s):
    box = {"SANDBOX_URL": "http://127.0.0.1:9", "SANDBOX_API_KEY": SECRET}
    given = {"GATEWAYS": "simulator,sandbox", "OPERATION_LEASE_S": lease_s, "DATA_DIR": str(tmp_path), **box}
    for gateway in configured_gateways(load(given)).all():
        assert gateway.capabilities.never_seen_after_s > float(lease_s)


def test_both_forms_at_once_are_refused():
    with pytest.raises(SettingsError, match="GATEWAYS and GATEWAYS_FILE must not both be given"):
        load({"GATEWAYS": "simulator", "GATEWAYS_FILE": "x.toml"})


def test_the_adapters_of_a_file_are_known_without_its_secrets(tmp_path):
    text = SIMULATOR + STRIPE.replace("STRIPE_MAIN", "NO_SUCH")
    assert adapters_named(settings_of(tmp_path, text)) == {"simulator", "stripe"}


def test_the_published_schema_is_the_one_that_is_checked():
    assert (DOCS / "gateways.schema.json").read_text() == schema_text()
    schema = json.loads(schema_text())
    assert set(schema["$defs"]["GatewaysFile"]["properties"]) == {"accounts", "rules"}
    assert schema["$defs"]["RuleEntry"]["additionalProperties"] is False


def test_the_examples_of_the_docs_are_right(tmp_path, monkeypatch):
    blocks = [part.split("```")[0] for part in (DOCS / "gateways.md").read_text().split("```toml\n")[1:]]
    assert blocks
    for block in blocks:
        said = tomllib.loads(block)
        for entry in said["accounts"]:
            for name, value in entry.items():
                if name.endswith("_file"):
                    block = block.replace(value, Path(value).name)  # noqa: PLW2901 - the paths of a container
                    (tmp_path / Path(value).name).write_text(SECRET)
                if name.endswith("_env"):
                    monkeypatch.setenv(value, SECRET)
        assert configured_gateways(settings_of(tmp_path, block)).accounts()
