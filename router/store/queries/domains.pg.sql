-- PostgreSQL needs explicit row locks.

-- name: domain_lock
SELECT {Domain}
FROM domains WHERE id = :id AND workspace_id = :workspace_id
FOR NO KEY UPDATE;

-- name: domain_lock_name
SELECT {Domain}
FROM domains WHERE name = :name ORDER BY id
FOR NO KEY UPDATE;
