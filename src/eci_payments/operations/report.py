"""A report: the payment as it stands, as the answer to a request that changed nothing by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.operations.draft import Draft

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.operations.commands import Caller
    from eci_payments.store.units import Found

OK = 200


def report(found: Found, caller: Caller) -> Change:
    """The payment, stored with the caller's key so that repeats get the same bytes."""
    draft = Draft(found, caller)
    draft.answer(draft.answer_with_payment(OK), caller.claim.name if caller.claim else None, store=True)
    return draft.change()
