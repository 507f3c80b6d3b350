"""What is taken for an export of seals, and what is not."""

from __future__ import annotations

import pytest

from eci_payments.store.exported_seals import NotAnExport, Seal, read_export


@pytest.mark.parametrize("text", [b"", b"[]", b'{"format": "else", "exported_at": "x", "seals": []}'])
def test_another_file_is_no_export(text):
    with pytest.raises(NotAnExport):
        read_export(text)


def test_an_export_that_knows_of_payments_only_is_read():
    seal = b'{"merchant_id": 1, "position": 6, "transaction_log_id": 9, "hash": "00"}'
    text = b'{"format": "eci-payments audit seals, 1", "exported_at": "x", "seals": [%b]}' % seal
    assert read_export(text).all == [Seal(1, 6, 9, "00")]
