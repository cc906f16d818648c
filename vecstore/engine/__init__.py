"""What is done: the verbs that write, apply, recover and answer.

Invariants of the whole, each kept by the module named:

1. Every acknowledged operation is in the log or wholly applied (or refused); never half.        ``writer``
2. Every live vector is in exactly one live row of one segment. One transaction moves it.        ``rows``
3. Segment files are immutable, and synced with their folder before the manifest names them.     ``sealer``
4. There is one applied position; all in memory is derived from the same transactions.           ``state``
5. ``apply`` is one function, live and at recovery; it decides by reading, then writes.          ``apply``
6. A reader sees the state between two operations, never inside one.                             ``version``
7. Whatever takes entries out of the journal counts another manifest, by which readers go.       ``follower``
"""
