"""Use cases of routing: aliases, integrations, deliveries, blocked senders, explanations."""
