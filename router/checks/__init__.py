"""Sender checks: SPF, DKIM, DMARC, iprev and rspamd, and what follows from them for the tickets of a message."""
