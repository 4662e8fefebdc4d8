"""`emailrouter demo`: the whole program on this machine, with local stand-ins for Slack and the DNS."""
