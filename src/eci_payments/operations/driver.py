"""The only loop over steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.change import Answer
from eci_payments.domain.errors import BrokenInvariant, Refusal, RefusalCode
from eci_payments.observability.spans import NOTHING, span
from eci_payments.operations.route import MOST_OTHERS
from eci_payments.operations.steps import Begin

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.observability.spans import About
    from eci_payments.operations.engine import Engine
    from eci_payments.operations.steps import Step

MAX_BEGINS = 8
"""A repeat that finds its key given back again and again, and others quicker each time, is stopped after so many."""
MAX_STEPS = 2 * MAX_BEGINS + 4 * (1 + MOST_OTHERS) + 8
"""A repeat waits before it begins again; from the begin that succeeds to the answer there are at most six steps, and
four more for each gateway that a charge goes on to."""


async def drive(engine: Engine, step: Step | Answer) -> Answer:
    """Run steps until there is an answer. Raises Refusal, and DatabaseAway when an outcome could not be written.

    It never stops between a begin that succeeded and the answer: what was begun is called.
    """
    begins = 0
    for _ in range(MAX_STEPS):
        if isinstance(step, Answer):
            return step
        begins += isinstance(step, Begin)
        if begins > MAX_BEGINS:
            raise Refusal(
                RefusalCode.KEY_IN_FLIGHT,
                "Others with this Idempotency-Key were quicker again and again; repeat it after a moment.",
                retry_after_s=2,
            )
        name = step.name
        engine.reached(f"before {name}")
        with span(name) as told:
            step = await step.run(engine)
            if told is not NOTHING:
                told.tell(**_about(step))
        engine.reached(f"after {name}")
    raise BrokenInvariant("an operation that does not end")


def _about(reached: Step | Answer) -> About:
    """What a step has led to, for its span."""
    if isinstance(reached, Answer):
        return {} if reached.payment_id is None else {"payment_id": reached.payment_id}
    operation: Operation | None = getattr(reached, "operation", None)
    if operation is None:
        return {}
    return {
        "payment_id": operation.payment_id,
        "operation_id": operation.operation_id,
        "operation": operation.kind.value,
    }
