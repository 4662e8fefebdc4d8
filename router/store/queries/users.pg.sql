-- PostgreSQL needs explicit row locks.

-- name: user_lock
SELECT {User}
FROM users WHERE id = :id AND workspace_id = :workspace_id
FOR SHARE;

-- name: user_lock_to_change
SELECT {User}
FROM users WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;
