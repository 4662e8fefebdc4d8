-- Queries of the command line.

-- name: operator_workspaces
-- All workspaces, oldest first.
SELECT {Workspace} FROM workspaces
WHERE id > :after ORDER BY id LIMIT :limit;

-- name: operator_domain
-- A domain of a workspace by name.
SELECT id FROM domains WHERE workspace_id = :workspace_id AND name = :name;

-- name: operator_alias
-- An alias of a workspace by address.
SELECT a.id FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE d.workspace_id = :workspace_id AND d.name = :domain AND a.local_key = :local_key;

-- name: operator_integrations
-- The integrations of a workspace by name. Two rows mean that the name is ambiguous.
SELECT id FROM integrations WHERE workspace_id = :workspace_id AND name = :name ORDER BY id LIMIT 2;

-- name: operator_count_contents
-- Counts the domains, users, tickets and messages of a workspace.
SELECT (SELECT count(*) FROM domains WHERE workspace_id = :id) AS domains,
       (SELECT count(*) FROM users WHERE workspace_id = :id) AS users,
       (SELECT count(*) FROM tickets WHERE workspace_id = :id) AS tickets,
       (SELECT count(*) FROM messages WHERE workspace_id = :id) AS messages;

-- name: operator_delete_domains
-- Deletes the domains of a workspace, so that it receives no more mail for them.
DELETE FROM domains WHERE workspace_id = :id;

-- name: operator_delete_smarthosts
-- Deletes the smarthosts of deleted domains, which have no foreign key.
DELETE FROM smarthosts WHERE id LIKE 'dom!_%' ESCAPE '!' AND id NOT IN (SELECT id FROM domains);

-- name: operator_erase_tickets
-- Erases a batch of a workspace's tickets.
DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE workspace_id = :id ORDER BY number LIMIT :limit);

-- name: operator_erase_messages
-- Erases a batch of a workspace's messages.
DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE workspace_id = :id ORDER BY id LIMIT :limit);

-- name: operator_erase_bounces
-- Deletes the bounces that were to be read, and whose messages were erased.
DELETE FROM bounce_queue WHERE message_id NOT IN (SELECT id FROM messages);

-- name: operator_erase_workspace
-- Deletes a workspace.
DELETE FROM workspaces WHERE id = :id;

-- name: operator_reparse_batch
-- Messages with raw content that were received at or after a time, oldest first.
SELECT m.id FROM messages m
WHERE m.id > :after AND m.received_at >= :since
  AND (CAST(:workspace_id AS TEXT) IS NULL OR m.workspace_id = CAST(:workspace_id AS TEXT))
  AND EXISTS (SELECT 1 FROM raw_chunks r WHERE r.message_id = m.id AND r.n = 0)
ORDER BY m.id LIMIT :limit;

-- name: operator_encrypted_settings
-- The encrypted settings of all integrations that are not being deleted, locked.
SELECT id, workspace_id, name, encrypted_settings FROM integrations WHERE {is_kept} ORDER BY id;

-- name: operator_update_settings
-- Stores the settings of an integration, encrypted with the new key.
UPDATE integrations SET encrypted_settings = :encrypted_settings WHERE id = :id;

-- name: operator_encrypted_smarthosts
-- The encrypted smarthosts of all domains, locked.
SELECT id, name, encrypted_smarthost FROM domains WHERE encrypted_smarthost <> '' ORDER BY id;

-- name: operator_update_smarthost
-- Stores the smarthost of a domain, encrypted with the new key.
UPDATE domains SET encrypted_smarthost = :encrypted_smarthost WHERE id = :id;

-- name: operator_encrypted_domain_keys
-- The encrypted DKIM keys of all domains, locked. A retired key has no private part.
SELECT k.domain_id, k.selector, k.encrypted_private_key, d.name FROM domain_keys k
JOIN domains d ON d.id = k.domain_id
WHERE k.encrypted_private_key <> '' ORDER BY k.domain_id, k.selector;

-- name: operator_update_domain_key
-- Stores a DKIM key, encrypted with the new key.
UPDATE domain_keys SET encrypted_private_key = :encrypted_private_key
WHERE domain_id = :domain_id AND selector = :selector;

-- name: operator_replace_value
-- Replaces a value of the installation, if it is still the expected value.
UPDATE installation SET value = :value WHERE name = :name AND value = :expected;

-- name: complete_workspaces
-- Names of workspaces that begin with a prefix, for completion in the shell.
SELECT name FROM workspaces WHERE substr(name, 1, length(CAST(:prefix AS TEXT))) = :prefix ORDER BY name LIMIT :limit;

-- name: complete_domains
-- The same for domains of a workspace.
SELECT name AS name FROM domains
WHERE workspace_id = :workspace_id AND substr(name, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY name LIMIT :limit;

-- name: complete_users
-- The same for users of a workspace.
SELECT email AS name FROM users
WHERE workspace_id = :workspace_id AND substr(email, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY email LIMIT :limit;

-- name: complete_integrations
-- The same for integrations of a workspace.
SELECT name AS name FROM integrations
WHERE workspace_id = :workspace_id AND substr(name, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY name LIMIT :limit;

-- name: complete_tags
-- The same for tags of a workspace.
SELECT name AS name FROM tags
WHERE workspace_id = :workspace_id AND substr(name, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY name LIMIT :limit;

-- name: complete_templates
-- The same for templates of a workspace.
SELECT name AS name FROM templates
WHERE workspace_id = :workspace_id AND substr(name, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY name LIMIT :limit;

-- name: complete_canned_responses
-- The same for the titles of canned responses of a workspace.
SELECT title AS name FROM canned_responses
WHERE workspace_id = :workspace_id AND substr(title, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY title LIMIT :limit;

-- name: complete_aliases
-- The same for the addresses of aliases.
SELECT a.local_part || '@' || d.name AS name FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE d.workspace_id = :workspace_id
  AND substr(a.local_part || '@' || d.name, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY d.name, a.local_part LIMIT :limit;
