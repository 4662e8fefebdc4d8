-- The daily alert about mail that is held as spam (router/dispatch/spam_alerts.py).

-- name: spam_alert_due
-- The workspaces with spam and without an alert since `after`. A time in the future comes from a wrong clock.
SELECT w.id, w.name, w.timezone, w.spam_alerted_at FROM workspaces w
WHERE w.spam_alerted_at NOT BETWEEN :after AND :now
  AND EXISTS (SELECT 1 FROM tickets t WHERE t.workspace_id = w.id AND t.spam = 1)
ORDER BY w.id;

-- name: spam_alert_counts
-- The messages held as spam since the last alert, and their aliases, of the newest `limit` tickets held as spam.
SELECT COUNT(DISTINCT tm.message_id) AS messages, COUNT(DISTINCT n.address) AS aliases
FROM (SELECT t.id, t.address, t.spam_at FROM tickets t
      WHERE t.workspace_id = :workspace_id AND t.spam = 1 ORDER BY t.id DESC LIMIT :limit) AS n
JOIN ticket_messages tm ON tm.ticket_id = n.id
WHERE n.spam_at > :since OR tm.created_at > :since;

-- name: spam_alert_last
-- When the last alert of a workspace was posted.
SELECT spam_alerted_at FROM workspaces WHERE id = :id;

-- name: spam_alert_integration
-- The default integration of a workspace, or else its oldest one.
SELECT {Integration:i} FROM integrations i
WHERE i.workspace_id = :workspace_id AND {is_kept}
ORDER BY CASE WHEN i.id = (SELECT w.default_integration_id FROM workspaces w WHERE w.id = :workspace_id) THEN 0 ELSE 1 END,
         i.id
LIMIT 1;

-- name: spam_alert_record
-- Records a posted alert.
UPDATE workspaces SET spam_alerted_at = :now WHERE id = :id;

-- name: spam_alert_unclaim
-- Removes the claim of an alert.
DELETE FROM installation WHERE name = :name;
