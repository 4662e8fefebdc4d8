-- The counts of the rate limits (router/ratelimit). window_start is in seconds since the epoch.

-- name: rate_limit_add
-- Adds requests to a window and returns the new count. Returns no row, and adds nothing, if the maximum would be
-- exceeded.
INSERT INTO rate_windows (scope, window_start, used)
SELECT CAST(:scope AS TEXT), CAST(:window_start AS BIGINT), CAST(:amount AS BIGINT)
WHERE CAST(:amount AS BIGINT) <= CAST(:max_used AS BIGINT)
ON CONFLICT (scope, window_start) DO UPDATE SET used = rate_windows.used + excluded.used
WHERE rate_windows.used + excluded.used <= CAST(:max_used AS BIGINT)
RETURNING used;

-- name: rate_limit_used
-- The counts of a scope in two consecutive windows.
SELECT window_start, used FROM rate_windows
WHERE scope = :scope AND (window_start = :window_start OR window_start = :previous_start);

-- name: rate_limit_delete_expired
-- Deletes the expired windows of all scopes.
DELETE FROM rate_windows WHERE window_start < :horizon;

-- name: rate_limit_release
-- Subtracts an attempt that has succeeded, because only failures are limited.
UPDATE rate_windows SET used = used - 1 WHERE scope = :scope AND window_start = :window_start AND used > 0;

-- name: rate_limit_prune
-- Deletes the expired windows of one scope.
DELETE FROM rate_windows WHERE scope = :scope AND window_start < :horizon;
