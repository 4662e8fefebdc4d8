-- The alerts about failing smarthosts (router/dispatch/smarthost_alerts.py).

-- name: smarthost_alert_due
-- The failing smarthosts, and the workspaces whose mail waits for them.
SELECT s.id, dom.name AS domain, s.last_error, s.failing_since, w.id AS workspace_id, w.name, w.timezone, COUNT(*) AS waiting
FROM smarthosts s
JOIN deliveries d ON d.integration_id = s.id AND d.state = 'pending' AND d.target = 'smarthost'
    AND d.parked_at IS NOT NULL
JOIN workspaces w ON w.id = d.workspace_id
LEFT JOIN domains dom ON dom.id = s.id
WHERE s.status = 'failing'
GROUP BY s.id, dom.name, s.last_error, s.failing_since, w.id, w.name, w.timezone
ORDER BY s.id, w.id;
