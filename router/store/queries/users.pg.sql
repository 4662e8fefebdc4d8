-- PostgreSQL needs explicit row locks, and reads JSON lists with another function.

-- name: user_lock
SELECT {User}
FROM users WHERE id = :id AND workspace_id = :workspace_id
FOR SHARE;

-- name: user_lock_to_change
SELECT {User}
FROM users WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;

-- name: user_tickets
SELECT t.id FROM tickets t
WHERE t.workspace_id = :workspace_id AND t.assigned_to = :user_id AND t.status <> 'resolved' AND t.id > :after
ORDER BY t.id LIMIT :limit
FOR NO KEY UPDATE;

-- name: user_unassign_tickets
UPDATE tickets SET assigned_to = NULL, claimed_at = NULL, updated_at = :now,
                   status = CASE WHEN status = 'in_progress' THEN 'open' ELSE status END
WHERE id = ANY ({listed_ids});
