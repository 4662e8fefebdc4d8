"""Submission of mail to a smarthost (RFC 6409), with verified TLS and one outcome for each way that it can end."""
