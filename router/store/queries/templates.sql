-- Templates and canned responses (router/admin/templates), and the values of their placeholders.

-- name: placeholder_values
-- What placeholders stand for in an answer to a ticket. The customer is the author of the newest mail that a participant
-- wrote, or of the ticket.
SELECT t.number, t.subject, t.address, w.timezone, w.locale,
       COALESCE(m.from_name, t.from_name) AS from_name, COALESCE(m.from_address, t.from_address) AS from_address,
       COALESCE(m.received_at, t.received_at) AS received_at
FROM tickets t JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN messages m ON m.id = (
    SELECT m2.id FROM ticket_messages tm JOIN messages m2 ON m2.id = tm.message_id
    WHERE tm.ticket_id = t.id AND m2.direction = 'inbound' AND m2.kind = 'mail' AND m2.automatic = ''
      AND tm.new_sender = 0
    ORDER BY tm.message_id DESC LIMIT 1)
WHERE t.id = :ticket_id AND t.workspace_id = :workspace_id;
