-- name: idempotency_claim
-- Takes a key for a request that is about to run; an old one, or one whose process died, may be taken over.
INSERT INTO idempotent_requests (scope, key, request, at)
VALUES (:scope, :key, :request, :at)
ON CONFLICT (scope, key) DO UPDATE SET request = excluded.request, status = 0, answer = NULL, at = excluded.at
WHERE idempotent_requests.at < :horizon OR (idempotent_requests.status = 0 AND idempotent_requests.at < :abandoned)
RETURNING key;

-- name: idempotency_find
-- What a key was used for.
SELECT request, status, answer FROM idempotent_requests WHERE scope = :scope AND key = :key;

-- name: idempotency_store
-- The answer, for whoever asks again.
UPDATE idempotent_requests SET status = :status, answer = :answer WHERE scope = :scope AND key = :key AND at = :at;

-- name: idempotency_release
-- The request was refused or failed: the same key may try again.
DELETE FROM idempotent_requests WHERE scope = :scope AND key = :key AND status = 0 AND at = :at;

-- name: idempotency_delete_expired
-- Answers nobody will ask for again.
DELETE FROM idempotent_requests WHERE at < :horizon;
