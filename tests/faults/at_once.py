"""One of several processes that wait at a line and are released together: `python -m tests.faults.at_once COMMAND ...`.

The line is an advisory lock that the test holds until all have come.
"""

import os
import sys

LINE = 20260302

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.utils.module_loading import import_string

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [LINE])
    name, *arguments = sys.argv[1:]
    if "." in name:
        import_string(name)(*map(int, arguments))
    else:
        call_command(name, *arguments)
