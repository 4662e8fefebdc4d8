"""The SMTP server: receives mail from the internet and replies `250` once the core has committed it.

A `connection` reads commands through `transport` and messages through `reception`. `session` and `policy`
accept or reject senders, recipients and messages. `router` decides where a message goes.
"""
