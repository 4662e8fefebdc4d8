"""The search of tickets. Two functions are its interface: `indexing.index` adds the words of messages to the index, and
`scans.find` reads a page of the tickets with given words and filters.

They are not imported here, because the worker process that parses messages needs only `terms`.
"""
