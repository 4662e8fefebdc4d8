-- What the operator at the command line asks for: things by their names, workspaces as a whole, the secret key.

-- name: operator_workspaces
-- Every workspace, oldest first.
SELECT id, name, default_integration_id, timezone, locale, last_ticket_number, created_at FROM workspaces
WHERE id > :after ORDER BY id LIMIT :limit;

-- name: operator_domain
-- A workspace's domain by its name.
SELECT id FROM domains WHERE workspace_id = :workspace_id AND name = :name;

-- name: operator_alias
-- A workspace's alias by its address.
SELECT a.id FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE d.workspace_id = :workspace_id AND d.name = :domain AND a.local_key = :local_key;

-- name: operator_integrations
-- A workspace's integrations of one name: more than one is a question back.
SELECT id FROM integrations WHERE workspace_id = :workspace_id AND name = :name ORDER BY id LIMIT 2;

-- name: operator_ticket
-- A workspace's ticket by its number.
SELECT id FROM tickets WHERE workspace_id = :workspace_id AND number = :number;

-- name: operator_count_contents
-- What is lost with a workspace.
SELECT (SELECT count(*) FROM domains WHERE workspace_id = :id) AS domains,
       (SELECT count(*) FROM users WHERE workspace_id = :id) AS users,
       (SELECT count(*) FROM tickets WHERE workspace_id = :id) AS tickets,
       (SELECT count(*) FROM messages WHERE workspace_id = :id) AS messages;

-- name: operator_delete_domains
-- No mail comes for a workspace any more; its aliases go with the domains.
DELETE FROM domains WHERE workspace_id = :id;

-- name: operator_erase_tickets
-- Some of a workspace's tickets, with what hangs on them.
DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE workspace_id = :id ORDER BY id LIMIT :limit);

-- name: operator_erase_messages
-- Some of a workspace's messages, with their octets.
DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE workspace_id = :id ORDER BY id LIMIT :limit);

-- name: operator_erase_workspace
-- A workspace, with its users, keys, sessions and integrations.
DELETE FROM workspaces WHERE id = :id;

-- name: operator_reparse_batch
-- Messages whose octets are here, from a time on, oldest first.
SELECT m.id FROM messages m
WHERE m.id > :after AND m.received_at >= :since
  AND (CAST(:workspace_id AS TEXT) IS NULL OR m.workspace_id = CAST(:workspace_id AS TEXT))
  AND EXISTS (SELECT 1 FROM raw_chunks r WHERE r.message_id = m.id AND r.n = 0)
ORDER BY m.id LIMIT :limit;

-- name: operator_sealed_settings
-- Everything that is sealed with the secret key, held until the transaction ends.
SELECT id, workspace_id, name, sealed_settings FROM integrations ORDER BY id;

-- name: operator_update_settings
-- The same settings, sealed with another key.
UPDATE integrations SET sealed_settings = :sealed_settings WHERE id = :id;

-- name: operator_replace_value
-- A new value for a fact of the installation, if it is still the known one.
UPDATE installation SET value = :value WHERE name = :name AND value = :expected;
