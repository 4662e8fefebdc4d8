-- name: blocked_sender_page
-- Blocked senders of a workspace, in alphabetical order, with an optional filter.
SELECT sender, created_at FROM blocked_senders
WHERE workspace_id = :workspace_id AND sender > :after {if q: AND lower(sender) LIKE :q ESCAPE '\'}
ORDER BY sender LIMIT :limit;

-- name: blocked_sender_list
-- All blocked senders of a workspace.
SELECT sender FROM blocked_senders WHERE workspace_id = :workspace_id;

-- name: blocked_sender_count
-- The number of blocked senders of a workspace.
SELECT count(*) AS senders FROM blocked_senders WHERE workspace_id = :workspace_id;

-- name: blocked_sender_insert
-- Inserts a blocked sender, unless it exists.
INSERT INTO blocked_senders (workspace_id, sender, created_at) VALUES (:workspace_id, :sender, :created_at)
ON CONFLICT (workspace_id, sender) DO NOTHING;

-- name: blocked_sender_delete
-- Deletes a blocked sender.
DELETE FROM blocked_senders WHERE workspace_id = :workspace_id AND sender = :sender;
