"""Prometheus metrics, counted in the process or read from the database, and served over HTTP."""
