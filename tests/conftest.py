"""One throw-away PostgreSQL for the whole run, shared by all of pytest-xdist's workers.

The process that the person started (the controller) starts and removes it; each worker makes its
own database in it. With DATABASE_URL set, that server is used instead.
"""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test import TransactionTestCase

from studio import embedded, postgres

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# At the end of the name of a test database: the copy that was made of it before the first test.
AS_MIGRATED = "_as_migrated"
CLUSTER = pytest.StashKey[embedded.Cluster]()


def pytest_configure(config: pytest.Config) -> None:
    """Have a server before the first worker starts; workers inherit its address."""
    is_worker = hasattr(config, "workerinput")
    if not is_worker and not os.environ.get("DATABASE_URL") and not config.option.collectonly:
        cluster = embedded.throwaway_cluster()
        config.stash[CLUSTER] = cluster
        config.add_cleanup(cluster.remove)  # also after Ctrl-C, and when starting failed
        cluster.start()
        os.environ["DATABASE_URL"] = cluster.url()
        config.add_cleanup(lambda: os.environ.pop("DATABASE_URL", None))
    _point_django_at(os.environ.get("DATABASE_URL", ""))


def _point_django_at(url: str) -> None:
    """pytest-django has read the settings already, before any conftest could start a server."""
    if url:
        import environ
        from django.conf import settings

        told = environ.Env.db_url_config(url)
        default = settings.DATABASES["default"]
        default.update({key: told.get(key, "") for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")})
        default["OPTIONS"] = told.get("OPTIONS", {})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Chromium the browser tests are skipped on a developer's machine, never in CI."""
    if CHROMIUM or os.environ.get("CI", "").lower() in ("1", "true"):
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="Chromium is not installed here"))


def pytest_collection_finish() -> None:
    _search_less_for_garbage()


def _search_less_for_garbage() -> None:
    """What has been imported by now stays until the end, and need not be looked through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 50, 20)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What a test has committed is undone by statements of our own: every table is again as the migrations left it.

    Django empties the tables instead, by a TRUNCATE that makes some 200 files anew, and has content types, permissions
    and roles written again, under other ids; that takes ten times as long.
    """
    with django_db_blocker.unblock():
        usual = connection.settings_dict["NAME"]
        # pytest-django makes none where no test is marked: those of faults only copy it.
        is_lacking = not usual.startswith(TEST_DATABASE_PREFIX)
        if is_lacking:
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        template = _copy_of_the_database()
        undo = _remember_rows()
    _search_less_for_garbage()  # nor need what was loaded for the migrations be looked at
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: _run(undo))
        yield
    with django_db_blocker.unblock():
        _on_the_server(f"DROP DATABASE {template} WITH (FORCE)")
        if is_lacking:
            connection.creation.destroy_test_db(usual, verbosity=0)


def _copy_of_the_database() -> str:
    """A migrated database that nobody is ever connected to: from it another one is made in a moment."""
    name = connection.settings_dict["NAME"]
    template = f"{name}{AS_MIGRATED}"
    connection.close()
    _on_the_server(f"DROP DATABASE IF EXISTS {template} WITH (FORCE)", f"CREATE DATABASE {template} TEMPLATE {name}")
    return template


def _on_the_server(*statements: str) -> None:
    with connection._nodb_cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _remember_rows() -> str:
    """Keep a copy of all rows that there are; the statements that bring each table back to them."""
    names = [connection.ops.quote_name(name) for name in connection.introspection.django_table_names()]
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS as_migrated CASCADE; CREATE SCHEMA as_migrated")
        filled = []
        for name in names:
            cursor.execute(f"CREATE TABLE as_migrated.{name} AS TABLE public.{name}")
            if cursor.rowcount:
                filled.append(name)
    # The books refuse to be deleted, and what refers to what is of no importance when all of it goes.
    undo = ["SET session_replication_role = replica", *(f"DELETE FROM public.{name}" for name in names)]
    undo += [f"INSERT INTO public.{name} TABLE as_migrated.{name}" for name in filled]
    return ";\n".join([*undo, "SET session_replication_role = DEFAULT"])


def _run(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)


@pytest.fixture(scope="session")
def fill_as_migrated(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    """Fills the empty database of an address with all that the migrations make, in a fifth of the time they take."""
    from studio.backups import back_up

    ours = postgres.Server.of_settings()
    source = replace(ours, database=f"{ours.database}{AS_MIGRATED}")
    dump = back_up(tmp_path_factory.mktemp("as-migrated") / "backups", server=source, verify=False).path

    def fill(url: str) -> None:
        told = psycopg.conninfo.conninfo_to_dict(url)
        name = str(told.pop("dbname"))
        place = postgres.Server({key: str(value) for key, value in told.items()}, name)
        postgres.programs(max(ours.major, place.major)).load(place, name, dump)

    return fill


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program. CI without one is broken, and says so."""
    if CHROMIUM is None:
        pytest.fail("Chromium is not installed, and this is CI: .ci/run has to install it.")
    return CHROMIUM
