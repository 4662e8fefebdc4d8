-- name: display_names
-- Users and integrations of a workspace by id (JSON).
SELECT id, name, email FROM users
WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id
UNION ALL
SELECT id, name, '' FROM integrations
WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id;
