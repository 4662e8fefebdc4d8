"""The core of Email Router: what is accepted, where it goes, how it is kept and how it is delivered.

Nothing in here knows SMTP replies, HTTP or the command line; the doors (`smtp`, `api`, `emailrouter`) call in.
"""
