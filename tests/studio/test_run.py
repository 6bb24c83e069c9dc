"""run.py: what it offers, and that what it installs is pinned and names no index."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run", ROOT / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
    """run.py as a person calls it, with a Python that has nothing installed."""
    return subprocess.run(
        [sys.executable, "-S", "-E", "run.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_help_needs_nothing_installed_and_names_the_commands():
    told = asked("--help")
    assert told.returncode == 0
    for command in ("demo", "test", "check"):
        assert command in told.stdout


def test_unknown_command_is_refused_with_what_there_is():
    told = asked("tset")
    assert told.returncode != 0
    assert "`tset`" in told.stderr
    assert "run.py test" in told.stderr


def test_part_without_tests_is_not_offered(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "ROOT", tmp_path)
    assert "races" not in run.usage()
    (tmp_path / "tests" / "races").mkdir(parents=True)
    (tmp_path / "tests" / "races" / "test_rooms.py").touch()
    assert "run.py races" in run.usage()


def test_every_requirement_is_pinned_with_hashes(run):
    lock = run.LOCK.read_text()
    names = [pin.split("==")[0] for pin in run.pins(lock)]
    assert "django" in names
    for name in names:
        block = run.locked(name)
        assert "==" in block.splitlines()[0]
        assert "--hash=sha256:" in block, name


def test_lock_names_no_index(run, monkeypatch, tmp_path):
    assert run.no_registry_address()
    named = tmp_path / "requirements.lock"
    named.write_text("--index-url https://index.example/simple\ndjango==5.2\n")
    monkeypatch.setattr(run, "LOCK", named)
    assert not run.no_registry_address()


def test_installed_environment_is_used_at_once(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run, "STAMP", tmp_path / ".installed")
    monkeypatch.setattr(run, "version_of", lambda _: sys.version)
    installed = []
    monkeypatch.setattr(run, "install_with_uv", lambda: installed.append("uv") or True)
    run.install()
    run.install()
    assert installed == ["uv"]
    monkeypatch.setattr(run, "LOCK", tmp_path / "other.lock")
    run.LOCK.write_text("django==5.2")
    run.install()
    assert installed == ["uv", "uv"]


def test_failed_installation_is_not_taken_for_done(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run, "STAMP", tmp_path / ".installed")
    monkeypatch.setattr(run, "version_of", lambda _: sys.version)
    monkeypatch.setattr(run, "install_with_uv", lambda: False)
    monkeypatch.setattr(run, "install_with_pip", lambda: False)
    with pytest.raises(SystemExit):
        run.install()
    assert not run.STAMP.exists()


def test_bare_and_optioned_call_both_mean_the_demo(run, monkeypatch):
    became = []
    monkeypatch.setattr(run, "install", lambda: None)
    monkeypatch.setattr(run, "become", lambda *command: became.append(command[1:]))
    for arguments in ([], ["--port", "8011"], ["demo", "--port", "8011"]):
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        run.main()
    assert became[0] == ("manage.py", "demo")
    assert became[1] == became[2] == ("manage.py", "demo", "--port", "8011")
    os.chdir(ROOT)
