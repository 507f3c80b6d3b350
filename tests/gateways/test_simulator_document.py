"""The document's tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

from eci_payments.gateways.adapters.simulator.instruments import ACCOUNT_CODES, TEST_CARDS, UPI_ADDRESSES
from eci_payments.gateways.adapters.simulator.steering import BY_ENDING
from eci_payments.sandbox.faults import FAULTS

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text()


def test_every_ending_stands_in_the_document():
    rows = dict(re.findall(r"^\| (\d\d) \| (.+) \|$", DOCUMENT, re.MULTILINE))
    assert rows == {f"{ending:02}": plan.what for ending, plan in BY_ENDING.items()}


def test_every_instrument_stands_in_the_document():
    assert [address for address in UPI_ADDRESSES if address not in DOCUMENT] == []
    assert [code for code in ACCOUNT_CODES if f"`{code}`" not in DOCUMENT] == []
    assert [number for number in TEST_CARDS if number[-4:] not in DOCUMENT] == []


def test_every_fault_stands_in_the_document():
    assert re.findall(r"^\| `([a-z_]+)` \|", DOCUMENT, re.MULTILINE) == list(FAULTS)
