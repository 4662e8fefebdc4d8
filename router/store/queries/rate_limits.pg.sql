-- On PostgreSQL, each API request is counted in the database. The commit is asynchronous, so that a request does not
-- wait for the disk; a crash may lose the counts of about one second.

-- name: rate_limit_add
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO rate_windows (scope, window_start, used)
SELECT CAST(:scope AS TEXT), CAST(:window_start AS BIGINT), CAST(:amount AS BIGINT) FROM quick
WHERE CAST(:amount AS BIGINT) <= CAST(:max_used AS BIGINT)
ON CONFLICT (scope, window_start) DO UPDATE SET used = rate_windows.used + excluded.used
WHERE rate_windows.used + excluded.used <= CAST(:max_used AS BIGINT)
RETURNING used;
