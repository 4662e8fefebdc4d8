-- PostgreSQL needs explicit row locks.

-- name: operator_encrypted_settings
SELECT id, workspace_id, name, encrypted_settings FROM integrations WHERE {is_kept} ORDER BY id
FOR UPDATE;
