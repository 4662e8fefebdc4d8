"""The SMTP server: receives mail from the internet and replies `250` once the core has committed it.

The modules, in the order in which they handle the bytes of a connection: `server` and `listeners`
(sockets, deadlines, shutdown); `connection` (one task, one method for each command) with
`admission`, `proxy` and `tls`; `transport` over `lines`, `deadline` and `throttle` (bytes, pauses,
time limits); `reception` over `data` and `memory` (one message); `session` and `policy` with
`commands`, `limits`, `dnsbl`, `refusals` and `replies` (the reply to a command). `bounds` defines the
limits, except those of a grammar; `context` has the objects that connections share. The package
never decides where a message goes: `router` does.
"""
