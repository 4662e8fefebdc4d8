-- On PostgreSQL, API requests are counted in the database. The commit is asynchronous, so that a request does not wait
-- for the disk; a crash of the server may lose the latest counts.

-- name: rate_limit_add
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO rate_windows (scope, window_start, used)
SELECT CAST(:scope AS TEXT), CAST(:window_start AS BIGINT), CAST(:amount AS BIGINT) FROM quick
WHERE CAST(:amount AS BIGINT) <= CAST(:max_used AS BIGINT)
ON CONFLICT (scope, window_start) DO UPDATE SET used = rate_windows.used + excluded.used
WHERE rate_windows.used + excluded.used <= CAST(:max_used AS BIGINT)
RETURNING used;
