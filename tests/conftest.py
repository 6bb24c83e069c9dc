"""One throw-away PostgreSQL for the whole run, shared by all of pytest-xdist's workers.

The process that the person started (the controller) starts and removes it; each worker makes its
own database in it. With DATABASE_URL set, that server is used instead.
"""

import os
import shutil

import pytest

from studio import embedded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
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


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program. CI without one is broken, and says so."""
    if CHROMIUM is None:
        pytest.fail("Chromium is not installed, and this is CI: .ci/run has to install it.")
    return CHROMIUM
