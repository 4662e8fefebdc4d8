"""Users and API keys: how they sign in and are authenticated."""
