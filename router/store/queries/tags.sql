-- Tags of tickets (router/admin/tickets/tags.py). Tickets are locked before tags, tags before the workspace.

-- fragment: counted_tickets
-- The number of tickets of the tag `t`, up to :max_counted. With the order PostgreSQL uses the index. Without it, if few
-- tags are frequent, it expects to find enough tickets of any tag early, and scans the table. Tickets held as spam count:
-- to leave them out, the row of each ticket would be read beside the index.
(SELECT count(*) FROM (SELECT 1 FROM ticket_tags g WHERE g.tag_id = t.id ORDER BY g.ticket_id LIMIT :max_counted)
                      AS counted)

-- name: tag_page
-- Tags of a workspace in the order of their keys; with :max_counted, also the number of their tickets.
SELECT {Tag:t} {if max_counted: , {counted_tickets} AS tickets}
FROM tags t
WHERE t.workspace_id = :workspace_id AND t.name_key > :after {if q: AND lower(t.name) LIKE :q ESCAPE '\'}
ORDER BY t.name_key LIMIT :limit;

-- name: tag_by_id
-- One tag of a workspace.
SELECT {Tag:t}, {counted_tickets} AS tickets FROM tags t WHERE t.id = :id AND t.workspace_id = :workspace_id;

-- name: tag_by_key
-- The tag of a workspace whose name has a key, with the number of its tickets.
SELECT {Tag:t}, {counted_tickets} AS tickets
FROM tags t WHERE t.workspace_id = :workspace_id AND t.name_key = :name_key;

-- name: tag_lock
-- One tag of a workspace, locked so that no ticket gets it.
SELECT {Tag} FROM tags WHERE id = :id AND workspace_id = :workspace_id;

-- name: tag_lock_by_keys
-- The tags whose names have the given keys (JSON), locked so that they are not deleted.
SELECT {Tag} FROM tags
WHERE workspace_id = :workspace_id AND name_key IN (SELECT value FROM json_each(:keys)) ORDER BY name_key;

-- name: tag_lock_by_ids
-- The tags of a workspace with the given ids (JSON), locked so that they are not deleted.
SELECT {Tag} FROM tags
WHERE workspace_id = :workspace_id AND id IN (SELECT value FROM json_each(:ids)) ORDER BY id;

-- name: tag_merging_into
-- A tag of a workspace that is being merged into a tag.
SELECT {Tag} FROM tags WHERE workspace_id = :workspace_id AND merged_into = :id LIMIT 1;

-- name: tag_count
-- The number of tags of a workspace.
SELECT count(*) AS tags FROM tags WHERE workspace_id = :workspace_id;

-- name: tag_insert
-- Inserts a tag, unless the workspace has one with the same key.
INSERT INTO tags {values:Tag} ON CONFLICT (workspace_id, name_key) DO NOTHING;

-- name: tag_update
-- Changes a tag.
UPDATE tags SET name = :name, name_key = :name_key, color = :color, merged_into = :merged_into WHERE id = :id;

-- name: tag_delete
-- Deletes a tag, also from the tickets that still have it.
DELETE FROM tags WHERE id = :id;

-- name: tag_tickets
-- The first tickets of a tag after an id, locked.
SELECT t.id FROM tickets t
WHERE t.id IN (
    SELECT ticket_id FROM ticket_tags WHERE tag_id = :tag_id AND ticket_id > :after ORDER BY ticket_id LIMIT :limit)
ORDER BY t.id;

-- name: tag_first_ticket
-- A ticket of a tag.
SELECT ticket_id FROM ticket_tags WHERE tag_id = :tag_id LIMIT 1;

-- name: tag_by_tickets
-- The tags of the given tickets (JSON), in the order of their keys.
SELECT g.ticket_id, {Tag:t}
FROM ticket_tags g JOIN tags t ON t.id = g.tag_id
WHERE g.ticket_id IN (SELECT value FROM json_each(:ids)) ORDER BY t.name_key;

-- name: tag_add_to_tickets
-- Adds a tag to the given tickets (JSON) that do not have it yet.
INSERT INTO ticket_tags (tag_id, ticket_id) SELECT CAST(:tag_id AS TEXT), value FROM json_each(:ids) WHERE TRUE
ON CONFLICT (tag_id, ticket_id) DO NOTHING;

-- name: tag_copy
-- Adds the tag :into to those of the given tickets (JSON) that have the tag :tag_id.
INSERT INTO ticket_tags (tag_id, ticket_id)
SELECT CAST(:into AS TEXT), ticket_id FROM ticket_tags
WHERE tag_id = :tag_id AND ticket_id IN (SELECT value FROM json_each(:ids))
ON CONFLICT (tag_id, ticket_id) DO NOTHING;

-- name: tag_remove_from_tickets
-- Removes a tag from the given tickets (JSON).
DELETE FROM ticket_tags WHERE tag_id = :tag_id AND ticket_id IN (SELECT value FROM json_each(:ids));

-- name: tag_update_ticket_times
-- Sets the update times of the given tickets (JSON), whose tags change.
UPDATE tickets SET updated_at = :now WHERE id IN (SELECT value FROM json_each(:ids));

-- name: tag_rename_begin
-- Stores a rename of a tag. Replaces an earlier one.
INSERT INTO installation (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: tag_rename_unfinished
-- The stored renames of tags.
SELECT name FROM installation WHERE name LIKE 'tag_rename.%' ORDER BY name LIMIT :limit;
