"""Domains: names, DNS checks and verification."""
