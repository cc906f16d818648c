"""IN BULK: from any source into a collection, and from a collection into a file.

    batches   points of any form, cut into batches
    upload    batches into a collection, several under way, and how far it came
    files     which format a file has; what a file says of its collection; export and load
    jsonl  arrow  npz    one format each: how pages of records are written, and batches read
    progress  a bar

Everything is streamed: memory does not grow with the number of points.
"""
