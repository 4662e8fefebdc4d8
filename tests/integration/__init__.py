"""The store on both databases, and servers of this process on port 0."""
