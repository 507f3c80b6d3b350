"""An operation: what is concluded never changes, and every kind is sorted where kinds are told apart."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest

from eci_payments.domain.errors import BrokenInvariant
from eci_payments.domain.ids import GatewayKey, MerchantId, OperationId, PaymentId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.operation import (
    CONCLUDED,
    MOVES_MONEY,
    OPEN,
    RETURNS,
    TAKES_MONEY,
    Operation,
    OperationKind,
    OperationState,
    advanced,
)
from eci_payments.operations.attempt import type_of
from eci_payments.operations.calls import _KINDS


def operation(state, kind=OperationKind.CHARGE):
    return Operation(
        merchant_id=MerchantId(1), operation_id=OperationId(1), payment_id=PaymentId(1), kind=kind, state=state,
        attempt=1, amount_minor=1, currency="INR", method=PaymentMethod.UPI, gateway="g", gateway_key=GatewayKey("k"),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize(("one", "to"), list(product(OperationState, repeat=2)))
def test_nothing_leaves_a_conclusion(one, to):
    if one in CONCLUDED and to is not one:
        with pytest.raises(BrokenInvariant, match="is concluded"):
            advanced(operation(one), to)
    else:
        assert advanced(operation(one), to).state is to


def test_states_are_open_or_concluded():
    assert set(OperationState) == OPEN | CONCLUDED
    assert not OPEN & CONCLUDED
    assert all(operation(state).is_open == (state in OPEN) for state in OperationState)


def test_every_kind_is_known_everywhere():
    assert set(_KINDS) == set(OperationKind)
    assert all(type_of(operation(OperationState.STARTED, kind)) for kind in OperationKind)
    assert TAKES_MONEY < MOVES_MONEY
    assert not TAKES_MONEY & RETURNS
