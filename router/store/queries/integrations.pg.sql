-- PostgreSQL needs explicit row locks. KEY SHARE does not wait for the deliverers, which update these rows often.

-- name: integration_lock
SELECT id, workspace_id, type, name, encrypted_settings, hint, status, last_error, failing_since, probe_at, probe_interval,
       paced_at, lease_until, created_at
FROM integrations WHERE id = :id AND workspace_id = :workspace_id
FOR KEY SHARE;

-- name: integration_lock_to_delete
SELECT id, workspace_id, type, name, encrypted_settings, hint, status, last_error, failing_since, probe_at, probe_interval,
       paced_at, lease_until, created_at
FROM integrations WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;
