"""Where mail goes: aliases, integrations and deliveries, blocked senders, and why a recipient is refused."""
