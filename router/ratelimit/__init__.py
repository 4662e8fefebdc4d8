"""Rate limits for API requests and for failed sign-in attempts."""
