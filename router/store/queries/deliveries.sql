-- name: delivery_by_id
-- One delivery of a workspace.
SELECT {Delivery}
FROM deliveries WHERE id = :id AND workspace_id = :workspace_id;

-- fragment: delivery_conditions
-- The conditions of a DeliveryFilter on the table `d`. COALESCE keeps SQLite from using another index than the one by
-- ticket, or else by integration. The literal states `dead` and `spam` match the partial indexes.
d.id < :before
{if not ticket_id, not integration_id: AND d.workspace_id = :workspace_id}
{if ticket_id: AND d.ticket_id = :ticket_id AND COALESCE(d.workspace_id, '') = :workspace_id}
{if ticket_id, integration_id: AND COALESCE(d.integration_id, '') = :integration_id}
{if not ticket_id, integration_id: AND d.integration_id = :integration_id
    AND COALESCE(d.workspace_id, '') = :workspace_id}
{if state = dead: AND d.state = 'dead'}
{if state = spam: AND d.state = 'spam'}
{if state, not state = dead, not state = spam: AND d.state = :state}
{if ticket_id, without_updates: AND d.event <> 'updated'}
{if target: AND d.target = :target}

-- fragment: pending_of_workspace
-- Pending deliveries of a workspace, or of one of its integrations.
p.integration_id IN (
    SELECT i.id FROM integrations i
    WHERE i.workspace_id = :workspace_id {if integration_id: AND i.id = :integration_id})
AND p.state = 'pending' AND COALESCE(p.id, '') < :before

-- name: delivery_page
-- Deliveries that match a DeliveryFilter, newest first. Pending deliveries are read from their own indexes, of messages,
-- of updates of posts and of replies, which have no order by id: COALESCE keeps both databases from reading all
-- deliveries in the order of their ids.
SELECT {Delivery:d}
FROM deliveries d
WHERE {if not state = pending: {delivery_conditions}}
      {if state = pending, ticket_id: {delivery_conditions}}
      {if state = pending, not ticket_id: d.id IN (
          SELECT * FROM (
              SELECT p.id FROM deliveries p WHERE {pending_of_workspace} AND p.event <> 'updated' {if target: AND p.target = :target}
              ORDER BY COALESCE(p.id, '') DESC LIMIT :limit) AS messages
          UNION ALL
          SELECT * FROM (
              SELECT p.id FROM deliveries p WHERE {pending_of_workspace} AND p.event = 'updated' {if target: AND p.target = :target}
              ORDER BY COALESCE(p.id, '') DESC LIMIT :limit) AS updates
          {if not integration_id: UNION ALL
          SELECT * FROM (
              SELECT p.id FROM deliveries p
              WHERE p.state = 'pending' AND p.target = 'smarthost' AND COALESCE(p.workspace_id, '') = :workspace_id
                AND COALESCE(p.id, '') < :before {if target: AND p.target = :target}
              ORDER BY COALESCE(p.id, '') DESC LIMIT :limit) AS replies})}
ORDER BY d.id DESC LIMIT :limit;

-- name: delivery_replies
-- The replies of the given deliveries (JSON).
SELECT delivery_id, reply_id FROM reply_recipients WHERE delivery_id IN (SELECT value FROM json_each(:ids));

-- name: delivery_attempts
-- The latest attempts of a delivery, newest first.
SELECT {Attempt}
FROM attempts WHERE delivery_id = :delivery_id ORDER BY n DESC LIMIT :limit;

-- fragment: set_replayed
-- A delivery that is due now.
state = 'pending', next_attempt_at = :now, expires_at = :expires_at, parked_at = NULL, claims = 0, via = ''

-- fragment: is_postable
-- Whether the delivery `d` of the ticket `t` may be posted: messages are held while a ticket is spam.
(t.spam = 0 OR d.event NOT IN ('opened', 'replied'))

-- fragment: replayable
-- The delivery :id if it may be posted and its integration exists.
SELECT d.id FROM deliveries d JOIN tickets t ON t.id = d.ticket_id
WHERE d.id = :id AND d.workspace_id = :workspace_id AND {is_postable}
  AND d.integration_id IN (SELECT i.id FROM integrations i WHERE i.workspace_id = :workspace_id)

-- fragment: replayable_in_state
-- The oldest deliveries in one state that can be replayed.
SELECT d.id FROM deliveries d JOIN tickets t ON t.id = d.ticket_id
WHERE d.workspace_id = :workspace_id AND d.state = :state AND {is_postable}
  AND (d.state = 'dead' OR (d.claims = 0 AND d.awaiting IS NULL))
  AND (CAST(:integration_id AS TEXT) IS NULL OR d.integration_id = CAST(:integration_id AS TEXT))
  AND d.integration_id IN (SELECT i.id FROM integrations i WHERE i.workspace_id = :workspace_id)
ORDER BY d.id LIMIT :limit

-- name: delivery_replay
-- Makes a dead or pending delivery due now, with a new expiry. A claimed pending delivery, one that waits for the sender
-- checks, one whose ticket is held as spam, and a delivery whose integration was deleted, stay unchanged.
UPDATE deliveries SET {set_replayed}
WHERE id IN ({replayable}) AND (state = 'dead' OR (state = 'pending' AND claims = 0 AND awaiting IS NULL))
RETURNING id, integration_id;

-- name: delivery_retry_reply
-- Makes a reply due now that failed, or that waits for its next attempt, unless another address has replaced its recipient.
UPDATE deliveries SET {set_replayed}, last_error = ''
WHERE id = :id AND workspace_id = :workspace_id AND target = 'smarthost'
  AND (state = 'dead' OR (state = 'pending' AND claims = 0))
  AND EXISTS (SELECT 1 FROM reply_recipients rr WHERE rr.delivery_id = :id AND rr.state <> 'canceled')
RETURNING id;

-- name: delivery_queue_recipient
-- Queues a reply to a recipient again to whom it failed.
UPDATE reply_recipients SET state = 'queued', code = NULL, text = '', at = NULL
WHERE delivery_id = :delivery_id AND state = 'failed';

-- name: delivery_replay_many
-- Replays the oldest deliveries in one state; see delivery_replay.
UPDATE deliveries SET {set_replayed}
WHERE id IN ({replayable_in_state}) AND state = :state AND (state = 'dead' OR (claims = 0 AND awaiting IS NULL))
RETURNING id, integration_id;
