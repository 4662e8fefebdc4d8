-- The two databases read JSON lists with different functions.

-- name: uploads_by_ids
SELECT {Upload} FROM uploads WHERE id = ANY ({listed_ids}) AND workspace_id = :workspace_id;
