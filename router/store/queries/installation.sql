-- name: installation_keep
-- Remembers a fact of the installation, once: whoever comes later finds the first value.
INSERT INTO installation (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING;

-- name: installation_fact
-- A fact of the installation.
SELECT value FROM installation WHERE name = :name;
