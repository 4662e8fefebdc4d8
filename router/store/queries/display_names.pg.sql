-- The two databases read JSON lists with different functions.

-- fragment: listed_ids
-- An array from a JSON list. For `= ANY` of an array, unlike `IN` of its rows, the plan does not depend on statistics.
ARRAY(SELECT json_array_elements_text(CAST(:ids AS JSON)))

-- name: display_names
SELECT id, name, email FROM users
WHERE id = ANY ({listed_ids}) AND workspace_id = :workspace_id
UNION ALL
SELECT id, name, '' FROM integrations
WHERE id = ANY ({listed_ids}) AND workspace_id = :workspace_id;
