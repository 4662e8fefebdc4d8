-- PostgreSQL needs explicit row locks.

-- name: workspace_lock
SELECT id, name, default_integration_id, timezone, locale, last_ticket_number, created_at FROM workspaces WHERE id = :id
FOR NO KEY UPDATE;
