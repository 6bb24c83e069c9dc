"""`manage.py demo` from the outside: it serves, survives kill -9, and leaves nothing behind.

The first test is one long story because each start costs seconds.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from studio.embedded import Cluster

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def data() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="atelier-demo-"))
    place.chmod(0o711)
    yield place / "data"
    Cluster(place / "data").stop()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(data: Path, port: int, *arguments: str) -> subprocess.Popen[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "SECRET_KEY") and not name.startswith("PYTEST")
    }
    command = [sys.executable, "manage.py", "demo", "--data", str(data), "--port", str(port)]
    return subprocess.Popen(
        [*command, "--no-demo-data", *arguments],
        cwd=ROOT,
        env=inherited,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def line_of(owner: subprocess.Popen[str], beginning: str) -> str:
    """Its next line that begins so. It ends when the owner does: no wait without an end."""
    seen = []
    for line in owner.stdout:
        seen.append(line)
        if line.startswith(beginning):
            return line.strip()
    pytest.fail("The demo ended:\n" + "".join(seen))


def page_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except OSError:
        return False


def processes_about(place: Path) -> list[str]:
    """The living processes that were started for this data directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if os.fsencode(place) in told and state != "Z":
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_demo_serves_survives_a_kill_refuses_a_second_and_stops_without_a_rest(data, port):
    owner = start(data, port)
    assert line_of(owner, "Serving on") == f"Serving on http://127.0.0.1:{port}"
    assert page_answers(port)
    server = (data / "pgdata" / "postmaster.pid").read_text().split()[0]
    owner.send_signal(signal.SIGKILL)
    owner.wait()

    owner = start(data, port)
    line_of(owner, "Serving on")
    assert (data / "pgdata" / "postmaster.pid").read_text().split()[0] == server
    assert page_answers(port)

    second = start(data, port + 1)
    told, _ = second.communicate(timeout=30)
    assert second.returncode != 0
    assert "serves from" in told

    begun = time.monotonic()
    owner.terminate()
    assert owner.wait(20) == 0
    assert time.monotonic() - begun < 10
    assert processes_about(data) == []
    assert not Cluster(data).is_ready()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "studio.example"])
def test_known_passwords_are_refused_on_an_address_that_others_reach(host, data):
    with pytest.raises(CommandError, match="passwords"):
        call_command("demo", host=host, data=data)
    assert not data.exists()


def test_known_passwords_are_refused_in_public_also_when_loaded_before(data):
    data.mkdir()
    (data / "sign-ins.txt").write_text("somebody")
    with pytest.raises(CommandError, match="passwords"):
        call_command("demo", host="0.0.0.0", data=data, no_demo_data=True)
