"""Prometheus metrics: counted in the process (`meter`), read from the database, and served over HTTP."""
