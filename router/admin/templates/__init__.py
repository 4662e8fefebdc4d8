"""Templates and canned responses of a workspace."""
