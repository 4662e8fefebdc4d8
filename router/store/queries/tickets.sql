-- name: ticket_by_id
-- One ticket of a workspace.
SELECT {Ticket}
FROM tickets WHERE id = :id AND workspace_id = :workspace_id;

-- name: ticket_lock
-- One ticket of a workspace, locked.
SELECT {Ticket}
FROM tickets WHERE id = :id AND workspace_id = :workspace_id;

-- name: ticket_id_by_number
-- The id of a ticket of a workspace.
SELECT id FROM tickets WHERE workspace_id = :workspace_id AND number = :number;

-- fragment: tag_id
-- The id of the tag of a TicketFilter.
(SELECT id FROM tags WHERE tags.workspace_id = :workspace_id AND tags.name_key = :tag)

-- fragment: ticket_conditions
-- The conditions of a TicketFilter on the table `t`. COALESCE and NOT keep SQLite from using the index that fits less:
-- that of the workspace, or that of the alias if the filter is selective. PostgreSQL estimates NOT ... <> like =.
-- OFFSET keeps PostgreSQL from joining all tickets of the tag.
{if not alias_id: t.workspace_id = :workspace_id}
{if alias_id, not selective: t.alias_id = :alias_id AND NOT t.workspace_id <> :workspace_id}
{if alias_id, selective: t.workspace_id = :workspace_id AND COALESCE(t.alias_id, '') = :alias_id}
{if status, not selective: AND t.status = :status}
{if status, selective, not assigned_to: AND t.status = :status}
{if status, selective, assigned_to: AND NOT t.status <> :status}
{if assigned_to: AND t.assigned_to = :assigned_to}
{if priority: AND t.priority = :priority}
{if priority, selective, not priority = normal: AND t.priority <> 'normal'}
{if unassigned: AND t.assigned_to IS NULL AND t.status <> 'resolved'}
{if tag: AND EXISTS (
    SELECT 1 FROM ticket_tags g WHERE g.ticket_id = t.id AND g.tag_id = {tag_id} LIMIT 1 OFFSET 0)}

-- fragment: newest_ids
-- The ids of the newest tickets that match a TicketFilter.
SELECT t.id FROM tickets t WHERE {ticket_conditions} AND t.id < :before ORDER BY t.id DESC LIMIT :limit

-- fragment: newest_ids_of_each_status
-- The same for each status: the index by alias has the status before the id.
{union TICKET_STATUS:
    SELECT id FROM (
        SELECT t.id FROM tickets t WHERE {ticket_conditions} AND t.status = @ AND t.id < :before
        ORDER BY t.id DESC LIMIT :limit) AS newest}

-- fragment: tagged_tickets
-- The tickets of a tag that are older than :before. Compared like this, and ordered by both columns, only the index
-- that begins with the tag fits. For `tag_id = ...`, PostgreSQL, which does not know how rare the tag is, could also
-- read the index that begins with the ticket, with the tags of all tickets.
(tagged.tag_id, tagged.ticket_id) < ({tag_id}, :before) AND tagged.tag_id >= {tag_id}

-- name: ticket_page
-- Tickets that match a TicketFilter, newest first. For an alias without a status, the tickets of each status are merged.
SELECT {Ticket:t}
FROM tickets t
WHERE {if not alias_id: {ticket_conditions} AND t.id < :before}
      {if alias_id, status: {ticket_conditions} AND t.id < :before}
      {if alias_id, not status, selective: {ticket_conditions} AND t.id < :before}
      {if alias_id, not status, not selective: t.id IN ({newest_ids_of_each_status})}
ORDER BY t.id DESC LIMIT :limit;

-- name: ticket_page_count
-- The number of tickets that match a TicketFilter, up to :limit, or up to :limit of each status.
SELECT count(*) AS tickets FROM (
    {if not alias_id: {newest_ids}}
    {if alias_id, status: {newest_ids}}
    {if alias_id, not status, selective: {newest_ids}}
    {if alias_id, not status, not selective: {newest_ids_of_each_status}}
) AS page;

-- name: ticket_page_by_tag
-- As ticket_page, for a tag. Reads the tickets of the tag, newest first, and checks the other conditions for each one.
-- CROSS JOIN keeps SQLite from reading the tickets first.
SELECT {Ticket:t}
FROM ticket_tags tagged CROSS JOIN tickets t
WHERE {tagged_tickets} AND t.id = tagged.ticket_id AND {ticket_conditions}
ORDER BY tagged.tag_id DESC, tagged.ticket_id DESC LIMIT :limit;

-- name: ticket_page_by_tag_count
-- The number of tickets of a tag, up to :limit. The order keeps PostgreSQL from scanning the table.
SELECT count(*) AS tickets FROM (
    SELECT 1 FROM ticket_tags tagged WHERE {tagged_tickets}
    ORDER BY tagged.tag_id DESC, tagged.ticket_id DESC LIMIT :limit
) AS page;

-- name: ticket_claim
-- Assigns an unresolved ticket; of concurrent claims by different users, one succeeds. An unchanged updated_at tells
-- the caller that nothing changed.
UPDATE tickets SET
    status = 'in_progress',
    claimed_at = CASE WHEN assigned_to = :user_id THEN COALESCE(claimed_at, :now) ELSE :now END,
    updated_at = CASE WHEN assigned_to = :user_id AND status = 'in_progress' THEN updated_at ELSE :now END,
    assigned_to = :user_id
WHERE id = :id AND workspace_id = :workspace_id AND status <> 'resolved'
  AND (assigned_to IS NULL OR assigned_to = :user_id)
RETURNING {Ticket};

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

-- name: ticket_latest_ids
-- The ids of a workspace's messages and events among the latest of all workspaces, and of the changes of tags among its
-- latest audit entries. Reads only the newest rows.
SELECT id FROM (SELECT id, workspace_id FROM messages ORDER BY id DESC LIMIT :limit) m WHERE workspace_id = :workspace_id
UNION ALL
SELECT id FROM (SELECT id, workspace_id FROM ticket_events ORDER BY id DESC LIMIT :limit) e
WHERE workspace_id = :workspace_id
UNION ALL
SELECT id FROM (SELECT id, action FROM audit WHERE workspace_id = :workspace_id ORDER BY id DESC LIMIT :limit) a
WHERE action IN ('tag.change', 'tag.merge', 'tag.delete');

-- name: ticket_by_ids
-- Tickets of a workspace with the given ids (JSON).
SELECT {Ticket}
FROM tickets WHERE id IN (SELECT value FROM json_each(:ids)) AND workspace_id = :workspace_id;
