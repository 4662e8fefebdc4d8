"""Delivers messages from the outbox to the integrations, and runs the maintenance tasks of the deliver role."""
