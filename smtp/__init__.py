"""The SMTP door: it takes mail from the internet, asks the core whose it is, and says `250` for what the core has kept.

In the order the octets travel: `server` over `listeners` (sockets, deadlines, stop) · `proxy` and `tls` (who is there,
in what) · `stream` over `lines`, `data` and `in_flight` (lines, pieces, memory, replies) · `protocol` and `commands`
(what is said) · `session` and `policy` over `limits`, `dnsbl` and `replies` (what is answered). It decides nothing
about a mail: `router` does.
"""
