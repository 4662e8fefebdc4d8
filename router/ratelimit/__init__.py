"""Bounds on requests and on failed attempts: fixed counts, a sliding window, a throttle for failures."""
