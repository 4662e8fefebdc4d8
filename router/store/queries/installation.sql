-- name: installation_insert
-- Remembers a fact of the installation, once: whoever comes later finds the first value.
INSERT INTO installation (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING;

-- name: installation_value
-- A fact of the installation.
SELECT value FROM installation WHERE name = :name;

-- name: installation_delete
-- Takes a fact away; of several who do, one finds it was there.
DELETE FROM installation WHERE name = :name AND value = :value;
