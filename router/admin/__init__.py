"""The use cases, one package for each subject.

A method takes an `Actor` and plain values. Validation, state rules and permissions that depend on the object are
decided here, and the callers check the role. Objects of another workspace are treated as nonexistent. Errors are
`router.errors.Refused`.
"""
