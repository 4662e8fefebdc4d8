"""The settings of Email Router: read once at start and passed on as frozen values.

Only this package reads settings from the environment, systemd credentials and the configuration file. The package
imports no other package of the program.
"""
