-- name: display_names
-- The names of those users and integrations of a workspace whose ids are given (JSON).
SELECT id, name, email FROM users
WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id
UNION ALL
SELECT id, name, '' FROM integrations
WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id;
