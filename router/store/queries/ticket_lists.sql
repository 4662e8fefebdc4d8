-- Lists of tickets (router/admin/tickets/lists.py).

-- fragment: tag_id
-- The id of the tag of a TicketFilter.
(SELECT id FROM tags WHERE tags.workspace_id = :workspace_id AND tags.name_key = :tag)

-- fragment: is_spam
-- Whether the tickets of a TicketFilter are spam, as a literal.
{if spam: 1}{if not spam: 0}

-- fragment: ticket_conditions
-- The conditions of a TicketFilter on the table `t`. COALESCE and NOT keep SQLite from using the index that fits less:
-- that of the workspace, or that of the alias if the filter is selective. PostgreSQL estimates NOT ... <> like =.
-- The index of a `flat` source contains no column of the other conditions, so none of these may select an index.
-- The indexes by assignee and by priority do not contain `spam`, because few of their tickets are spam.
-- OFFSET keeps PostgreSQL from joining all tickets of the tag.
{if not alias_id: t.workspace_id = :workspace_id}
{if alias_id, not selective: t.alias_id = :alias_id AND NOT t.workspace_id <> :workspace_id}
{if alias_id, selective: t.workspace_id = :workspace_id AND COALESCE(t.alias_id, '') = :alias_id}
{if status, flat: AND COALESCE(t.status, '') = :status}
{if status, not flat, not selective: AND t.status = :status}
{if status, not flat, selective, not assigned_to: AND t.status = :status}
{if status, not flat, selective, assigned_to: AND NOT t.status <> :status}
{if assigned_to, flat: AND COALESCE(t.assigned_to, '') = :assigned_to}
{if assigned_to, not flat: AND t.assigned_to = :assigned_to}
{if priority, flat: AND COALESCE(t.priority, '') = :priority}
{if priority, not flat: AND t.priority = :priority}
{if priority, not flat, selective, not priority = normal: AND t.priority <> 'normal'}
{if unassigned: AND t.assigned_to IS NULL AND t.status <> 'resolved'}
{if unresolved: AND t.status <> 'resolved'}
{if automatic = only: AND t.automatic <> ''}
{if automatic = exclude: AND t.automatic = ''}
{if flat: AND t.spam = {is_spam}}
{if not flat, not selective, not assigned_to: AND t.spam = {is_spam}}
{if not flat, not selective, assigned_to: AND NOT t.spam <> {is_spam}}
{if not flat, selective: AND NOT t.spam <> {is_spam}}
{if tag: AND EXISTS (
    SELECT 1 FROM ticket_tags g WHERE g.ticket_id = t.id AND g.tag_id = {tag_id} LIMIT 1 OFFSET 0)}

-- fragment: follows
-- The ticket follows a position, in the order by id: newest first, or oldest first.
{if not oldest_first: t.id < :before}
{if oldest_first: t.id > :after}

-- fragment: page_ids
-- The ids of the first tickets that match a TicketFilter.
SELECT t.id FROM tickets t WHERE {ticket_conditions} AND {follows}
ORDER BY t.id {if not oldest_first: DESC} LIMIT :limit

-- fragment: page_ids_of_each_status
-- The same for each status: the indexes have the status before the id.
{if not unresolved: {union TICKET_STATUS:
    SELECT id FROM (
        SELECT t.id FROM tickets t WHERE {ticket_conditions} AND t.status = @ AND {follows}
        ORDER BY t.id {if not oldest_first: DESC} LIMIT :limit) AS page}}
{if unresolved: {union UNRESOLVED_STATUS:
    SELECT id FROM (
        SELECT t.id FROM tickets t WHERE {ticket_conditions} AND t.status = @ AND {follows}
        ORDER BY t.id {if not oldest_first: DESC} LIMIT :limit) AS page}}

-- fragment: tagged_tickets
-- The tickets of a tag that follow a position. Compared like this, and ordered by both columns, only the index that
-- begins with the tag fits. For `tag_id = ...`, PostgreSQL, which does not know how rare the tag is, could also read the
-- index that begins with the ticket, with the tags of all tickets.
{if not oldest_first: (tagged.tag_id, tagged.ticket_id) < ({tag_id}, :before) AND tagged.tag_id >= {tag_id}}
{if oldest_first: (tagged.tag_id, tagged.ticket_id) > ({tag_id}, :after) AND tagged.tag_id <= {tag_id}}

-- fragment: tagged_order
-- The order of tagged_tickets.
tagged.tag_id {if not oldest_first: DESC}, tagged.ticket_id {if not oldest_first: DESC}

-- name: ticket_page
-- Tickets that match a TicketFilter, in the order of their ids. With `each_status`, the tickets of each status are
-- merged.
SELECT {Ticket:t}
FROM tickets t
WHERE {if not each_status: {ticket_conditions} AND {follows}}
      {if each_status: t.id IN ({page_ids_of_each_status})}
ORDER BY t.id {if not oldest_first: DESC} LIMIT :limit;

-- name: ticket_page_count
-- The number of tickets that match a TicketFilter, up to :limit, or up to :limit of each status.
SELECT count(*) AS tickets FROM (
    {if not each_status: {page_ids}}
    {if each_status: {page_ids_of_each_status}}
) AS page;

-- name: ticket_page_by_tag
-- As ticket_page, for a tag. Reads the tickets of the tag in their order, and checks the other conditions for each one.
-- CROSS JOIN keeps SQLite from reading the tickets first.
SELECT {Ticket:t}
FROM ticket_tags tagged CROSS JOIN tickets t
WHERE {tagged_tickets} AND t.id = tagged.ticket_id AND {ticket_conditions}
ORDER BY {tagged_order} LIMIT :limit;

-- name: ticket_page_by_tag_count
-- The number of tickets of a tag, up to :limit. The order keeps PostgreSQL from scanning the table.
SELECT count(*) AS tickets FROM (
    SELECT 1 FROM ticket_tags tagged WHERE {tagged_tickets}
    ORDER BY {tagged_order} LIMIT :limit
) AS page;

-- fragment: waiting_since
-- When the oldest unanswered message of a ticket arrived, as in the index of waiting tickets.
COALESCE(t.unanswered_since, t.received_at)

-- name: ticket_page_waiting
-- Open tickets that match a TicketFilter and follow a position, those that wait longest first, or last with `reverse`.
-- SQLite uses no index of expressions for the second comparison, and PostgreSQL needs only this one.
SELECT {Ticket:t}
FROM tickets t
WHERE {ticket_conditions} AND t.status IN ('open', 'in_progress')
      {if not reverse: AND {waiting_since} >= :since AND ({waiting_since}, t.id) > (:since, :ticket_id)}
      {if reverse: AND {waiting_since} <= :since AND ({waiting_since}, t.id) < (:since, :ticket_id)}
ORDER BY {waiting_since} {if reverse: DESC}, t.id {if reverse: DESC} LIMIT :limit;

-- fragment: ticket_previews
-- What a list shows of the given tickets, from at most :max_messages of the newest messages of each ticket, and what a
-- user has read of them. An acknowledgement is no answer, so the ticket stays unread. SQLite would prefer the primary key, and read the pages of the text and the HTML.
, counted AS (
    SELECT listed.id AS ticket_id, count(DISTINCT tm.message_id) AS messages, max(tm.message_id) AS newest_id,
           max(tm.sequence) AS newest_sequence, COALESCE(sum(c.files), 0) AS files
    FROM listed
    JOIN ticket_messages tm ON tm.ticket_id = listed.id AND tm.message_id >= COALESCE((
        SELECT message_id FROM ticket_messages
        WHERE ticket_id = listed.id ORDER BY message_id DESC LIMIT 1 OFFSET :max_messages - 1), '')
    LEFT JOIN message_contents c /*sqlite INDEXED BY message_contents_preview */ ON c.message_id = tm.message_id
    WHERE NOT EXISTS (
        SELECT 1 FROM replies r WHERE r.message_id = tm.message_id AND r.kind = 'acknowledgement')
    GROUP BY listed.id
)
SELECT counted.ticket_id, counted.messages, counted.newest_sequence, counted.files, m.received_at AS newest_at,
       m.from_address, m.from_name, m.direction, COALESCE(c.snippet, '') AS snippet, r.sequence AS read_sequence
FROM counted
JOIN messages m ON m.id = counted.newest_id
LEFT JOIN message_contents c /*sqlite INDEXED BY message_contents_preview */ ON c.message_id = counted.newest_id
LEFT JOIN ticket_reads r ON r.user_id = :user_id AND r.ticket_id = counted.ticket_id

-- name: ticket_previews
-- The previews of the given tickets (JSON).
WITH listed AS (SELECT value AS id FROM json_each(:ids))
{ticket_previews};

-- name: ticket_read_since
-- The time from which messages count as unread by a user.
SELECT unread_since, created_at FROM users WHERE id = :user_id AND workspace_id = :workspace_id;

-- name: ticket_read_set
-- Stores the newest message that a user has read of a ticket, or replaces it.
INSERT INTO ticket_reads (user_id, ticket_id, sequence)
SELECT u.id, t.id, CAST(:sequence AS BIGINT) FROM users u, tickets t
WHERE u.id = :user_id AND t.id = :ticket_id AND t.workspace_id = u.workspace_id
ON CONFLICT (user_id, ticket_id) DO UPDATE SET sequence = excluded.sequence;

-- name: ticket_read_all
-- Sets the time from which messages count as unread by a user.
UPDATE users SET unread_since = :now WHERE id = :user_id AND workspace_id = :workspace_id;

-- name: ticket_read_clear
-- Deletes stored reads of a user.
DELETE FROM ticket_reads WHERE user_id = :user_id AND ticket_id IN (
    SELECT ticket_id FROM ticket_reads WHERE user_id = :user_id ORDER BY ticket_id LIMIT :limit);
