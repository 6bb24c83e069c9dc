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
    "doctor",  # starts it only where there is one, and tells when it does not start
    "findstatic",
    "help",
    "makemessages",
    "startapp",
    "version",
}
# Commands that are run beside a demo that serves, and have to see mail and settings as its processes do.
BESIDE_THE_DEMO = {"deliver_outbox", "doctor", "run_job"}


def main() -> None:
    """Run one command. The embedded server stops when its last user has gone."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    from django.core.management import execute_from_command_line

    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in BESIDE_THE_DEMO and not os.environ.get("DATABASE_URL"):
        join_demo(sys.argv[2:])
    if os.environ.get("DATABASE_URL") or command in WITHOUT_DATABASE or command.startswith("-"):
        database = nullcontext()
    else:
        from studio import embedded

        database = embedded.Cluster(embedded.data_directory(Path(__file__).parent))
    with database:
        execute_from_command_line(sys.argv)


def join_demo(arguments: list[str]) -> None:
    """Have the settings, which come from the environment, be those of the demo that serves from this data directory."""
    from argparse import ArgumentParser

    from studio import embedded

    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data")
    told, _others = parser.parse_known_args(arguments)
    if told.data:
        os.environ["ATELIER_DATA"] = told.data
    for name, value in embedded.demo_environment(embedded.data_directory(Path(__file__).parent)).items():
        os.environ.setdefault(name, value)


if __name__ == "__main__":
    main()
