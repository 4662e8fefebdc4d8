"""The settings of Email Router: read once at start and passed on as frozen values.

`load` reads them, `schema` declares them, `reference` renders the sample file and the
documentation. No other package reads the environment or a configuration file, and this one imports
no other package of the program.
"""
