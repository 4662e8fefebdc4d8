-- Files for replies that are not sent yet (router/admin/replies/uploads.py).

-- name: upload_insert
-- Inserts an upload.
INSERT INTO uploads {values:Upload};

-- name: upload_set_size
-- Sets the size of an upload that is complete.
UPDATE uploads SET size = :size WHERE id = :id;

-- name: upload_insert_chunk
-- Inserts a chunk of an upload.
INSERT INTO upload_chunks {values:upload_id TEXT, n BIGINT, data BYTEA};

-- name: upload_chunk
-- A chunk of an upload.
SELECT data FROM upload_chunks WHERE upload_id = :upload_id AND n = :n;

-- name: uploads_by_ids
-- Uploads of a workspace with the given ids (JSON).
SELECT {Upload} FROM uploads WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id;

-- name: uploads_unused
-- The number and the size of the uploads of a user; those of the operator have no user.
SELECT count(*) AS uploads, COALESCE(sum(size), 0) AS size FROM uploads
WHERE workspace_id = :workspace_id AND COALESCE(user_id, '') = COALESCE(CAST(:user_id AS TEXT), '');

-- name: upload_renew
-- Keeps an upload for another day.
UPDATE uploads SET created_at = :now WHERE id = :id AND workspace_id = :workspace_id;

-- name: upload_delete
-- Deletes an upload.
DELETE FROM uploads WHERE id = :id AND workspace_id = :workspace_id;
