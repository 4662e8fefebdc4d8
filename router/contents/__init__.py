"""The parsed text of stored mails: the store, the pool of workers, the worker, records of attempts."""
