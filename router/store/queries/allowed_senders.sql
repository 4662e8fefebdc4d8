-- name: allowed_sender_page
-- Allowed senders of a workspace, in alphabetical order, with an optional filter.
SELECT {AllowedSender} FROM allowed_senders
WHERE workspace_id = :workspace_id AND sender > :after
    {if q: AND (lower(sender) LIKE :q ESCAPE '\' OR lower(note) LIKE :q ESCAPE '\')}
ORDER BY sender LIMIT :limit;

-- name: allowed_sender_list
-- All allowed senders of a workspace.
SELECT {AllowedSender} FROM allowed_senders WHERE workspace_id = :workspace_id ORDER BY sender;

-- name: allowed_sender_count
-- The number of allowed senders of a workspace.
SELECT count(*) AS senders FROM allowed_senders WHERE workspace_id = :workspace_id;

-- name: allowed_sender_get
-- An allowed sender.
SELECT {AllowedSender} FROM allowed_senders WHERE workspace_id = :workspace_id AND sender = :sender;

-- name: allowed_sender_insert
-- Inserts allowed senders, except those that exist.
INSERT INTO allowed_senders {rows:AllowedSender}
ON CONFLICT (workspace_id, sender) DO NOTHING RETURNING sender;

-- name: allowed_sender_update
-- Changes an allowed sender.
UPDATE allowed_senders SET require_auth = :require_auth, note = :note WHERE workspace_id = :workspace_id AND sender = :sender;

-- name: allowed_sender_delete
-- Deletes an allowed sender.
DELETE FROM allowed_senders WHERE workspace_id = :workspace_id AND sender = :sender;

-- name: allowed_sender_add_hits
-- Adds to the hits of an allowed sender.
UPDATE allowed_senders
SET hits = hits + :hits, last_hit_at = CASE WHEN last_hit_at > :at THEN last_hit_at ELSE :at END
WHERE workspace_id = :workspace_id AND sender = :sender;
