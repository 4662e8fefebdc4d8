"""Routes recipients to aliases: `route` decides, `routing_cache` queries and caches."""
