"""The SMTP server: receives mail from the internet, replies `250` once the core committed it.

In the order of the bytes: `server` and `listeners` (sockets, deadlines, stop); `connection` (one
task, one method for each command) with `admission`, `proxy` and `tls`; `transport` over `lines`,
`deadline` and `throttle` (bytes, pauses, time limits); `reception` over `data` and `memory` (one
mail); `session` and `policy` with `commands`, `limits`, `dnsbl` and `replies` (what is replied).
`bounds` has every limit, `context` what connections share. It decides nothing about a mail: `router`
does.
"""
