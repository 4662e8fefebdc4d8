-- The counts behind the limits of the API (router/ratelimit/fixed_counts.py). window_start: seconds since the epoch.

-- name: rate_limit_add
-- Counts requests in a window unless that would exceed its bound; returns the window's count if it did count.
INSERT INTO rate_windows (scope, window_start, used)
SELECT CAST(:scope AS TEXT), CAST(:window_start AS BIGINT), CAST(:amount AS BIGINT)
WHERE CAST(:amount AS BIGINT) <= CAST(:bound AS BIGINT)
ON CONFLICT (scope, window_start) DO UPDATE SET used = rate_windows.used + excluded.used
WHERE rate_windows.used + excluded.used <= CAST(:bound AS BIGINT)
RETURNING used;

-- name: rate_limit_used
-- The counts of a scope in two windows that follow each other.
SELECT window_start, used FROM rate_windows
WHERE scope = :scope AND (window_start = :window_start OR window_start = :previous_start);

-- name: rate_limit_forget
-- Windows that no limit looks at any more.
DELETE FROM rate_windows WHERE window_start < :horizon;
