-- The time function, the standby test and the durability settings are specific to PostgreSQL.

-- name: check_clock
SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now;

-- name: check_is_standby
SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END AS standby;

-- name: check_durability
-- `synchronous_commit` may be set for the server, the database or the role.
SELECT current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync;
