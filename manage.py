#!/usr/bin/env python3
"""Django's commands; where no DATABASE_URL is set, with the embedded PostgreSQL beside them."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

# Commands that ask the database nothing, so that none has to be started for them.
WITHOUT_DATABASE = {
    "",
    "check",
    "check_translations",
    "collectstatic",
    "compile_translations",
    "demo",  # starts it itself, with its own data directory
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "startapp",
    "version",
}


def main() -> None:
    """Run one command. The embedded server stops when its last user has gone."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    from django.core.management import execute_from_command_line

    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if os.environ.get("DATABASE_URL") or command in WITHOUT_DATABASE or command.startswith("-"):
        database = nullcontext()
    else:
        from studio import embedded

        database = embedded.Cluster(embedded.data_directory(Path(__file__).parent))
    with database:
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
