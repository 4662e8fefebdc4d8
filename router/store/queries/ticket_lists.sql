-- Lists of tickets (router/admin/tickets/lists.py).

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
