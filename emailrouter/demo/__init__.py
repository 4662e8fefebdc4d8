"""`emailrouter demo`: the whole program on this machine, with local stand-ins for Slack, a smarthost and the DNS."""
