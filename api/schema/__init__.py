"""Models of requests and responses. Unknown fields are rejected; types in request bodies are strict."""
