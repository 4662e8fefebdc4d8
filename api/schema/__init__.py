"""Models of requests and responses. Requests are strict: no unknown fields, no type conversion."""
