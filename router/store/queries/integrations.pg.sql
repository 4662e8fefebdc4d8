-- PostgreSQL needs explicit row locks. KEY SHARE does not wait for the deliverers, which update these rows often.

-- name: integration_lock
SELECT {Integration}
FROM integrations WHERE id = :id AND workspace_id = :workspace_id AND {is_kept}
FOR KEY SHARE;

-- name: integration_lock_to_change
SELECT {Integration}
FROM integrations WHERE id = :id AND workspace_id = :workspace_id
FOR NO KEY UPDATE;

-- name: integration_lock_to_delete
SELECT {Integration}
FROM integrations WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;
