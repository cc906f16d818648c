"""What vecstore costs, measured: ``python -m benchmarks [BENCHMARK ...] [--data FOLDER] [--rows N]``.

- ``ingest``: bulk loading beside a bare loop over LMDB, msgpack and FAISS.
- ``compare``: loading, building, searching and reading beside that loop and beside other embedded stores.
- ``million``: the same for a million synthetic points; by default beside the loop alone (``--subjects``).
- ``beside``: readers in processes of their own, with a writer beside them and without.

The default is ``ingest compare``. Every subject runs in processes of its own, one after the other, and is clocked by
the same code; whose library is not installed is left out (the extra ``bench`` has them all). Comparisons are also
written into ``benchmarks/results``. A subject of ``ingest`` is a ``subject.Subject``, of a comparison a
``subject.Peer``; a benchmark is a function in ``__main__.BENCHMARKS`` that returns Markdown.
"""
