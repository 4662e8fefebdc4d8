-- PostgreSQL needs explicit row locks.

-- name: template_lock
SELECT {Template} FROM templates WHERE id = :id AND workspace_id = :workspace_id
FOR KEY SHARE;

-- name: template_lock_to_delete
SELECT {Template} FROM templates WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;
