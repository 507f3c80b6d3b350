-- Each block breaks one law by hand: its name, then the check, the place and the words that must name it.
-- {paid} and the like are payments of the world in test_verify.py. Statements end with a semicolon.

-- a payment that is paid without money | payment_state | payment {failed} | is COMPLETED with 0 authorized, 0 captured
UPDATE payments SET status = 'COMPLETED' WHERE payment_id = {failed};

-- a payment that is processed by nothing | payment_state | payment {started} | open operation none
UPDATE payments SET open_operation_id = NULL WHERE payment_id = {started};

-- a payment that was taken away | orphan | operations | belongs to payment {paid}, which does not exist
DELETE FROM payments WHERE payment_id = {paid};

-- an unknown account | ledger_account | of payment {paid} | credits mine
UPDATE ledger_entries SET credit_account = 'mine' WHERE payment_id = {paid};

-- an account of another merchant | ledger_account | of payment {paid} | merchant:2:payable
UPDATE ledger_entries SET credit_account = 'merchant:2:payable' WHERE payment_id = {paid};

-- a movement the wrong way round | ledger_account | of payment {paid} | no posting of ours
UPDATE ledger_entries SET debit_account = credit_account, credit_account = debit_account WHERE payment_id =
{paid};

-- an entry in another currency | ledger_cause | of payment {paid} | says 14950 USD, operation
UPDATE ledger_entries SET currency = 'USD' WHERE payment_id = {paid};

-- money taken by hand in another currency | ledger_cause | of payment {taken_by_hand} | is in USD, the payment in INR
UPDATE ledger_entries SET currency = 'USD' WHERE payment_id = {taken_by_hand};

-- an entry of an operation that is not there | ledger_cause | of payment {paid} | names operation -1
UPDATE ledger_entries SET operation_id = -1 WHERE payment_id = {paid};

-- an entry that the trail knows nothing of | ledger_version | payment {paid}, version 2 | moves 14950 payable and 0 unapplied, the ledger 29900 and 0
INSERT INTO ledger_entries SELECT merchant_id, -1, payment_id, operation_id, version, movement, debit_account,
credit_account, amount_minor, currency, created_at FROM ledger_entries WHERE payment_id = {paid};

-- an entry at another version | ledger_version | payment {paid}, version 1 | moves 0 payable and 0 unapplied, the ledger 14950
UPDATE ledger_entries SET version = 1 WHERE payment_id = {paid};

-- an entry that was taken away | ledger_amount | payment {late} | 0 unapplied, the ledger 0 and 14950
DELETE FROM ledger_entries WHERE payment_id = {late} AND movement = 'returned';

-- an amount that was changed in the payment | ledger_amount | payment {paid} | has 14949 INR captured less refunded
UPDATE payments SET amount_captured_minor = 14949 WHERE payment_id = {paid};

-- totals that do not fit | ledger_total | merchant 1, INR | merchant:1:payable is
UPDATE payments SET amount_captured_minor = 14949 WHERE payment_id = {paid};

-- an unapplied amount out of nowhere | ledger_total | merchant 1 | unapplied is 14950, the payments say 14955
UPDATE payments SET amount_unapplied_minor = 5 WHERE payment_id = {paid};

-- a version without an audit entry | audit_chain | of payment {refunded} | versions 2 to 2 have no entry
DELETE FROM transactions WHERE payment_id = {refunded} AND version = 2;

-- a first audit entry that was taken away | audit_chain | of payment {paid} | is the first and of version 2
DELETE FROM transactions WHERE payment_id = {paid} AND version = 1;

-- a last audit entry that was taken away | audit_last | payment {paid} | is at version 2, its last audit entry at version 1
DELETE FROM transactions WHERE payment_id = {paid} AND version = 2;

-- a payment without any audit entry | audit_last | payment {paid} | has no audit entry
DELETE FROM transactions WHERE payment_id = {paid};

-- a before that is not the after before it | audit_chain | of payment {refunded} | does not begin where the entry before it ended (version 3)
UPDATE transactions SET before = before || '{"amount_captured_minor": 7}' WHERE payment_id = {refunded} AND
version = 3;

-- an after that is no number | audit_chain | of payment {paid} | is of version 2 and says version y
UPDATE transactions SET after = after || '{"amount_captured_minor": "x", "version": "y"}' WHERE payment_id =
{paid} AND version = 2;

-- a state that was changed without a trail | audit_last | payment {paid} | differs from its last audit entry in attempt, payment_method
UPDATE payments SET payment_method = 'WALLET', attempt = 2 WHERE payment_id = {paid};

-- an audit entry that was changed | audit_seal | audit entry | was changed after it was sealed
UPDATE transactions SET actor = 'somebody else' WHERE payment_id = {paid} AND version = 2;

-- an audit entry that was taken away | audit_seal | audit entry | was removed after it was sealed
DELETE FROM transactions WHERE payment_id = {paid} AND version = 2;

-- an audit entry that was put in | audit_seal | audit entry -1 | was put in behind the walk
INSERT INTO transactions SELECT merchant_id, -1, payment_id, operation_id, version, transaction_type,
amount_minor, currency, status, description, after, after, actor, reason, correlation_id, origin, created_at,
'3'::xid8 FROM transactions WHERE payment_id = {paid} AND version = 2;

-- audit entries whose order was changed | audit_seal | (seal 4) | the order was changed
UPDATE audit_seals SET transaction_log_id = -transaction_log_id WHERE position IN (4, 5);
UPDATE audit_seals s SET transaction_log_id = -(SELECT o.transaction_log_id FROM audit_seals o WHERE
o.position = 9 - s.position) WHERE position = 4;
UPDATE audit_seals s SET transaction_log_id = (SELECT max(t.transaction_log_id) FROM transactions t WHERE NOT
EXISTS (SELECT FROM audit_seals o WHERE o.transaction_log_id = t.transaction_log_id)) WHERE position = 5;

-- a seal that was taken away | audit_seal | seal 7 | was removed
DELETE FROM audit_seals WHERE position = 7;

-- the last seals taken away | audit_seal | audit entry | or its seal was removed
DELETE FROM audit_seals WHERE position > (SELECT max(position) - 1 FROM audit_seals);

-- an event that was taken away | event_sequence | payment {refunded} | counts 2 events and has 1, the first that is missing is 1
DELETE FROM events WHERE payment_id = {refunded} AND sequence = 1;

-- an event that nobody counted | event_sequence | payment {refunded} | counts 2 events and has 3
INSERT INTO events SELECT merchant_id, -1, payment_id, 3, event_type, data, correlation_id, traceparent,
created_at, committed_in FROM events WHERE payment_id = {refunded} AND sequence = 1;

-- a delivery that was taken away | event_reached | (payment {refunded}, sequence 2) | has no delivery to order
DELETE FROM deliveries d USING events e WHERE e.event_id = d.event_id AND e.payment_id = {refunded} AND
e.sequence = 2;

-- a delivery that is never due | delivery | to order | waits and is never due
UPDATE deliveries SET due_at = NULL WHERE payment_id = {paid};

-- a delivery of another event | delivery | to order | says event 9
UPDATE deliveries SET sequence = 9 WHERE payment_id = {paid};

-- a delivery that ended at no time | delivery | to order | is DELIVERED with concluded_at empty
UPDATE deliveries SET state = 'DELIVERED' WHERE payment_id = {paid};

-- an open operation that is not open | open_operation | payment {paid} | which is a CHARGE that is APPROVED
UPDATE payments SET open_operation_id = charge_operation_id WHERE payment_id = {paid};

-- an open operation that is not there | open_operation | payment {started} | which it does not have
UPDATE payments SET open_operation_id = -1 WHERE payment_id = {started};

-- an open operation that its payment forgot | open_operation | of payment {unknown} | is a CHARGE that is UNKNOWN, its payment names none
UPDATE payments SET open_operation_id = NULL WHERE payment_id = {unknown};

-- an operation that nobody will look at | open_operation | of payment {unknown} | nobody is due to look at it
UPDATE operations SET due_at = NULL WHERE payment_id = {unknown};

-- an operation that ended at no time | open_operation | of payment {paid} | is APPROVED with concluded_at empty
UPDATE operations SET concluded_at = NULL WHERE payment_id = {paid};

-- a reason without an operation | processing_reason | payment {paid} | says in_flight while its open operation is none
UPDATE payments SET processing_reason = 'in_flight' WHERE payment_id = {paid};

-- an unknown outcome that is not called so | processing_reason | payment {unknown} | says nothing while its open operation is UNKNOWN
UPDATE payments SET processing_reason = NULL WHERE payment_id = {unknown};

-- an approval that was not counted | operation_amount | payment {failed} | its operations say 99, 99, 0
UPDATE operations SET state = 'APPROVED' WHERE payment_id = {failed} AND attempt = 2;

-- a capture that was never approved | operation_amount | payment {captured} | has 14950 authorized, 10000 captured, 0 unapplied; its operations say 14950, 0, 0
UPDATE operations SET state = 'DECLINED' WHERE payment_id = {captured} AND kind = 'CAPTURE';

-- a refund that was not counted | refund_amount | payment {refunded} | its refunds say 1 and 0
UPDATE refunds SET amount_minor = 1 WHERE payment_id = {refunded};

-- a refund in flight that was not reserved | refund_amount | payment {refunding} | its refunds say 0 and 2100
UPDATE payments SET amount_refund_pending_minor = 0 WHERE payment_id = {refunding};

-- a refund of another amount than its operation | refund_operation | of payment {refunded} | is 14950 INR, its operation 1 INR
UPDATE operations SET amount_minor = 1 WHERE payment_id = {refunded} AND kind = 'REFUND';

-- a refund that ended otherwise than its operation | refund_operation | of payment {refunding} | is FAILED, its operation
UPDATE refunds SET status = 'FAILED' WHERE payment_id = {refunding} AND status = 'PENDING';

-- a refund without its operation | refund_operation | of payment {refunded} | which its payment does not have
DELETE FROM operations WHERE payment_id = {refunded} AND kind = 'REFUND';

-- a refund of another operation | refund_operation | of payment {refunded} | a REFUND of refund -1
UPDATE operations SET refund_id = -1 WHERE payment_id = {refunded} AND kind = 'REFUND';

-- a refund operation without its refund | refund_operation | of payment {refunded} | is a refund, and refund
DELETE FROM refunds WHERE payment_id = {refunded};

-- a refund in another currency | refund_operation | of payment {refunded} | is in USD, its payment in INR
UPDATE refunds SET currency = 'USD' WHERE payment_id = {refunded};

-- an answer that was forgotten | key_answer | of payment {paid} | has no answer, although its operation is APPROVED
UPDATE idempotency_keys SET response_status = NULL, response_body = NULL, completed_at = NULL WHERE
operation_id = (SELECT charge_operation_id FROM payments WHERE payment_id = {paid});

-- an answer before there is one | key_answer | of payment {started} | has an answer (201) before its operation has one
UPDATE idempotency_keys SET response_status = 201 WHERE operation_id = (SELECT charge_operation_id FROM
payments WHERE payment_id = {started});

-- a key that was not released | key_answer | of payment {refunding} | was not released
INSERT INTO idempotency_keys (merchant_id, scope, key, fingerprint, operation_id) SELECT merchant_id,
key_scope, key, '', operation_id FROM operations WHERE payment_id = {refunding} AND state = 'NOT_SENT';

-- a key that waits for nothing | key_stuck | for POST /x | is claimed for nothing
INSERT INTO idempotency_keys (merchant_id, scope, key, fingerprint) VALUES (1, 'POST /x', 'k', '');

-- a key that waits for an operation that is not there | key_stuck | for POST /x | operation -1, which does not exist
INSERT INTO idempotency_keys (merchant_id, scope, key, fingerprint, operation_id) VALUES (1, 'POST /x', 'k',
'', -1);

-- a key that is answered by half | key_stuck | for POST /v1/payments/charge | is answered by half
UPDATE idempotency_keys SET response_body = NULL WHERE operation_id = (SELECT charge_operation_id FROM
payments WHERE payment_id = {paid});

-- a refund that awaits approval and is not reserved | refund_amount | payment {awaiting} | 0 being refunded, its refunds say 0 and 1000
UPDATE payments SET amount_refund_pending_minor = 0 WHERE payment_id = {awaiting};

-- a refund that nobody else approved | refund_approval | of payment {approved} | was asked for by boss and approved by boss
ALTER TABLE refunds DROP CONSTRAINT refunds_approved_by_another_check;
UPDATE refunds SET requested_by = decided_by WHERE payment_id = {approved};

-- an answer before anybody has decided | refund_approval | of payment {awaiting} | its request has the answer 200 already
UPDATE idempotency_keys SET response_status = 200 WHERE payment_id = {awaiting} AND response_status IS NULL;

-- a request whose refund waits and whose key is gone | refund_approval | of payment {awaiting} | the key of its request is not kept
DELETE FROM idempotency_keys WHERE payment_id = {awaiting} AND response_status IS NULL;

-- a dispute that was taken away | dispute_amount | payment {disputed} | has 2 disputes, 5000 disputed and 1000 charged back, its disputes say 1, 0 and 1000
DELETE FROM disputes WHERE payment_id = {disputed} AND state = 'OPEN';

-- a dispute that ended unbooked | dispute_amount | payment {disputed} | its disputes say 2, 0 and 1000
UPDATE disputes SET state = 'WON', closed_at = now() WHERE payment_id = {disputed} AND state = 'OPEN';

-- money withheld that the ledger does not know | dispute_amount | payment {disputed} | the ledger 6000
DELETE FROM ledger_entries WHERE payment_id = {disputed} AND movement = 'dispute_lost';

-- a dispute of another gateway | dispute_charge | of payment {disputed} | is of another in INR, its charge is a CHARGE at simulator
UPDATE disputes SET gateway = 'another' WHERE payment_id = {disputed} AND state = 'OPEN';

-- a dispute of no charge | dispute_charge | of payment {disputed} | names operation -1, which that payment does not have
UPDATE disputes SET operation_id = -1 WHERE payment_id = {disputed} AND state = 'OPEN';

-- a refund made elsewhere that is not counted so | refund_amount | payment {refunded} | 0 of it elsewhere, and 14950
UPDATE refunds SET made_elsewhere = true WHERE payment_id = {refunded};

-- disputed money that the trail does not know | audit_last | payment {disputed} | differs from its last audit entry in amount_disputed_minor
UPDATE transactions SET after = after - 'amount_disputed_minor' WHERE payment_id = {disputed} AND
after ->> 'version' = (SELECT version::text FROM payments WHERE payment_id = {disputed});
