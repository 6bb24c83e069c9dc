#!/usr/bin/env python3
"""From nothing to a served demo (`python3 run.py`) or to the test result (`python3 run.py test`).

Needs Python 3.11 or newer with `venv`, and nothing else: the standard library only. What is needed
besides is installed into .venv, exactly as requirements.lock says.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python has to be told, too
    sys.exit(f"Atelier needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"

USAGE = """\
python3 run.py [demo] [--port 8000] [--data DIR] [--no-demo-data]   serve on this machine
python3 run.py test [pytest's arguments]                            the whole suite
python3 run.py check                                                everything that is not a test
"""
# A command is offered once there are tests for it.
PARTS = {
    "races": ("tests/races", "many at once, each race with its control"),
    "faults": ("tests/faults", "what happens when a part fails"),
    "browser": ("tests/browser", "the pages in Chromium"),
    "bench": ("tests/bench", "figures of speed and size"),
}


def main() -> None:
    arguments = sys.argv[1:]
    command = "demo"
    if arguments and not arguments[0].startswith("-"):
        command = arguments.pop(0)
    elif arguments and arguments[0] in ("-h", "--help"):
        print(usage())
        return
    os.chdir(ROOT)
    if command == "demo":
        install()
        become(PYTHON, "manage.py", "demo", *arguments)
    elif command == "test":
        install()
        compile_once()
        # Who has finished takes over from the others: some files hold minutes of work.
        spread = ("-n", str(min(os.cpu_count() or 2, 8)), "--dist", "worksteal")
        become(PYTHON, "-m", "pytest", *spread, *arguments)
    elif command == "check":
        install()
        sys.exit(check())
    elif command in PARTS and exists(command):
        install()
        compile_once()
        os.environ.setdefault("RACE_ALL", "1")  # what the whole suite has no time for
        # One process: these use all of the machine themselves.
        become(PYTHON, "-m", "pytest", "-s", PARTS[command][0], *arguments)
    else:
        sys.exit(f"There is no command `{command}`.\n\n{usage()}")


def usage() -> str:
    lines = [f"python3 run.py {name:<52} {what}" for name, (_, what) in PARTS.items() if exists(name)]
    return USAGE + "\n".join(lines)


def exists(part: str) -> bool:
    return any((ROOT / PARTS[part][0]).glob("test_*.py"))


def compile_once() -> None:
    """The tests start Python a hundred times, which takes four times as long where compiled files are not kept."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def become(*command: str | Path) -> None:
    """Go on as another program: signals and the exit code need no passing on."""
    sys.stdout.flush()
    os.execv(command[0], [str(each) for each in command])


# --- Installing ---------------------------------------------------------------------------


def install() -> None:
    """Have .venv hold what requirements.lock says, for this Python. At once when it does."""
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == wanted:
            return
        begun = time.monotonic()
        print("Installing what Atelier needs into .venv ...", flush=True)
        STAMP.unlink(missing_ok=True)
        if version_of(PYTHON) != sys.version:
            shutil.rmtree(VENV, ignore_errors=True)
        if not (install_with_uv() or install_with_pip()):
            sys.exit("The requirements could not be installed; the messages are above.")
        STAMP.write_text(wanted)
        print(f"Installed in {time.monotonic() - begun:.1f} s.", flush=True)


def version_of(python: Path) -> str:
    """The full version of an interpreter; empty when it does not run."""
    try:
        asked = [str(python), "-c", "import sys; print(sys.version)"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def make_venv(*, with_pip: bool) -> None:
    import venv

    if with_pip and not has_pip():
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)])
        if made.returncode != 0:
            sys.exit("Python cannot make a virtual environment here: install python3-venv.")
    elif not PYTHON.exists():
        venv.create(VENV, with_pip=False, symlinks=True)


def has_pip() -> bool:
    asked = [str(PYTHON), "-m", "pip", "--version"]
    return PYTHON.exists() and subprocess.run(asked, capture_output=True).returncode == 0


def install_with_uv() -> bool:
    """uv is several times faster than pip: from PATH, or at its locked version into .venv."""
    uv = shutil.which("uv") or (str(VENV / "bin" / "uv") if version_of(PYTHON) else "")
    if not uv or not Path(uv).exists():
        make_venv(with_pip=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
            only_uv.write(locked("uv"))
            only_uv.flush()
            if not pip("install", "--require-hashes", "--no-deps", "-r", only_uv.name, quiet=True):
                return False
        uv = str(VENV / "bin" / "uv")
    make_venv(with_pip=False)
    command = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    # An index or a cache that uv does not get on with: pip reads other settings and may do.
    return subprocess.run([*command, "--require-hashes", "-r", str(LOCK)]).returncode == 0


def install_with_pip() -> bool:
    make_venv(with_pip=True)
    return pip("install", "--require-hashes", "-r", str(LOCK))


def pip(*arguments: str, quiet: bool = False) -> bool:
    command = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, stderr=subprocess.DEVNULL if quiet else None).returncode == 0


def locked(name: str) -> str:
    """The lines of requirements.lock for one package: its version and its hashes."""
    found = re.search(rf"^{name}==.*(?:\n    .*)*", LOCK.read_text(), re.MULTILINE)
    return found[0] + "\n" if found else ""


# --- Checking -----------------------------------------------------------------------------


def check() -> int:
    """Run every check, also after one has failed. 0 when all are content."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="atelier-check-") as data:
        local = {"ATELIER_DATA": data}
        checks: list[tuple[str, Callable[[], bool]]] = [
            ("ruff check", lambda: tool("ruff", "check", ".")),
            ("ruff format", lambda: tool("ruff", "format", "--check", ".")),
            ("layers", lambda: tool("lint-imports", "--no-cache")),
            ("templates", lambda: tool("djlint", "templates", "--lint", "--quiet")),
            ("migrations", lambda: manage("makemigrations", "--check", "--dry-run", env=local)),
            ("deployment", deployment),
            ("translations", lambda: manage("check_translations", env=local)),
            ("states", lambda: states(local)),
            ("lock file", lock_file_is_current),
            ("addresses", no_registry_address),
        ]
        for name, run in checks:
            begun = time.monotonic()
            content = run()
            print(f"{'ok    ' if content else 'FAILED'} {name} ({time.monotonic() - begun:.1f} s)")
            sys.stdout.flush()
            if not content:
                failed.append(name)
    print(f"{len(checks) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def shown(command: list[str], env: dict[str, str] | None = None) -> bool:
    """Run it; its output is shown only when it fails."""
    ran = subprocess.run(
        command,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ran.returncode != 0:
        print(ran.stdout.rstrip())
    return ran.returncode == 0


def tool(name: str, *arguments: str) -> bool:
    return shown([str(VENV / "bin" / name), *arguments])


def manage(*arguments: str, env: dict[str, str]) -> bool:
    return shown([str(PYTHON), "manage.py", *arguments], env)


def deployment() -> bool:
    """Django's own list for production, with settings as in production."""
    production = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ALLOWED_HOSTS": "atelier.example",
        "DATABASE_URL": "postgresql://atelier@database.example/atelier",
        "DEBUG": "false",
    }
    return manage("check", "--deploy", "--fail-level", "WARNING", env=production)


def states(local: dict[str, str]) -> bool:
    """docs/states.md is what the transition tables say."""
    if not (ROOT / "sessions_app/management/commands/render_states.py").exists():
        print("There are no tables of states yet.")
        return True
    return manage("render_states", "--check", env=local)


def lock_file_is_current() -> bool:
    """requirements.lock is what resolving pyproject.toml from its own pins gives (ADR 0002)."""
    uv = shutil.which("uv") or str(VENV / "bin" / "uv")
    if not Path(uv).exists():
        print("Not compared: uv is not here.")
        return True
    with tempfile.TemporaryDirectory() as place:
        again = Path(place) / LOCK.name
        shutil.copy(LOCK, again)  # its pins are kept where they still satisfy
        if not shown([uv, *LOCKING, "--output-file", str(again), "--quiet"]):
            return False
        was, now = pins(LOCK.read_text()), pins(again.read_text())
    for line in sorted(was ^ now):
        print(f"requirements.lock {'should not have' if line in was else 'lacks'} {line}")
    return was == now


LOCKING = [
    *("pip", "compile", "pyproject.toml", "--group", "test", "--group", "check"),
    *("--universal", "--generate-hashes", "--no-annotate", "--no-header"),
]


def pins(text: str) -> set[str]:
    """The versions without the hashes: a file added to a release later changes only those."""
    return {line.rstrip(" \\") for line in text.splitlines() if re.match(r"\w", line)}


def no_registry_address() -> bool:
    """Which index packages come from is the business of the machine, never of the repository."""
    named = [
        line
        for line in LOCK.read_text().splitlines()
        if "://" in line or line.startswith("-")  # an address, or an option such as an index's
    ]
    for line in named:
        print(f"requirements.lock: {line}")
    return not named


if __name__ == "__main__":
    main()
