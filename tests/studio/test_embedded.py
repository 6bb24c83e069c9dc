"""The life cycle of the embedded PostgreSQL. Real servers, in directories of their own."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from studio import embedded
from studio.embedded import Cluster

ROOT = Path(__file__).parent.parent.parent

# A process that uses the cluster and then only waits to be killed.
USE_AND_WAIT = """
import sys, time
from pathlib import Path
from studio.embedded import Cluster
cluster = Cluster(Path(sys.argv[1]), throwaway=True)
cluster.start()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A new directory that an unprivileged account can pass through (pytest's own is closed)."""
    place = Path(tempfile.mkdtemp(prefix="atelier-life-"))
    place.chmod(0o711)
    yield place
    for lock in list(place.rglob("users")):
        Cluster(lock.parent, throwaway=True).remove()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """The data directory of a cluster that was made once and has stopped."""
    # Not under the name of a throw-away cluster: stopped, it would look like one left behind.
    place = Path(tempfile.mkdtemp(prefix="atelier-made-"))
    cluster = Cluster(place, throwaway=True)
    with cluster:
        pass
    yield cluster.data.resolve()
    cluster.remove()


@pytest.fixture
def data(directory: Path, made: Path) -> Path:
    """A directory with a copy of it: making a new one takes a second each time."""
    (directory / "data").mkdir(mode=0o711)
    subprocess.run(["cp", "-a", made, directory / "data" / "pgdata"], check=True)
    return directory / "data"


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """A running cluster for the tests that leave it as they found it."""
    cluster = embedded.throwaway_cluster()
    cluster.start()
    yield cluster
    cluster.remove()


def ask(cluster: Cluster, question: str) -> object:
    with psycopg.connect(cluster.url()) as asked:
        return asked.execute(question).fetchone()[0]


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


@pytest.mark.django_db
def test_tests_run_on_a_cluster_that_never_waits_for_the_disk():
    if connection.settings_dict["USER"] != embedded.USER:
        pytest.skip("DATABASE_URL names a server of its own")
    with connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        assert cursor.fetchone() == ("off",)


def test_server_listens_on_a_private_socket_only(shared):
    assert ask(shared, "SHOW listen_addresses") == ""
    mode = shared.socket_directory.stat().st_mode
    assert stat.S_IMODE(mode) == 0o700
    assert len(list(shared.socket_directory.glob(".s.PGSQL.*[0-9]"))) == 1


def test_text_is_sorted_and_folded_alike_on_every_machine(shared):
    found = ask(
        shared,
        "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname='atelier'",
    )
    assert found == "b C.UTF-8"
    assert ask(shared, "SELECT lower('ÑANDÚ')") == "ñandú"


def test_server_does_not_run_as_root(shared):
    owner = Path(f"/proc/{postmaster(shared)}")
    if not owner.exists():
        pytest.skip("no /proc here")
    assert owner.stat().st_uid != 0


def test_last_one_out_stops_the_server(data):
    first, second = (Cluster(data, throwaway=True) for _ in range(2))
    first.start()
    second.start()
    first.stop()
    assert second.is_ready()
    second.stop()
    assert not second.is_ready()


def test_starting_again_finds_what_was_written(data):
    cluster = Cluster(data)
    with cluster, psycopg.connect(cluster.url()) as writer:
        writer.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with cluster:
        assert ask(cluster, "SELECT number FROM kept") == 7


def test_survivor_of_kill_nine_is_adopted(data):
    user = subprocess.Popen(
        [sys.executable, "-c", USE_AND_WAIT, str(data)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert user.stdout.readline() == b"ready\n"
    user.kill()
    user.wait()
    cluster = Cluster(data, throwaway=True)
    survivor = postmaster(cluster)
    with cluster:
        assert postmaster(cluster) == survivor
        assert ask(cluster, "SELECT 1") == 1
    assert not cluster.is_ready()


def test_start_after_the_server_itself_was_killed(data):
    cluster = Cluster(data, throwaway=True)
    cluster.start()
    killed = postmaster(cluster)
    os.kill(killed, signal.SIGKILL)
    assert (cluster.data / "postmaster.pid").exists()  # the stale lock file of the dead one
    again = Cluster(data, throwaway=True)
    with again:
        assert postmaster(again) != killed
        assert ask(again, "SELECT 1") == 1
    cluster.stop()


def test_start_when_the_socket_of_a_living_server_was_deleted(data, monkeypatch):
    monkeypatch.setattr(embedded, "START_FOR_SECONDS", 4.0)
    cluster = Cluster(data, throwaway=True)
    cluster.start()
    shutil.rmtree(cluster.socket_directory)
    with Cluster(data, throwaway=True) as again:
        assert ask(again, "SELECT 1") == 1
        cluster.stop()


def test_path_too_long_for_a_socket(directory):
    deep = directory.joinpath(*["a-folder-with-a-long-name"] * 5)
    with Cluster(deep, throwaway=True) as cluster:
        assert len(str(deep)) > embedded.LONGEST_SOCKET_DIRECTORY
        assert ask(cluster, "SELECT 1") == 1
        assert stat.S_IMODE(cluster.socket_directory.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")
def test_directory_closed_to_the_account_of_the_server(directory):
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    cluster = Cluster(closed / "data", throwaway=True)
    with cluster:
        assert ask(cluster, "SELECT 1") == 1
        place = cluster.data.resolve()
        assert directory not in place.parents
    cluster.remove()
    assert not place.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")
def test_programs_in_a_closed_directory_are_copied_once(directory, monkeypatch):
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    (closed / "bin").mkdir()
    (closed / "bin" / "postgres").write_text("#!/bin/sh\n")
    monkeypatch.setattr(embedded, "_open_place", lambda: directory)
    copy = embedded._copied_for_others(closed / "bin")
    assert directory in copy.parents
    assert closed not in copy.parents
    assert embedded._copied_for_others(closed / "bin") == copy
    assert not list(directory.glob("*.new-*"))


def test_half_made_cluster_is_made_again(directory):
    left = directory / "data" / "pgdata.new-1"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")
    with Cluster(directory / "data", throwaway=True) as cluster:
        assert ask(cluster, "SELECT 1") == 1
    assert not left.exists()


def test_data_of_another_version_are_refused_with_a_way_out(directory):
    (directory / "data" / "pgdata").mkdir(parents=True)
    (directory / "data" / "pgdata" / "PG_VERSION").write_text("12\n")
    with pytest.raises(embedded.EmbeddedError, match="ATELIER_PG_BIN"):
        Cluster(directory / "data").start()


def test_two_who_start_at_once_share_one_server(directory):
    clusters = [Cluster(directory / "data", throwaway=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Cluster.start, clusters))
    assert {ask(cluster, "SHOW data_directory") for cluster in clusters} == {str(clusters[0].data.resolve())}
    for cluster in clusters:
        cluster.stop()
    assert not clusters[0].is_ready()


def test_clusters_of_killed_test_runs_are_removed(directory, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    left = directory / f"{embedded.THROWAWAY_PREFIX}left"
    in_use = Cluster(directory / f"{embedded.THROWAWAY_PREFIX}used", throwaway=True)
    for place in (left, in_use.directory):
        place.mkdir()
        (place / "users").touch()
        os.utime(place, (0, 0))
    just_made = directory / f"{embedded.THROWAWAY_PREFIX}new"
    just_made.mkdir()
    in_use._enter()
    new = embedded.throwaway_cluster()
    assert not left.exists()
    assert in_use.directory.exists()
    assert just_made.exists()
    assert new.directory.exists()
    in_use._leave()


def test_secret_key_is_made_once_and_private(directory):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: embedded.secret_key(directory / "data"), range(8)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    mode = (directory / "data" / "secret_key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
