-- PostgreSQL needs explicit row locks.

-- name: user_lock
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at
FROM users WHERE id = :id AND workspace_id = :workspace_id
FOR SHARE;

-- name: user_lock_to_change
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at
FROM users WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;
