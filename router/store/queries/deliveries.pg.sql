-- PostgreSQL reads JSON lists with another function. It locks the tickets, so that none is marked as spam meanwhile.

-- name: delivery_replies
SELECT delivery_id, reply_id FROM reply_recipients WHERE delivery_id = ANY ({listed_ids});

-- name: delivery_replay
UPDATE deliveries SET {set_replayed}
WHERE id IN ({replayable} FOR SHARE OF t)
  AND (state = 'dead' OR (state = 'pending' AND claims = 0 AND awaiting IS NULL))
RETURNING id, integration_id;

-- name: delivery_replay_many
UPDATE deliveries SET {set_replayed}
WHERE id IN ({replayable_in_state} FOR SHARE OF t)
  AND state = :state AND (state = 'dead' OR (claims = 0 AND awaiting IS NULL))
RETURNING id, integration_id;
