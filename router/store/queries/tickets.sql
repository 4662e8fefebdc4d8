-- name: ticket_by_id
-- One ticket of a workspace.
SELECT {Ticket}
FROM tickets WHERE id = :id AND workspace_id = :workspace_id;

-- name: ticket_lock
-- One ticket of a workspace, locked.
SELECT {Ticket}
FROM tickets WHERE id = :id AND workspace_id = :workspace_id;

-- name: ticket_lock_by_ids
-- Tickets of a workspace with the given ids (JSON), locked in the order of their ids.
SELECT {Ticket}
FROM tickets WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id ORDER BY id;

-- name: ticket_id_by_number
-- The id of a ticket of a workspace.
SELECT id FROM tickets WHERE workspace_id = :workspace_id AND number = :number;


-- name: ticket_update
-- Updates the given columns of a locked ticket.
UPDATE tickets SET {set:Ticket} updated_at = :now
WHERE id = :id AND workspace_id = :workspace_id;

-- name: ticket_next_sequence
-- Reserves the sequence of the next event of each given ticket (JSON); locks the tickets until the commit.
UPDATE tickets SET last_sequence = last_sequence + 1 WHERE id IN (SELECT value FROM json_each(:ids))
RETURNING id, last_sequence;

-- name: ticket_event_insert
-- Inserts a ticket event.
INSERT INTO ticket_events {rows:TicketEvent};

-- name: ticket_event_by_ids
-- Stored events of a workspace with the given ids (JSON), without the names of their actors.
SELECT {TicketEvent}, '' AS actor_name
FROM ticket_events WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id;

-- name: ticket_changed_after
-- Whether the status, assignee or priority of a ticket changed after an event.
SELECT e.id FROM ticket_events e
WHERE e.ticket_id = :ticket_id AND e.sequence > :sequence
  AND e.type IN ('ticket.claimed', 'ticket.unclaimed', 'ticket.assigned', 'ticket.status_changed',
                 'ticket.priority_changed', 'ticket.resolved', 'ticket.reopened')
LIMIT 1;

-- name: ticket_event_update
-- Replaces the detail of a stored event.
UPDATE ticket_events SET detail = :detail WHERE id = :id;

-- name: ticket_event_page
-- The latest events of a ticket before an id, newest first. The name of a removed actor is empty.
SELECT {TicketEvent:e},
       COALESCE(NULLIF(u.name, ''), u.email, k.name, NULLIF(m.from_name, ''), m.from_address, '') AS actor_name
FROM ticket_events e
LEFT JOIN users u ON u.id = e.actor_id
LEFT JOIN api_keys k ON k.id = e.actor_id
LEFT JOIN messages m ON m.id = e.actor_id
WHERE e.ticket_id = :ticket_id AND e.id < :before ORDER BY e.id DESC LIMIT :limit;

-- name: ticket_recipients
-- The recipients that link the given messages (JSON) to a ticket.
SELECT {TicketMessage}
FROM ticket_messages
WHERE ticket_id = :ticket_id AND message_id IN (SELECT value FROM json_each(:ids))
ORDER BY message_id DESC, recipient LIMIT :limit;

-- name: ticket_message_ends
-- The number of messages of a ticket, with the ids of the first and the newest message.
SELECT count(DISTINCT message_id) AS messages, min(message_id) AS first, max(message_id) AS newest
FROM ticket_messages WHERE ticket_id = :ticket_id;

-- name: ticket_latest_from
-- The newest message of a sender, except bounces, among the newest messages of a ticket.
SELECT {Message:m}
FROM messages m
WHERE m.id IN (
    SELECT message_id FROM (
        SELECT DISTINCT message_id FROM ticket_messages WHERE ticket_id = :ticket_id
        ORDER BY message_id DESC LIMIT :limit
    ) AS latest
) AND m.from_address = :from_address AND m.automatic <> 'bounce'
ORDER BY m.id DESC LIMIT 1;

-- name: ticket_entries_before
-- The number of messages and events of a ticket before the given ids.
SELECT (SELECT count(DISTINCT message_id) FROM ticket_messages WHERE ticket_id = :ticket_id AND message_id < :message)
     + (SELECT count(*) FROM ticket_events WHERE ticket_id = :ticket_id AND id < :event) AS entries;

-- fragment: checked
-- The id of a message `m` whose sender was checked. The letter makes it another id, which sorts after that of the message.
m.id || 'c' AS id

-- name: ticket_latest_ids
-- The ids of a workspace's messages and events among the latest of all workspaces, and of the changes of tags among its
-- latest audit entries. Reads only the newest rows.
SELECT id FROM (SELECT id, workspace_id FROM messages ORDER BY id DESC LIMIT :limit) m WHERE workspace_id = :workspace_id
UNION ALL
SELECT {checked} FROM (SELECT id, workspace_id FROM messages ORDER BY id DESC LIMIT :limit) m
JOIN message_checks c ON c.message_id = m.id WHERE m.workspace_id = :workspace_id
UNION ALL
SELECT id FROM (SELECT id, workspace_id FROM ticket_events ORDER BY id DESC LIMIT :limit) e
WHERE workspace_id = :workspace_id
UNION ALL
SELECT id FROM (SELECT id, action FROM audit WHERE workspace_id = :workspace_id ORDER BY id DESC LIMIT :limit) a
WHERE action IN ('tag.change', 'tag.merge', 'tag.delete');

-- name: ticket_latest_ids_by_workspace
-- As ticket_latest_ids, for all workspaces.
SELECT id, workspace_id FROM (SELECT id, workspace_id FROM messages ORDER BY id DESC LIMIT :limit) m
UNION ALL
SELECT {checked}, m.workspace_id FROM (SELECT id, workspace_id FROM messages ORDER BY id DESC LIMIT :limit) m
JOIN message_checks c ON c.message_id = m.id
UNION ALL
SELECT id, workspace_id FROM (SELECT id, workspace_id FROM ticket_events ORDER BY id DESC LIMIT :limit) e
UNION ALL
SELECT id, workspace_id FROM (SELECT id, workspace_id, action FROM audit ORDER BY id DESC LIMIT :limit) a
WHERE action IN ('tag.change', 'tag.merge', 'tag.delete');

-- name: ticket_by_ids
-- Tickets of a workspace with the given ids (JSON).
SELECT {Ticket}
FROM tickets WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id;
