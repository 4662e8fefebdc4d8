"""Use cases of workspaces and of the installation: setup, health, overview, key rotation, loss audit."""
