-- The effect of other check policies on stored results (router/admin/routes/check_previews.py).

-- name: check_preview
-- The results of the newest messages of a workspace or an alias, of its newest `scanned` deliveries: messages have no
-- index by workspace.
SELECT d.event, w.check_policy AS workspace_policy, COALESCE(a.check_policy, '{}') AS alias_policy,
       c.state, c.checked_at, c.rechecked, c.results, c.relay_results, c.spam, c.facts
FROM (SELECT n.id, n.ticket_id, n.message_id, n.event FROM deliveries n
      WHERE n.workspace_id = :workspace_id AND n.event IN ('opened', 'replied') ORDER BY n.id DESC LIMIT :scanned) AS d
JOIN tickets t ON t.id = d.ticket_id
JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN aliases a ON a.id = t.alias_id
JOIN message_checks c ON c.message_id = d.message_id
WHERE c.state = 'done' {if alias_id: AND t.alias_id = :alias_id}
ORDER BY d.id DESC LIMIT :limit;
