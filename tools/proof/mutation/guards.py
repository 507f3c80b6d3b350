"""The guards that matter, as data: how each is taken away, and which tests have to notice.

A guard is taken away by replacing an exact text that stands once in its file. Where several guards hold one law, each
is taken away alone: what nothing notices then does nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """``file`` is below ``src/eci_payments``; ``text`` stands in it once, ``without`` is what is left of it."""

    name: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...]


_RACES = "tests/operations/test_races.py"
_REFUSALS = "tests/operations/test_refusals.py"
_INGEST = "tests/operations/test_ingest.py"
_UNITS = "tests/store/test_units.py"
_WRITES = "tests/store/test_guarded_writes.py"
_CLAIMS = "tests/delivery/test_claims.py"
_FAN_OUT = "tests/delivery/test_fan_out.py"
_HOOKS = "tests/gateways/test_hooks.py"
_VERIFY = "tests/operations/test_outcomes.py"
_GRANTS = "tests/store/test_grants.py"

ONE_EFFECT = (
    Guard(
        "an order that is taken is not charged again",
        "operations/attempt.py",
        "if payment.status not in RETRYABLE or payment.open_operation_id is not None:",
        "if payment.status not in RETRYABLE and payment.open_operation_id is not None:",
        (_REFUSALS, _RACES),
    ),
    Guard(
        "a new attempt is the same user's",
        "operations/attempt.py",
        "if payment.user_id != command.user_id:",
        "if False:",
        (_REFUSALS,),
    ),
    Guard(
        "nothing starts beside what is open",
        "operations/parts.py",
        "if payment.open_operation_id is not None:",
        "if False:",
        (_REFUSALS, _RACES),
    ),
    Guard(
        "the database: one open operation of a payment",
        "store/migrations/versions/0001_initial.py",
        "CREATE UNIQUE INDEX operations_one_open_key",
        "CREATE INDEX operations_one_open_key",
        (_UNITS, "tests/store/test_migrate.py"),
    ),
    Guard(
        "the database: one payment of an order",
        "store/apply.py",
        "ON CONFLICT (merchant_id, order_id) DO NOTHING RETURNING",
        "ON CONFLICT (merchant_id, order_id) DO UPDATE SET status = payments.status RETURNING",
        (_UNITS, _RACES),
    ),
    Guard(
        "a key with another request is refused",
        "operations/steps.py",
        "if claim.fingerprint != self.record.fingerprint:",
        "if False:",
        (_RACES, "tests/api/test_idempotency.py"),
    ),
    Guard(
        "path and body count in a key's fingerprint",
        "operations/fingerprint.py",
        "    return _encode((scope, command))",
        "    return _encode((scope, type(command).__name__))",
        ("tests/api/test_idempotency.py",),
    ),
    Guard(
        "a key belongs to its merchant",
        "store/migrations/versions/0001_initial.py",
        "CONSTRAINT idempotency_keys_pkey PRIMARY KEY (merchant_id, scope, key)",
        "CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key)",
        ("tests/security/test_matrix.py",),
    ),
    Guard(
        "a refused request leaves its key free",
        "store/units.py",
        "    await _forget_refused(batch)\n",
        "",
        (_UNITS, "tests/api/test_idempotency.py"),
    ),
    Guard(
        "a key with an open operation never expires",
        "store/expiry.py",
        "WHERE o.merchant_id = k.merchant_id AND o.operation_id = k.operation_id AND o.state IN ({_OPEN})",
        "WHERE false",
        ("tests/store/test_expiry.py",),
    ),
    Guard(
        "a key whose operation is open is not taken over after its window",
        "store/units.py",
        "WHERE o.merchant_id = t.merchant_id AND o.operation_id = t.operation_id AND o.state IN ({_OPEN})",
        "WHERE false",
        (_UNITS,),
    ),
    Guard(
        "without a key, an equal capture is taken for a repeat",
        "operations/parts.py",
        "if same and earlier.state not in _WITHOUT_EFFECT and earlier.created_at > since:",
        "if False:",
        (_REFUSALS,),
    ),
    Guard(
        "without a key, an equal refund is taken for a repeat",
        "operations/refund.py",
        "if equal is not None:",
        "if False:",
        (_REFUSALS,),
    ),
    Guard(
        "the answer is stored with its key in the commit that concludes",
        "store/apply.py",
        "            if isinstance(key, Complete)\n",
        "            if False\n",
        ("tests/api/test_idempotency.py",),
    ),
    Guard(
        "the database: a key is answered once",
        "store/apply.py",
        """        " AND t.response_status IS NULL"\n""",
        "",
        (_WRITES,),
    ),
    Guard(
        "a webhook that was taken in is not taken in again",
        "store/inbox.py",
        "ON CONFLICT (merchant_id, account, event_id) DO NOTHING RETURNING inbox_id",
        "ON CONFLICT (merchant_id, account, event_id) DO UPDATE SET attempts = 0 RETURNING inbox_id",
        (_INGEST, "tests/api/test_webhooks_in.py"),
    ),
)

FENCES = (
    Guard(
        "a claim raises the lease's epoch",
        "store/leases.py",
        "SET lease_epoch = t.lease_epoch + 1, due_at",
        "SET lease_epoch = t.lease_epoch, due_at",
        (_RACES,),
    ),
    Guard(
        "a conclusion is by who has the lease",
        "operations/conclude.py",
        "    if operation.lease_epoch != epoch:\n        return draft.change()\n",
        "",
        (_RACES,),
    ),
    Guard(
        "the database: an operation is written by who has the lease",
        "store/apply.py",
        '        " AND t.lease_epoch = r.expected_epoch"\n',
        "",
        (_WRITES,),
    ),
    Guard(
        "the database: what is concluded stays so",
        "store/apply.py",
        """        " AND (t.state = r.state OR t.state NOT IN ('APPROVED', 'DECLINED', 'CANCELLED', 'NOT_SENT'))"\n""",
        "",
        (_WRITES,),
    ),
    Guard(
        "the database: a payment is written over the version that was read",
        "store/apply.py",
        '"t.version = r.version - 1"',
        '"true"',
        (_WRITES,),
    ),
    Guard(
        "the database: a refund is written over the status that was read",
        "store/apply.py",
        '"t.status = r.expected_status"',
        '"true"',
        (_WRITES,),
    ),
    Guard(
        "a claim that somebody else has taken since is not used",
        "operations/service.py",
        "if found is not None and lease_epoch not in {None, found.lease_epoch}:",
        "if False:",
        (_RACES,),
    ),
    Guard(
        "who slept through the lease does not send",
        "operations/steps.py",
        "if asyncio.get_running_loop().time() > self.send_before:",
        "if False:",
        (_RACES,),
    ),
    Guard(
        "a delivery is concluded by who has its lease",
        "store/delivery_claims.py",
        "  AND d.lease_epoch = r.lease_epoch AND d.state = 'PENDING'",
        "  AND d.state = 'PENDING'",
        (_CLAIMS,),
    ),
    Guard(
        "what somebody works on is not claimed",
        "store/leases.py",
        "SET lease_epoch = t.lease_epoch + 1, due_at = now() + make_interval(secs => $2)",
        "SET lease_epoch = t.lease_epoch + 1, due_at = now() + 0 * make_interval(secs => $2)",
        (_RACES, _VERIFY),
    ),
    Guard(
        "a delivery that somebody sends is not claimed",
        "store/delivery_claims.py",
        "    due_at = CASE WHEN j.stale IS NULL THEN j.lease_end END,",
        "    due_at = CASE WHEN j.stale IS NULL THEN now() END,",
        (_CLAIMS,),
    ),
    Guard(
        "a webhook is settled by who has claimed it",
        "store/inbox.py",
        "WHERE merchant_id = $1 AND inbox_id = $2 AND lease_epoch = $3 AND state = 'PENDING' RETURNING inbox_id",
        "WHERE merchant_id = $1 AND inbox_id = $2 AND $3::bigint > 0 AND state = 'PENDING' RETURNING inbox_id",
        (_WRITES,),
    ),
    Guard(
        "a webhook is settled with its change by who has claimed it",
        "store/apply.py",
        " AND t.inbox_id = r.inbox_id AND t.lease_epoch = r.expected_epoch",
        " AND t.inbox_id = r.inbox_id",
        (_WRITES,),
    ),
    Guard(
        "the database: a dispute is written over the state that was read",
        "store/apply.py",
        '" AND t.payment_id = r.payment_id AND t.state = r.expected"',
        '" AND t.payment_id = r.payment_id"',
        (_WRITES,),
    ),
)

NEVER_GUESSED = (
    Guard(
        "never seen counts after the gateway's own time only",
        "operations/steps.py",
        "if self.sent_for_s < can.never_seen_after_s:",
        "if False:",
        (_VERIFY, "tests/operations/test_late.py"),
    ),
    Guard(
        "nothing is sent again beyond the gateway's memory of our key",
        "operations/steps.py",
        "if self.sent_for_s > can.key_window_s:",
        "if False:",
        ("tests/operations/test_sent_again.py",),
    ),
    Guard(
        "what left the machine is unknown, not unsent",
        "gateways/transport.py",
        "if isinstance(error, _NEVER_LEFT):",
        "if True:",
        ("tests/gateways/test_sandbox_faults.py", "tests/gateways/test_stripe.py"),
    ),
    Guard(
        "an answer that points elsewhere is none",
        "gateways/transport.py",
        "if status in REDIRECTS:",
        "if False:",
        ("tests/gateways/test_transport.py",),
    ),
    Guard(
        "an answer about another payment speaks for none",
        "gateways/adapters/stripe/account.py",
        'return (thing.get("metadata") or {}).get(KEY_FIELD) == call.key',
        "return True",
        ("tests/gateways/test_stripe_answers.py",),
    ),
    Guard(
        "a list that is none does not say that nothing is there",
        "gateways/adapters/razorpay/mapping.py",
        "        return None\n    return found",
        "        return []\n    return found",
        ("tests/gateways/test_razorpay_answers.py",),
    ),
    Guard(
        "an adapter that fails leaves an unknown outcome",
        "operations/engine.py",
        'return Unknown(f"the adapter failed: {type(error).__name__}")',
        'return NotSent(f"the adapter failed: {type(error).__name__}")  # type: ignore[return-value]',
        (_REFUSALS,),
    ),
    Guard(
        "an approval of another amount is not believed",
        "operations/conclude.py",
        "if outcome.amount_minor != operation.amount_minor:",
        "if False:",
        ("tests/operations/test_late.py",),
    ),
    Guard(
        "a webhook of another amount or currency is not believed",
        "operations/ingest/outcome.py",
        "    if wrong is not None:\n",
        "    if False:\n",
        (_INGEST,),
    ),
    Guard(
        "a later call's not sent says nothing of those before",
        "operations/conclude.py",
        "return outcome if source is Source.CALL else Unknown(outcome.reason)",
        "return outcome",
        ("tests/operations/test_sent_again.py",),
    ),
    Guard(
        "an operator ends an unknown outcome after a fresh inquiry only",
        "operations/status.py",
        "return asked is not None and (now - asked).total_seconds() <= rules.inquiry_max_age_s",
        "return asked is not None",
        ("tests/operations/test_status.py",),
    ),
)

LIMITS = (
    Guard(
        "no more is refunded than was captured",
        "operations/refund.py",
        "if amount_minor > left_minor or left_minor == 0:",
        "if left_minor == 0:",
        (_REFUSALS, _RACES),
    ),
    Guard(
        "no more is captured than was authorized",
        "operations/capture.py",
        "if amount_minor > payment.capturable_minor:",
        "if False:",
        (_REFUSALS, "tests/api/test_charge.py", "tests/api/test_refunds.py"),
    ),
    Guard(
        "the database: captured within authorized",
        "store/migrations/versions/0001_initial.py",
        "CHECK (amount_captured_minor BETWEEN 0\n",
        "CHECK (true OR amount_captured_minor BETWEEN 0\n",
        (_UNITS,),
    ),
    Guard(
        "who asked for a refund does not approve it",
        "operations/approval.py",
        "if caller.actor == refund.requested_by:",
        "if False:",
        ("tests/operations/test_approvals.py",),
    ),
    Guard(
        "a charge above a limit of the merchant is refused",
        "store/units.py",
        "            if unit.screen is not None:\n",
        "            if False:\n",
        ("tests/operations/test_limits.py",),
    ),
    Guard(
        "the database: refunds within captured",
        "store/migrations/versions/0006_disputes.py",
        "ADD CONSTRAINT payments_refunds_within_captured_check CHECK (\n",
        "ADD CONSTRAINT payments_refunds_within_captured_check CHECK (true OR\n",
        (_UNITS,),
    ),
    Guard(
        "the database: what exceeds was moved by somebody else",
        "store/migrations/versions/0006_disputes.py",
        "ADD CONSTRAINT payments_exceeding_check CHECK (\n",
        "ADD CONSTRAINT payments_exceeding_check CHECK (true OR\n",
        (_UNITS,),
    ),
    Guard(
        "a large refund waits for a second person",
        "operations/refund.py",
        "if _needs_approval(found, refund, limits):",
        "if False:",
        ("tests/operations/test_approvals.py",),
    ),
    Guard(
        "a body has a limit, whatever its headers say",
        "api/bodies.py",
        "    if len(body) > most:\n        raise _too_large(most)\n    return body",
        "    return body",
        ("tests/api/test_bad_input.py", "tests/api/test_over_the_wire.py"),
    ),
)

ONE_COMMIT = (
    Guard(
        "the event is in the commit",
        "store/apply.py",
        "lambda changes: [e for c in changes for e in c.events]",
        "lambda changes: []",
        (_VERIFY,),
    ),
    Guard(
        "the ledger's entries are in the commit",
        "store/apply.py",
        "        lambda changes: [Posted(c.payment, e) for c in changes for e in c.entries],",
        "        lambda changes: [],",
        (_VERIFY,),
    ),
    Guard(
        "the audit entry is in the commit",
        "store/apply.py",
        "lambda changes: [a for c in changes for a in c.audit]",
        "lambda changes: []",
        (_VERIFY,),
    ),
    Guard(
        "an event that commits late is not skipped",
        "store/fan_out.py",
        '_SETTLED = "e.committed_in < pg_snapshot_xmin(pg_current_snapshot())"',
        '_SETTLED = "true"',
        (_FAN_OUT,),
    ),
    Guard(
        "a payment's events are told in order",
        "store/delivery_claims.py",
        "AND (o.sequence < d.sequence OR o.leased_until > now())",
        "AND false",
        (_CLAIMS,),
    ),
    Guard(
        "no stock of a paid order is released",
        "store/delivery_claims.py",
        'WHEN {_NO_LONGER_UNPAID if guarded else "false"} THEN',
        "WHEN false THEN",
        (_CLAIMS,),
    ),
    Guard(
        "history only grows",
        "store/grants.py",
        '    "ledger_entries": _ADD,',
        '    "ledger_entries": _CHANGE,',
        (_GRANTS,),
    ),
    Guard(
        "nothing begins after a restore before the gateways were asked",
        "store/units.py",
        "    if is_closed:\n        _refuse_beginnings(batch)\n",
        "",
        ("tests/deploy/test_recover.py",),
    ),
    Guard(
        "a changed audit entry is found",
        "store/checks/seals.py",
        "if row_hash(chain, previous, row) == row.hash:",
        "if True:",
        ("tests/security/test_tampering.py",),
    ),
    Guard(
        "a removed seal is found",
        "store/checks/seals.py",
        "if row.position != position + 1:",
        "if False:",
        ("tests/security/test_tampering.py", "tests/store/test_seals.py"),
    ),
    Guard(
        "a removed audit entry is found",
        "store/checks/seals.py",
        '        return "was removed after it was sealed"',
        "        return None",
        ("tests/security/test_tampering.py", "tests/store/test_seals.py"),
    ),
    Guard(
        "a role that could rewrite history is refused",
        "cli/opening.py",
        "    if refuse:\n",
        "    if False:\n",
        ("tests/cli/test_commands.py",),
    ),
)

DOORS = (
    Guard(
        "a webhook is the gateway's",
        "gateways/signatures.py",
        "    if not found:\n",
        "    if False:\n",
        (_HOOKS,),
    ),
    Guard(
        "a webhook is not old",
        "gateways/signatures.py",
        "if abs(now_s - int(timestamp)) > TOLERANCE_S:",
        "if False:",
        (_HOOKS,),
    ),
    Guard(
        "another merchant's payment is not there",
        "store/reads.py",
        "FROM payments t WHERE t.merchant_id = $1 AND t.{column} = $2",
        "FROM payments t WHERE $1::bigint IS NOT NULL AND t.{column} = $2",
        ("tests/security/test_matrix.py",),
    ),
    Guard(
        "a key without the scope is refused",
        "api/access.py",
        "if needed is None or needed not in principal.scopes:",
        "if needed is None:",
        ("tests/security/test_matrix.py",),
    ),
    Guard(
        "nobody comes in without a key",
        "api/access.py",
        "if not self._is_admin_page(scope, page) and not await self._is_open(scope):",
        "if False:",
        ("tests/security/test_door.py",),
    ),
    Guard(
        "a limit of requests holds",
        "api/access.py",
        "        if not verdict.passes:\n",
        "        if False:\n",
        ("tests/security/test_limits.py",),
    ),
    Guard(
        "made-up keys are held to their address's share of look-ups",
        "api/access.py",
        "if client and not self.rules.open_mode and not self.keys.knows(text):",
        "if False:",
        ("tests/security/test_limits.py",),
    ),
    Guard(
        "refusals wait behind everything else",
        "api/leisure.py",
        "        await mine\n",
        "",
        ("tests/api/test_leisure.py",),
    ),
    Guard(
        "one caller has a share of a batch",
        "store/turns.py",
        "share = min(most, SHARE) if self._is_shared() else most",
        "share = most",
        ("tests/store/test_turns.py",),
    ),
    Guard(
        "connections that ask nothing make room",
        "api/connections.py",
        "        if self._open > self._most:\n",
        "        if False:\n",
        ("tests/api/test_http_protocol.py",),
    ),
    Guard(
        "each chain of seals has its turn",
        "store/seals.py",
        "return sum([await _seal(session, chain, limit) for chain in CHAINS])",
        "return sum([await _seal(session, chain, limit) for chain in CHAINS[:1]])",
        ("tests/store/test_seals.py",),
    ),
    Guard(
        "one caller's refusals do not fill the trail",
        "api/trail.py",
        "if self._subjects[caller] >= SUBJECTS_MAX:",
        "if False:",
        ("tests/security/test_door.py",),
    ),
    Guard(
        "no card number in free text",
        "api/schemas/fields.py",
        "if len(value) >= _FEWEST_CARD_DIGITS and contains_card_number(value):",
        "if False:",
        ("tests/api/test_bad_input.py",),
    ),
    Guard(
        "no card number in what a gateway repeats",
        "operations/engine.py",
        "outcome = said if about is None else without_card_data(said, about)",
        "outcome = said",
        ("tests/security/test_gateway_echo.py",),
    ),
    Guard(
        "fields that are not known are refused",
        "api/schemas/closed.py",
        'extra="forbid"',
        'extra="ignore"',
        ("tests/api/test_bad_input.py",),
    ),
    Guard(
        "a read token is ours",
        "api/read_tokens.py",
        "return token if any(signatures) and self.left_s(token) > 0 else None",
        "return token if self.left_s(token) > 0 else None",
        ("tests/security/test_read_tokens.py",),
    ),
    Guard(
        "a read token ends",
        "api/read_tokens.py",
        "return token if any(signatures) and self.left_s(token) > 0 else None",
        "return token if any(signatures) else None",
        ("tests/security/test_read_tokens.py",),
    ),
    Guard(
        "customers go back to listed addresses only",
        "api/schemas/return_url.py",
        "if origin(value) not in rules.return_origins:",
        "if False:",
        ("tests/api/test_bad_input.py", "tests/api/test_charge.py"),
    ),
    Guard(
        "no card number in a log",
        "observability/masking.py",
        "return text if _HARMLESS.fullmatch(text) else _within(_masked(text))",
        "return text",
        ("tests/observability/test_masking.py",),
    ),
    Guard(
        "no security code in a log beside a person's name",
        "observability/named_values.py",
        'if privacy is Privacy.PERSON and text[found.end() : found.end() + 1] in {"=", ":"}:',
        "if False:",
        ("tests/observability/test_masking.py",),
    ),
    Guard(
        "a clock that is ahead has no rate limit of its own",
        "api/limits.py",
        "if abs(ahead_s - self._ahead_s) > CLOCK_TOLERANCE_S:",
        "if False:",
        ("tests/security/test_limits.py",),
    ),
)

GUARDS: tuple[Guard, ...] = (*ONE_EFFECT, *FENCES, *NEVER_GUESSED, *LIMITS, *ONE_COMMIT, *DOORS)
