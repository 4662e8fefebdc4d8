"""Benchmarks, run by hand; see README.md. No module of the product imports them."""
