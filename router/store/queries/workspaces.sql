-- name: workspace_by_id
-- One workspace.
SELECT id, name, default_integration_id, timezone, locale, last_ticket_number, created_at FROM workspaces WHERE id = :id;

-- name: workspace_count
-- How many workspaces there are: with more than one, a domain has to be proved by TXT too.
SELECT count(*) AS workspaces FROM workspaces;

-- name: workspace_lock
-- One workspace, held until the transaction ends: for rules about all of its users.
SELECT id, name, default_integration_id, timezone, locale, last_ticket_number, created_at FROM workspaces WHERE id = :id;

-- name: workspace_insert
-- A new workspace.
INSERT INTO workspaces (id, name, created_at) VALUES (:id, :name, :created_at);

-- name: workspace_update
-- New values for what a person may change.
UPDATE workspaces SET name = :name, default_integration_id = :default_integration_id, timezone = :timezone,
                      locale = :locale
WHERE id = :id;

-- name: workspace_clear_default
-- No default integration any more, if it was this one.
UPDATE workspaces SET default_integration_id = NULL
WHERE id = :id AND default_integration_id = :integration_id;
