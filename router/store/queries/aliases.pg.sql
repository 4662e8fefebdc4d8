-- PostgreSQL needs explicit row locks.

-- name: alias_lock
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.id = :id AND a.workspace_id = :workspace_id
FOR NO KEY UPDATE OF a;
