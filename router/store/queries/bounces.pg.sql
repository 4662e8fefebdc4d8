-- PostgreSQL needs explicit row locks.

-- name: bounce_queue_claim
UPDATE bounce_queue SET claims = claims + 1, lease_owner = :owner, lease_until = :until
WHERE message_id = (SELECT q.message_id FROM bounce_queue q
                    WHERE q.message_id = :message_id AND (q.lease_until <= :now OR q.lease_until > :latest_plausible)
                    FOR UPDATE SKIP LOCKED)
RETURNING message_id, ticket_id, reply_id, address_key, claims;
