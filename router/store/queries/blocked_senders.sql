-- name: blocked_sender_page
-- Blocked senders of a workspace, in alphabetical order, with an optional filter.
SELECT {BlockedSender} FROM blocked_senders
WHERE workspace_id = :workspace_id AND sender > :after
    {if q: AND (lower(sender) LIKE :q ESCAPE '\' OR lower(note) LIKE :q ESCAPE '\')}
ORDER BY sender LIMIT :limit;

-- name: blocked_sender_list
-- All blocked senders of a workspace.
SELECT {BlockedSender} FROM blocked_senders WHERE workspace_id = :workspace_id ORDER BY sender;

-- name: blocked_sender_count
-- The number of blocked senders of a workspace.
SELECT count(*) AS senders FROM blocked_senders WHERE workspace_id = :workspace_id;

-- name: blocked_sender_get
-- A blocked sender.
SELECT {BlockedSender} FROM blocked_senders WHERE workspace_id = :workspace_id AND sender = :sender;

-- name: blocked_sender_insert
-- Inserts blocked senders, except those that exist.
INSERT INTO blocked_senders {rows:BlockedSender}
ON CONFLICT (workspace_id, sender) DO NOTHING RETURNING sender;

-- name: blocked_sender_update
-- Changes a blocked sender.
UPDATE blocked_senders SET action = :action, note = :note WHERE workspace_id = :workspace_id AND sender = :sender;

-- name: blocked_sender_delete
-- Deletes a blocked sender.
DELETE FROM blocked_senders WHERE workspace_id = :workspace_id AND sender = :sender;

-- name: blocked_sender_add_hits
-- Adds to the hits of a blocked sender.
UPDATE blocked_senders
SET hits = hits + :hits, last_hit_at = CASE WHEN last_hit_at > :at THEN last_hit_at ELSE :at END
WHERE workspace_id = :workspace_id AND sender = :sender;
