-- name: alias_by_id
-- One alias of a workspace.
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.id = :id AND a.workspace_id = :workspace_id;

-- name: alias_lock
-- One alias of a workspace, locked against other changes.
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.id = :id AND a.workspace_id = :workspace_id;

-- name: alias_page
-- Aliases of a workspace, newest first, with optional filters (router/filters.py).
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.workspace_id = :workspace_id AND a.id < :before
    {if domain_id: AND a.domain_id = :domain_id}
    {if integration_id: AND a.integration_id = :integration_id}
    {if status: AND a.status = :status}
    {if q: AND (lower(a.local_part || '@' || d.name) LIKE :q ESCAPE '\'
                OR lower(a.forwarded_from) LIKE :q ESCAPE '\')}
ORDER BY a.id DESC LIMIT :limit;

-- name: alias_insert
-- Inserts an alias, unless the domain already has it.
INSERT INTO aliases {values:Alias}
ON CONFLICT (domain_id, local_key) DO NOTHING;

-- name: alias_update
-- Changes the settings of an alias.
UPDATE aliases SET integration_id = :integration_id, status = :status, forwarded_from = :forwarded_from,
                   check_policy = :check_policy, sender_name = :sender_name, signature = :signature,
                   reply_to_token = :reply_to_token, acknowledge_template_id = :acknowledge_template_id
WHERE id = :id AND workspace_id = :workspace_id;

-- name: alias_delete
-- Deletes an alias; its tickets stay.
DELETE FROM aliases WHERE id = :id AND workspace_id = :workspace_id;
