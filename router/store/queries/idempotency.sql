-- name: idempotency_claim
-- Claims a new, expired or abandoned key. Returns no row for any other key.
INSERT INTO idempotent_requests (scope, key, request, at)
VALUES (:scope, :key, :request, :at)
ON CONFLICT (scope, key) DO UPDATE SET request = excluded.request, status = 0, answer = NULL, at = excluded.at
WHERE idempotent_requests.at < :horizon OR (idempotent_requests.status = 0 AND idempotent_requests.at < :abandoned)
RETURNING key;

-- name: idempotency_find
-- The request and the response that are stored for a key.
SELECT request, status, answer FROM idempotent_requests WHERE scope = :scope AND key = :key;

-- name: idempotency_store
-- Stores the response, so that a repeated request receives it again.
UPDATE idempotent_requests SET status = :status, answer = :answer WHERE scope = :scope AND key = :key AND at = :at;

-- name: idempotency_erase_answer
-- Erases the stored responses that contain a text, of requests between two times.
UPDATE idempotent_requests SET answer = NULL WHERE at BETWEEN :since AND :until AND answer LIKE :pattern;

-- name: idempotency_ticket_changes
-- The times since a time at which a ticket was changed.
SELECT at FROM ticket_events WHERE ticket_id = :ticket_id AND at >= :since
UNION
SELECT created_at FROM replies WHERE ticket_id = :ticket_id AND created_at >= :since
ORDER BY 1;

-- name: idempotency_release
-- Deletes the key of a request for which no response is stored.
DELETE FROM idempotent_requests WHERE scope = :scope AND key = :key AND status = 0 AND at = :at;

-- name: idempotency_delete_expired
-- Deletes expired keys with their responses.
DELETE FROM idempotent_requests WHERE at < :horizon;
