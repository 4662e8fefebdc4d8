-- PostgreSQL needs explicit row locks.

-- name: domain_lock
SELECT id, workspace_id, name, status, token, records, created_at, verified_at, checked_at, mx_managed,
       misses, missing_since, next_check_at, alert, alert_at
FROM domains WHERE id = :id AND workspace_id = :workspace_id
FOR NO KEY UPDATE;

-- name: domain_lock_name
SELECT id, workspace_id, name, status, token, records, created_at, verified_at, checked_at, mx_managed,
       misses, missing_since, next_check_at, alert, alert_at
FROM domains WHERE name = :name ORDER BY id
FOR NO KEY UPDATE;
