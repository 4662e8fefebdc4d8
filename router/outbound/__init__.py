"""HTTP requests to URLs that users configure, by default only to public addresses."""
