"""The settings of Email Router, read once at start and passed down as frozen values.

`load` reads them, `schema` says what there is, `reference` writes the sample and the documentation of them.
Nothing else in the program reads the environment or a configuration file; nothing here imports the rest of
it.
"""
