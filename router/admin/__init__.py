"""The use cases, grouped by subject.

Most methods take an `Actor` and plain values. They validate the values, and check state rules and permissions that
depend on the object. The callers check the role. Objects of another workspace are treated as nonexistent. A refused
request raises `router.errors.Refused`.
"""
