-- SQLite runs one write transaction at a time; PostgreSQL needs explicit row locks.

-- name: operator_sealed_settings
SELECT id, workspace_id, name, sealed_settings FROM integrations ORDER BY id
FOR UPDATE;
