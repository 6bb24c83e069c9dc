"""The settings refuse to start unsafely, and are strict wherever others can reach the site."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
KEY = "a-secret-that-is-long-enough-for-a-signature-0123456789"
PRODUCTION = {
    "SECRET_KEY": KEY,
    "DATABASE_URL": "postgresql://atelier:secret@database.example:5432/atelier",
    "ALLOWED_HOSTS": "atelier.example",
}
SHOW = """
import json
from studio import settings
names = [name for name in dir(settings) if name.isupper()]
print(json.dumps({name: getattr(settings, name) for name in names}, default=lambda _: None))
"""


def settings_with(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The settings as a new process reads them, from nothing but this environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env=kept | {"ATELIER_DATA": str(tmp_path / "data")} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"DATABASE_URL": "sqlite:///atelier.sqlite3"}, "PostgreSQL"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"STUDIO_TIME_ZONE": "Guatemala City"}, "STUDIO_TIME_ZONE"),
        ({"ATELIER_BACKUPS_KEPT": "0"}, "ATELIER_BACKUPS_KEPT"),
    ],
)
def test_production_refuses_to_start_without(changed, message, tmp_path):
    told = settings_with(tmp_path, **PRODUCTION | changed)
    assert told.returncode != 0
    assert message in told.stderr.splitlines()[-1]


def test_production_is_strict(tmp_path):
    read = json.loads(settings_with(tmp_path, **PRODUCTION).stdout)
    assert read["DEBUG"] is False
    assert read["SESSION_COOKIE_SECURE"] and read["CSRF_COOKIE_SECURE"] and read["SECURE_SSL_REDIRECT"]
    assert read["SECURE_HSTS_SECONDS"] >= 30 * 24 * 3600
    assert read["AXES_ENABLED"]
    assert "Argon2" in read["PASSWORD_HASHERS"][0]
    assert read["DATABASES"]["default"]["CONN_MAX_AGE"] == 600
    assert not (tmp_path / "data").exists()


def test_headers_of_a_proxy_are_believed_only_when_told(tmp_path):
    read = json.loads(settings_with(tmp_path, **PRODUCTION).stdout)
    assert not read["TRUST_PROXY_HEADERS"] and "SECURE_PROXY_SSL_HEADER" not in read
    read = json.loads(settings_with(tmp_path, **PRODUCTION, TRUST_PROXY_HEADERS="true").stdout)
    assert read["TRUST_PROXY_HEADERS"] and read["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_nothing_given_is_for_this_machine_only(tmp_path):
    read = json.loads(settings_with(tmp_path).stdout)
    assert read["DEBUG"] is False
    assert set(read["ALLOWED_HOSTS"]) == {"127.0.0.1", "localhost", "[::1]"}
    assert len(read["SECRET_KEY"]) >= 50
    assert read["SECRET_KEY"] == json.loads(settings_with(tmp_path).stdout)["SECRET_KEY"]


def test_policy_allows_no_inline_script_and_no_other_host(tmp_path):
    policy = json.loads(settings_with(tmp_path, **PRODUCTION).stdout)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert policy["default-src"] == ["'none'"]
    allowed = {source for sources in policy.values() for source in sources}
    assert allowed == {"'none'", "'self'", "data:"}
    assert [name for name, sources in policy.items() if "data:" in sources] == ["img-src"]


def test_a_task_is_never_taken_twice_because_it_waited(tmp_path):
    cluster = json.loads(settings_with(tmp_path).stdout)["Q_CLUSTER"]
    assert cluster["queue_limit"] <= cluster["workers"]
    assert cluster["retry"] > cluster["timeout"] * 2
    assert "redis" in json.loads(settings_with(tmp_path, REDIS_URL="redis://localhost:6379/0").stdout)["Q_CLUSTER"]
