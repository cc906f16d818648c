"""THE COMMAND LINE: look at a collection, fill it and care for it from a shell.

    run        the command, its exit codes, and errors as one line
    asking     info, count, get, scroll, search: commands that read
    keeping    import, export, index, optimize: commands that take long
    options    what commands have in common: opening, filters, ids, vectors
    output     tables for people, JSON for programs

Extra ``cli``: click for arguments, rich for tables, tqdm for progress.
"""
