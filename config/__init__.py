"""The settings of Email Router: read once at start and passed on as frozen values.

`load` reads them, `schema` declares them, `reference` renders the sample file and the
documentation. Only this package reads settings from the environment and the configuration file. It
imports no other package of the program.
"""
