"""Which alias a recipient belongs to: `route` decides (pure), `directory` knows and remembers."""
