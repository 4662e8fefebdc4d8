-- name: installation_insert
-- Stores a value of the installation, unless the name already has a value.
INSERT INTO installation (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING;

-- name: installation_value
-- A value of the installation.
SELECT value FROM installation WHERE name = :name;

-- name: installation_delete
-- Deletes a value of the installation. Of several concurrent calls, only one deletes the row.
DELETE FROM installation WHERE name = :name AND value = :value;
