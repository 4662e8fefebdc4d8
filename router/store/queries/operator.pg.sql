-- PostgreSQL needs explicit row locks.

-- name: operator_encrypted_settings
SELECT id, workspace_id, name, encrypted_settings FROM integrations WHERE {is_kept} ORDER BY id
FOR UPDATE;

-- name: operator_encrypted_smarthosts
SELECT id, name, encrypted_smarthost FROM domains WHERE encrypted_smarthost <> '' ORDER BY id
FOR UPDATE;

-- name: operator_encrypted_domain_keys
SELECT k.domain_id, k.selector, k.encrypted_private_key, d.name FROM domain_keys k
JOIN domains d ON d.id = k.domain_id
WHERE k.encrypted_private_key <> '' ORDER BY k.domain_id, k.selector
FOR UPDATE OF k;
