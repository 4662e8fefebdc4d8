-- PostgreSQL needs explicit row locks. The two databases read JSON lists with different functions.

-- name: tag_lock
SELECT {Tag} FROM tags WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;

-- name: tag_lock_by_keys
SELECT {Tag} FROM tags
WHERE workspace_id = :workspace_id AND name_key = ANY (ARRAY(SELECT json_array_elements_text(CAST(:keys AS JSON))))
ORDER BY name_key
FOR KEY SHARE;

-- name: tag_lock_by_ids
SELECT {Tag} FROM tags
WHERE workspace_id = :workspace_id AND id = ANY ({listed_ids})
ORDER BY id
FOR KEY SHARE;

-- name: tag_tickets
SELECT t.id FROM tickets t
WHERE t.id IN (
    SELECT ticket_id FROM ticket_tags WHERE tag_id = :tag_id AND ticket_id > :after ORDER BY ticket_id LIMIT :limit)
ORDER BY t.id
FOR NO KEY UPDATE;

-- name: tag_by_tickets
SELECT g.ticket_id, {Tag:t}
FROM ticket_tags g JOIN tags t ON t.id = g.tag_id
WHERE g.ticket_id = ANY ({listed_ids}) ORDER BY t.name_key;

-- name: tag_add_to_tickets
INSERT INTO ticket_tags (tag_id, ticket_id)
SELECT CAST(:tag_id AS TEXT), value FROM json_array_elements_text(CAST(:ids AS JSON))
ON CONFLICT (tag_id, ticket_id) DO NOTHING;

-- name: tag_copy
INSERT INTO ticket_tags (tag_id, ticket_id)
SELECT CAST(:into AS TEXT), ticket_id FROM ticket_tags
WHERE tag_id = :tag_id AND ticket_id = ANY ({listed_ids})
ON CONFLICT (tag_id, ticket_id) DO NOTHING;

-- name: tag_remove_from_tickets
DELETE FROM ticket_tags
WHERE tag_id = :tag_id AND ticket_id = ANY ({listed_ids});

-- name: tag_update_ticket_times
UPDATE tickets SET updated_at = :now WHERE id = ANY ({listed_ids});
