"""The use cases: one package for each noun.

Every method takes the `Actor` who asks and plain values, and returns values of `router.model` or small frozen ones of
its module. All decisions are made here: what is valid, what may be done to the thing as it is now, and, where that
depends on the thing, by whom. What an actor's role may do at all is the doors' business (each call names its role).
Everything is seen from the actor's workspace: what belongs to another one is `not_found`. Refusals are
`router.errors.Refused`; changes are written to the audit in the transaction that makes them.
"""
