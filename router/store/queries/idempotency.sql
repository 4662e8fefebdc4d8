-- name: idempotency_claim
-- Claims a key, also if it is expired or abandoned. Returns no row if the key is in use.
INSERT INTO idempotent_requests (scope, key, request, at)
VALUES (:scope, :key, :request, :at)
ON CONFLICT (scope, key) DO UPDATE SET request = excluded.request, status = 0, answer = NULL, at = excluded.at
WHERE idempotent_requests.at < :horizon OR (idempotent_requests.status = 0 AND idempotent_requests.at < :abandoned)
RETURNING key;

-- name: idempotency_find
-- The request and response of a key.
SELECT request, status, answer FROM idempotent_requests WHERE scope = :scope AND key = :key;

-- name: idempotency_store
-- Stores the response for repeated requests.
UPDATE idempotent_requests SET status = :status, answer = :answer WHERE scope = :scope AND key = :key AND at = :at;

-- name: idempotency_release
-- Deletes the key of a failed request.
DELETE FROM idempotent_requests WHERE scope = :scope AND key = :key AND status = 0 AND at = :at;

-- name: idempotency_delete_expired
-- Deletes expired responses.
DELETE FROM idempotent_requests WHERE at < :horizon;
