"""Workspaces and the installation as a whole: setup, health, overview, the secret key, the loss audit."""
