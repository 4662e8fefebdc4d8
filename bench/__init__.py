"""Benches: programs that measure, run by hand. Nothing of the product imports them; see README.md."""
