-- name: delivery_by_id
-- One delivery of a workspace.
SELECT {Delivery}
FROM deliveries WHERE id = :id AND workspace_id = :workspace_id;

-- name: delivery_page
-- Deliveries of a workspace, newest first.
SELECT {Delivery}
FROM deliveries
WHERE workspace_id = :workspace_id AND id < :before
  AND (CAST(:state AS TEXT) IS NULL OR state = CAST(:state AS TEXT))
ORDER BY id DESC LIMIT :limit;

-- name: delivery_page_by_ticket
-- Deliveries of a ticket, newest first.
SELECT {Delivery}
FROM deliveries
WHERE ticket_id = :ticket_id AND workspace_id = :workspace_id AND id < :before
  AND (CAST(:state AS TEXT) IS NULL OR state = CAST(:state AS TEXT))
  AND (CAST(:integration_id AS TEXT) IS NULL OR integration_id = CAST(:integration_id AS TEXT))
ORDER BY id DESC LIMIT :limit;

-- name: delivery_page_by_integration
-- Deliveries of one integration, newest first.
SELECT {Delivery}
FROM deliveries
WHERE integration_id = :integration_id AND workspace_id = :workspace_id AND id < :before
  AND (CAST(:state AS TEXT) IS NULL OR state = CAST(:state AS TEXT))
ORDER BY id DESC LIMIT :limit;

-- name: delivery_page_dead
-- Dead deliveries of a workspace, newest first. The condition on state matches the partial index.
SELECT {Delivery}
FROM deliveries
WHERE workspace_id = :workspace_id AND state = 'dead' AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: delivery_page_dead_by_integration
-- Dead deliveries of an integration, newest first. COALESCE keeps SQLite from using the index by workspace.
SELECT {Delivery}
FROM deliveries
WHERE integration_id = :integration_id AND state = 'dead' AND id < :before
  AND COALESCE(workspace_id, '') = :workspace_id
ORDER BY id DESC LIMIT :limit;

-- name: delivery_page_pending
-- Pending deliveries of a workspace's integrations, newest first. The subquery and COALESCE make SQLite use the index
-- of pending deliveries.
SELECT {Delivery:d}
FROM deliveries d
WHERE d.id IN (
    SELECT p.id FROM deliveries p
    WHERE p.integration_id IN (SELECT i.id FROM integrations i WHERE i.workspace_id = :workspace_id)
      AND p.state = 'pending' AND COALESCE(p.id, '') < :before
      AND (CAST(:integration_id AS TEXT) IS NULL OR p.integration_id = CAST(:integration_id AS TEXT))
    ORDER BY p.id DESC LIMIT :limit)
ORDER BY d.id DESC;

-- name: delivery_attempts
-- The latest attempts of a delivery, newest first.
SELECT {Attempt}
FROM attempts WHERE delivery_id = :delivery_id ORDER BY n DESC LIMIT :limit;

-- name: delivery_replay
-- Makes a dead or pending delivery due now, with a new expiry. A claimed pending delivery, and a delivery whose
-- integration was deleted, stay unchanged.
UPDATE deliveries SET state = 'pending', next_attempt_at = :now, expires_at = :expires_at, parked_at = NULL,
                      claims = 0, via = ''
WHERE id = :id AND workspace_id = :workspace_id AND (state = 'dead' OR (state = 'pending' AND claims = 0))
  AND integration_id IN (SELECT i.id FROM integrations i WHERE i.workspace_id = :workspace_id)
RETURNING id, integration_id;

-- name: delivery_replay_many
-- Replays the oldest deliveries in one state; see delivery_replay.
UPDATE deliveries SET state = 'pending', next_attempt_at = :now, expires_at = :expires_at, parked_at = NULL,
                      claims = 0, via = ''
WHERE id IN (
    SELECT d.id FROM deliveries d
    WHERE d.workspace_id = :workspace_id AND d.state = :state AND (d.state = 'dead' OR d.claims = 0)
      AND (CAST(:integration_id AS TEXT) IS NULL OR d.integration_id = CAST(:integration_id AS TEXT))
      AND d.integration_id IN (SELECT i.id FROM integrations i WHERE i.workspace_id = :workspace_id)
    ORDER BY d.id LIMIT :limit)
  AND state = :state AND (state = 'dead' OR claims = 0)
RETURNING id, integration_id;
