"""HTTP requests to URLs that users configure, restricted to public addresses."""
