"""What vecstore costs, measured: ``python -m benchmarks [ingest] [--data FOLDER] [--rows N]``.

Every subject runs in a process of its own and is clocked by the same code. A subject is a class with the
methods of ``subject.Subject``; a benchmark is a function in ``__main__.BENCHMARKS`` that returns Markdown.
"""
