-- name: integration_by_id
-- One integration of a workspace.
SELECT id, workspace_id, type, name, sealed_settings, hint, status, last_error, failing_since, probe_at, probe_interval,
       paced_at, lease_until, created_at
FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_lock
-- One integration of a workspace that must not vanish before the transaction ends.
SELECT id, workspace_id, type, name, sealed_settings, hint, status, last_error, failing_since, probe_at, probe_interval,
       paced_at, lease_until, created_at
FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_lock_to_delete
-- One integration of a workspace, to which nobody may point an alias any more.
SELECT id, workspace_id, type, name, sealed_settings, hint, status, last_error, failing_since, probe_at, probe_interval,
       paced_at, lease_until, created_at
FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_page
-- Integrations of a workspace, newest first.
SELECT id, workspace_id, type, name, sealed_settings, hint, status, last_error, failing_since, probe_at, probe_interval,
       paced_at, lease_until, created_at
FROM integrations WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: integration_insert
-- A new integration.
INSERT INTO integrations (id, workspace_id, type, name, sealed_settings, hint, created_at)
VALUES (:id, :workspace_id, :type, :name, :sealed_settings, :hint, :created_at);

-- name: integration_update
-- A new name, or new settings; NULL leaves what is there.
UPDATE integrations SET name = COALESCE(CAST(:name AS TEXT), name),
                        sealed_settings = COALESCE(CAST(:sealed_settings AS TEXT), sealed_settings),
                        hint = COALESCE(CAST(:hint AS TEXT), hint)
WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_delete
-- Removes an integration that no alias points to.
DELETE FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_alias_count
-- How many aliases point to an integration.
SELECT count(*) AS aliases FROM aliases WHERE integration_id = :id;

-- name: integration_fail_pending
-- What still waits for an integration that goes away is given up; it can be seen, but not sent.
UPDATE deliveries SET state = 'dead', next_attempt_at = NULL, parked_at = NULL, last_error = :reason
WHERE integration_id = :id AND state = 'pending';

-- name: integration_probe_now
-- A failing integration is tried at once instead of at its next probe.
UPDATE integrations SET probe_at = :now WHERE id = :id AND status = 'failing';
