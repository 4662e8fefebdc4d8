-- name: alias_by_id
-- One alias of a workspace.
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.id = :id AND a.workspace_id = :workspace_id;

-- name: alias_page
-- Aliases of a workspace, newest first.
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.workspace_id = :workspace_id AND a.id < :before ORDER BY a.id DESC LIMIT :limit;

-- name: alias_page_by_domain
-- Aliases of a domain, newest first.
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.domain_id = :domain_id AND a.workspace_id = :workspace_id AND a.id < :before
ORDER BY a.id DESC LIMIT :limit;

-- name: alias_insert
-- Inserts an alias, unless the domain already has it.
INSERT INTO aliases (id, workspace_id, domain_id, local_part, local_key, integration_id, created_at)
VALUES (:id, :workspace_id, :domain_id, :local_part, :local_key, :integration_id, :created_at)
ON CONFLICT (domain_id, local_key) DO NOTHING;

-- name: alias_update
-- Changes the integration or the status; NULL leaves a value unchanged.
UPDATE aliases SET integration_id = COALESCE(CAST(:integration_id AS TEXT), integration_id),
                   status = COALESCE(CAST(:status AS TEXT), status)
WHERE id = :id AND workspace_id = :workspace_id;

-- name: alias_delete
-- Deletes an alias; its tickets stay.
DELETE FROM aliases WHERE id = :id AND workspace_id = :workspace_id;
