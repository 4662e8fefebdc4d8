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

-- name: template_by_id
-- One template of a workspace.
SELECT {Template} FROM templates WHERE id = :id AND workspace_id = :workspace_id;

-- name: template_lock
-- One template of a workspace, locked against deletion.
SELECT {Template} FROM templates WHERE id = :id AND workspace_id = :workspace_id;

-- name: template_lock_to_delete
-- One template of a workspace, locked so that no further alias can refer to it.
SELECT {Template} FROM templates WHERE id = :id AND workspace_id = :workspace_id;

-- name: template_page
-- Templates of a workspace, newest first.
SELECT {Template} FROM templates
WHERE workspace_id = :workspace_id AND id < :before
    {if q: AND (lower(name) LIKE :q ESCAPE '\' OR lower(subject) LIKE :q ESCAPE '\')}
ORDER BY id DESC LIMIT :limit;

-- name: template_list
-- The templates of a workspace.
SELECT {Template} FROM templates WHERE workspace_id = :workspace_id ORDER BY id;

-- name: template_names
-- The names of the templates of a workspace.
SELECT id, name FROM templates WHERE workspace_id = :workspace_id;

-- name: template_insert
-- Inserts a template.
INSERT INTO templates {values:Template};

-- name: template_update
-- Changes a template.
UPDATE templates SET name = :name, subject = :subject, body = :body, mode = :mode, updated_at = :updated_at
WHERE id = :id AND workspace_id = :workspace_id;

-- name: template_delete
-- Deletes a template.
DELETE FROM templates WHERE id = :id AND workspace_id = :workspace_id;

-- name: template_alias
-- An alias that acknowledges mail with a template.
SELECT a.local_part, d.name AS domain FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.workspace_id = :workspace_id AND a.acknowledge_template_id = :id ORDER BY a.id LIMIT 1;

-- name: canned_response_by_id
-- One canned response of a workspace.
SELECT {CannedResponse} FROM canned_responses WHERE id = :id AND workspace_id = :workspace_id;

-- name: canned_response_page
-- Canned responses of a workspace, newest first, with optional filters (router/filters.py).
SELECT {CannedResponse} FROM canned_responses
WHERE workspace_id = :workspace_id AND id < :before
    {if alias_id: AND (alias_id = :alias_id OR alias_id IS NULL)}
    {if q: AND (lower(title) LIKE :q ESCAPE '\' OR lower(body) LIKE :q ESCAPE '\')}
ORDER BY id DESC LIMIT :limit;

-- name: canned_response_list
-- The canned responses of a workspace.
SELECT {CannedResponse} FROM canned_responses WHERE workspace_id = :workspace_id ORDER BY id;

-- name: canned_response_titles
-- The titles of the canned responses of a workspace.
SELECT id, title, alias_id FROM canned_responses WHERE workspace_id = :workspace_id;

-- name: canned_response_insert
-- Inserts a canned response.
INSERT INTO canned_responses {values:CannedResponse};

-- name: canned_response_update
-- Changes a canned response.
UPDATE canned_responses SET title = :title, body = :body, alias_id = :alias_id, updated_at = :updated_at
WHERE id = :id AND workspace_id = :workspace_id;

-- name: canned_response_delete
-- Deletes a canned response.
DELETE FROM canned_responses WHERE id = :id AND workspace_id = :workspace_id;
