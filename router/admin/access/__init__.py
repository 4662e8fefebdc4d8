"""Users, their sessions and API keys, and authentication."""
