"""The middlewares of the application. `api.app` lists them from the outermost to the innermost."""
