"""The use cases, one package for each noun.

A method takes an `Actor` and plain values. It returns values of `router.model` or frozen dataclasses of its module.
Validation, state rules and permissions that depend on the object are decided here. The role that a call requires is
checked by the API and the command line. Objects of another workspace are reported as `not_found`. Errors are
`router.errors.Refused`. Each change is recorded in the audit log within its transaction.
"""
