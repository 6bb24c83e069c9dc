"""Files of clients and appointments: read, matched to our columns, tried out, written (all or nothing).

``reading`` and ``values`` take text apart, ``columns`` say what a file may hold, ``writing`` does what the forms would
do, row by row, ``acts`` are the steps of a person, ``task`` is what the worker calls.
"""
