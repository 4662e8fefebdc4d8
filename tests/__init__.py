"""Tests, laid out like the packages they test; `support` holds what they share."""
