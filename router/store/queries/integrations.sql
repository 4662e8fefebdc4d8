-- name: integration_by_id
-- One integration of a workspace.
SELECT {Integration}
FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_lock
-- One integration of a workspace that is not being deleted, locked against deletion.
SELECT {Integration}
FROM integrations WHERE id = :id AND workspace_id = :workspace_id AND {is_kept};

-- name: integration_lock_to_change
-- One integration of a workspace, locked against other changes.
SELECT {Integration}
FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_lock_to_delete
-- One integration of a workspace, locked so that no further alias can refer to it.
SELECT {Integration}
FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_page
-- Integrations of a workspace, newest first, with optional filters.
SELECT {Integration}
FROM integrations WHERE workspace_id = :workspace_id AND id < :before
    {if type: AND type = :type}
    {if status: AND status = :status}
    {if q: AND (lower(name) LIKE :q ESCAPE '\' OR lower(hint) LIKE :q ESCAPE '\')}
ORDER BY id DESC LIMIT :limit;

-- name: integration_insert
-- Inserts an integration.
INSERT INTO integrations {values:Integration};

-- name: integration_update
-- Changes the name and the settings of a locked integration. A test with other settings proves nothing.
UPDATE integrations SET name = :name, encrypted_settings = :encrypted_settings, public_settings = :public_settings,
                        hint = :hint, last_test_at = :last_test_at, last_test_error = :last_test_error
WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_record_test
-- Stores the result of a test message, unless the settings were changed meanwhile.
UPDATE integrations SET last_test_at = :now, last_test_error = :error
WHERE id = :id AND encrypted_settings = :encrypted_settings;

-- name: integration_begin_deletion
-- Erases the settings of a locked integration, so that nothing more is sent to it.
UPDATE integrations SET encrypted_settings = '', status = 'failing', last_error = :reason,
                        failing_since = COALESCE(failing_since, :now), probe_at = NULL, probe_interval = 0
WHERE id = :id;

-- name: integration_delete
-- Deletes an integration that no alias refers to.
DELETE FROM integrations WHERE id = :id AND workspace_id = :workspace_id;

-- name: integration_alias_count
-- The number of aliases that refer to an integration.
SELECT count(*) AS aliases FROM aliases WHERE integration_id = :id;

-- name: integration_probe_now
-- Makes the next probe of a failing integration due now.
UPDATE integrations SET probe_at = :now WHERE id = :id AND status = 'failing';
