-- name: blocked_sender_page
-- Senders that a workspace takes no mail from, in the order of their names.
SELECT sender, created_at FROM blocked_senders
WHERE workspace_id = :workspace_id AND sender > :after ORDER BY sender LIMIT :limit;

-- name: blocked_sender_list
-- The same without an end: what the SMTP door compares with.
SELECT sender FROM blocked_senders WHERE workspace_id = :workspace_id;

-- name: blocked_sender_count
-- How many there are.
SELECT count(*) AS senders FROM blocked_senders WHERE workspace_id = :workspace_id;

-- name: blocked_sender_insert
-- One more.
INSERT INTO blocked_senders (workspace_id, sender, created_at) VALUES (:workspace_id, :sender, :created_at)
ON CONFLICT (workspace_id, sender) DO NOTHING;

-- name: blocked_sender_delete
-- One fewer.
DELETE FROM blocked_senders WHERE workspace_id = :workspace_id AND sender = :sender;
