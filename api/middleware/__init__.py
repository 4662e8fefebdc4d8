"""The middlewares of the application, ordered in `api.app`."""
