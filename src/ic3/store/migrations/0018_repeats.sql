-- Answers are kept whole, with status and headers, and written after the act: those of the old
-- form cannot be given again.

DELETE FROM ic3_idempotency_key;

COMMENT ON COLUMN ic3_idempotency_key.request_hash IS 'Of the request and the rights of who asked: the same key must mean the same.';
COMMENT ON COLUMN ic3_idempotency_key.answer IS 'What was answered; null until the act has ended, empty where it held a secret.';
