-- name: workspace_by_id
-- One workspace.
SELECT {Workspace} FROM workspaces WHERE id = :id;

-- name: workspace_count
-- The number of workspaces.
SELECT count(*) AS workspaces FROM workspaces;

-- name: workspace_lock
-- One workspace, locked.
SELECT {Workspace} FROM workspaces WHERE id = :id;

-- name: workspace_insert
-- Inserts a workspace.
INSERT INTO workspaces (id, name, created_at) VALUES (:id, :name, :created_at);

-- name: workspace_update
-- Updates the settings of a workspace.
UPDATE workspaces SET name = :name, default_integration_id = :default_integration_id, timezone = :timezone,
                      locale = :locale, check_policy = :check_policy
WHERE id = :id;

-- name: workspace_clear_default
-- Clears the default integration if it is the given integration.
UPDATE workspaces SET default_integration_id = NULL
WHERE id = :id AND default_integration_id = :integration_id;
