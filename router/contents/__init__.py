"""The parsed contents of stored messages: parsing in threads and worker processes, and storage."""
