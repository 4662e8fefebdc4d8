-- The two databases read JSON lists with different functions.

-- name: display_names
SELECT id, name, email FROM users
WHERE id IN (SELECT json_array_elements_text(CAST(:ids AS JSON))) AND workspace_id = :workspace_id
UNION ALL
SELECT id, name, '' FROM integrations
WHERE id IN (SELECT json_array_elements_text(CAST(:ids AS JSON))) AND workspace_id = :workspace_id;
