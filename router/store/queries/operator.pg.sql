-- SQLite's transactions are one at a time from their first moment; PostgreSQL has to be told what to hold.

-- name: operator_sealed_settings
SELECT id, workspace_id, name, sealed_settings FROM integrations ORDER BY id
FOR UPDATE;
