"""The use cases, one package for each subject.

A method takes an `Actor` and plain values. It returns values of `router.model` or frozen dataclasses of its module.
Validation, state rules and permissions that depend on the object are decided here. The API and the dashboard check the
role that a call requires; the command line acts as an admin. Objects of another workspace are treated as nonexistent.
Errors are `router.errors.Refused`. The audit log records sign-ins and changes of the configuration; events of the
ticket record changes of tickets.
"""
