"""The page about running it, the units, the proxies and the containers agree with the program and with each other."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from studio import jobs
from studio.conf import StudioConf, env_name
from tests.test_docs import as_written, rows

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "running.md").read_text()

# Set by the demo for its own children, and by nobody else.
INTERNAL = {"ATELIER_DEMO"}
# Of use on a developer's machine only.
NOT_FOR_A_SERVER = {"DEBUG", "ATELIER_DATA"}
# What compose.yaml itself asks for: the program does not read these.
OF_COMPOSE = {"POSTGRES_PASSWORD", "SITE", "ATELIER_VERSION"}

READ = re.compile(r"""(?:\benv(?:\.[a-z_]+)?|environ(?:\.get)?|getenv)[(\[]\s*["']([A-Z][A-Z0-9_]+)["']""")
SERVICES = ("atelier-web", "atelier-worker", "atelier-backup", "atelier-doctor")


def variables() -> set[str]:
    """Every environment variable that the program reads, but for the studio's constants."""
    sources = [ROOT / "gunicorn.conf.py", ROOT / "manage.py", *(ROOT / "studio").rglob("*.py")]
    read = {name for source in sources for name in READ.findall(source.read_text())}
    return read - INTERNAL


def constants() -> set[str]:
    return {env_name(each.name) for each in fields(StudioConf)}


def env_file(name: str) -> dict[str, str]:
    """The variables of an example, also those that stand there as a comment."""
    lines = (DEPLOY / name).read_text().splitlines()
    found = [re.match(r"(?:# )?([A-Z][A-Z0-9_]+)=(.*)", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit; one that is said twice has two values."""
    said: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            said.setdefault(key, []).append(value)
    return said


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def gunicorn() -> dict[str, Any]:
    before = list(sys.path)
    try:
        return runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    finally:
        sys.path[:] = before


# --- The environment ----------------------------------------------------------------------


def test_page_has_every_variable_and_no_other():
    told = {name for row in rows("running.md", 3) for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row[0])}
    assert told == variables()


def test_example_has_every_variable_and_constant():
    assert set(env_file("atelier.env.example")) == (variables() - NOT_FOR_A_SERVER) | constants()


def test_example_shows_the_defaults_of_the_constants():
    said = env_file("atelier.env.example")
    assert {name: said[name] for name in constants()} == {
        env_name(each.name): as_written(each.default) for each in fields(StudioConf)
    }


def test_examples_hold_no_secret():
    for name, variable in (
        ("atelier.env.example", "SECRET_KEY"),
        ("compose.env.example", "SECRET_KEY"),
        ("compose.env.example", "POSTGRES_PASSWORD"),
    ):
        assert env_file(name)[variable] == ""


def test_variables_of_the_containers_are_known():
    services = compose()["services"]
    ours = [service for service in services.values() if service.get("image", "").startswith("atelier:")]
    given = {name for service in ours for name in service["environment"]}
    assert given | (set(env_file("compose.env.example")) - OF_COMPOSE) <= variables()
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    assert asked <= OF_COMPOSE
    image = re.search(r"^ENV (.*)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    of_python = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert {pair.split("=")[0] for pair in image[1].split()} - of_python <= variables()


def test_nothing_in_the_compose_file_has_a_password_of_its_own():
    text = (ROOT / "compose.yaml").read_text()
    asked = re.findall(r"\$\{POSTGRES_PASSWORD(.*?)\}", text)
    assert asked and all(rest.startswith(":?") for rest in asked), "without one it must not start"
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            assert value.startswith("${") or not re.search("PASSWORD|SECRET", name)


# --- Commands and jobs --------------------------------------------------------------------


def test_commands_of_the_page_and_the_units_exist():
    text = PAGE + "".join((DEPLOY / "systemd" / f"{name}.service").read_text() for name in SERVICES)
    text += (ROOT / "Dockerfile").read_text() + (ROOT / "compose.yaml").read_text().replace('", "', " ")
    named = set(re.findall(r"manage\.py ([a-z_]+)", text))
    named |= set(re.findall(r"(?:^    |`)atelier ([a-z_]+)", PAGE, flags=re.MULTILINE))
    assert {"migrate", "doctor", "backup", "restore", "run_job", "qcluster", "createsuperuser"} <= named
    assert named - set(get_commands()) == set()


def test_page_has_every_job_at_its_hour():
    at = {row[0].strip("`"): row[1] for row in rows("running.md", 3) if re.fullmatch(r"`[a-z_]+`", row[0])}
    known = {job.name: "each minute" if job.at is None else f"{job.at:%H:%M}" for job in jobs.JOBS}
    known["back_up"] = "03:00"  # scheduled only where ATELIER_BACKUPS is set
    told = {name: when for name, when in at.items() if name in known}
    assert set(told) == set(known)
    assert all(told[name].startswith(when) for name, when in known.items())
    unknown = [name for name, when in at.items() if re.match(r"\d\d:\d\d", when) and name not in known]
    assert unknown == []


# --- Units --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_services_run_where_and_as_whom_the_page_says(name):
    said = unit(f"{name}.service")
    assert said["User"] == said["Group"] == ["atelier"]
    assert said["WorkingDirectory"] == ["/opt/atelier/current"]
    assert said["EnvironmentFile"] == ["/etc/atelier/atelier.env"]
    program = said["ExecStart"][0].split()[0]
    assert program.startswith("/opt/atelier/current/.venv/bin/")
    for place in ("/opt/atelier/current", "/etc/atelier/atelier.env", "/var/backups/atelier"):
        assert place in PAGE
    helper = (DEPLOY / "atelier").read_text()
    assert "--working-directory=/opt/atelier/current" in helper
    assert "EnvironmentFile=/etc/atelier/atelier.env" in helper


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_closed_in(service):
    said = unit(f"{service}.service")
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "RestrictNamespaces"):
        assert said[name] == ["yes"], name
    assert said["ProtectSystem"] == ["strict"]
    assert said["CapabilityBoundingSet"] == [""]
    writable = [place.removeprefix("-") for place in said.get("ReadWritePaths", [])]
    writes = service in ("atelier-worker", "atelier-backup")
    assert writable == (["/var/backups/atelier"] if writes else [])


def test_services_come_back_and_end_their_work_first():
    web, worker = unit("atelier-web.service"), unit("atelier-worker.service")
    # Also after a clean exit: so the worker's main process ends when its guard was killed.
    assert web["Restart"] == worker["Restart"] == ["always"]
    assert web["StartLimitIntervalSec"] == worker["StartLimitIntervalSec"] == ["0"]
    # To the whole group the signal would end tasks in their middle.
    assert web["KillMode"] == worker["KillMode"] == ["mixed"]
    assert int(web["TimeoutStopSec"][0]) > int(web["ExecStart"][0].split("--graceful-timeout ")[1])
    assert int(worker["TimeoutStopSec"][0]) > jobs.PART_SECONDS


def test_socket_is_for_nginx_alone_and_the_one_that_nginx_asks():
    said = unit("atelier-web.socket")
    assert (said["SocketMode"], said["SocketGroup"]) == (["0660"], ["www-data"])
    assert f"server unix:{said['ListenStream'][0]};" in (DEPLOY / "nginx" / "atelier.conf").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_units_are_what_systemd_understands(tmp_path):
    for source in (DEPLOY / "systemd").iterdir():
        # It looks whether the programs are there; these are installed elsewhere.
        there = re.sub(r"/opt/atelier/current/\.venv/bin/\w+", "/bin/true", source.read_text())
        (tmp_path / source.name).write_text(there)
    units = sorted(str(each) for each in tmp_path.iterdir())
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
    )
    ours = [line for line in told.stderr.splitlines() if "atelier" in line]
    assert (told.returncode, ours) == (0, [])


# --- Proxies ------------------------------------------------------------------------------


def test_proxies_accept_as_much_as_the_program():
    limit = str(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    nginx = (DEPLOY / "nginx" / "atelier.conf").read_text()
    assert re.findall(r"client_max_body_size (\d+);", nginx) == [limit]
    assert re.findall(r"max_size (\d+)", (DEPLOY / "caddy" / "Caddyfile").read_text()) == [limit]
    megabytes = f"{int(limit) / 1_000_000:.1f} MB"
    page = (DEPLOY / "nginx" / "pages" / "too-large.html").read_text()
    assert megabytes in page and megabytes.replace(".", ",") in page and megabytes in PAGE


def test_nginx_overwrites_what_the_program_believes():
    nginx = (DEPLOY / "nginx" / "atelier.conf").read_text()
    set_to = dict(re.findall(r"proxy_set_header (\S+) (\S+);", nginx))
    assert set_to["X-Forwarded-Proto"] == "$scheme"
    assert set_to["X-Forwarded-For"] == "$remote_addr"
    assert set_to["X-Request-ID"] == "$request_id"
    assert "$request " not in nginx and "$request_uri '" not in nginx and "$args" not in nginx, "no query in the log"
    assert f"max-age={365 * 24 * 3600}" in nginx
    patience = int(re.search(r"proxy_read_timeout (\d+)s;", nginx)[1])
    assert patience > gunicorn()["timeout"]


def test_pages_of_nginx_are_there_and_stand_alone():
    nginx = (DEPLOY / "nginx" / "atelier.conf").read_text()
    for name in re.findall(r"/_atelier/(\S+\.html);", nginx):
        page = (DEPLOY / "nginx" / "pages" / name).read_text()
        assert '<html lang="es">' in page and 'lang="en"' in page
        assert not re.search(r"\b(?:src|href|style)=|<style|<script", page), "its policy lets nothing in"


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed here")
def test_nginx_understands_its_file(tmp_path):
    subject = ["-subj", "/CN=atelier.example", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run(made, check=True, capture_output=True)
    conf = (DEPLOY / "nginx" / "atelier.conf").read_text()
    live = "/etc/letsencrypt/live/atelier.example"
    for there, here in (
        (f"{live}/fullchain.pem", tmp_path / "cert"),
        (f"{live}/privkey.pem", tmp_path / "key"),
        ("/var/lib/nginx/atelier", tmp_path / "cache"),
        ("/var/log/nginx", tmp_path),
    ):
        assert there in conf
        conf = conf.replace(there, str(here))
    # Ports of the system's are not ours to try.
    conf = re.sub(r"listen \[::\]:\d+[^;]*;", "", conf).replace("listen 80;", "listen 127.0.0.1:8;")
    (tmp_path / "atelier.conf").write_text(conf.replace("listen 443", "listen 127.0.0.1:9"))
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ include {tmp_path}/atelier.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)
    told = subprocess.run(
        ["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"],
        capture_output=True,
        text=True,
    )
    # Without root it may not look at the port; what it says of its file counts.
    assert "syntax is ok" in told.stderr, told.stderr


# --- Containers ---------------------------------------------------------------------------


def test_containers_wait_for_each_other_and_give_time_to_end():
    services = compose()["services"]
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    for name in ("web", "worker"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["restart"] == "unless-stopped"
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]
    graceful = re.search(r'"--graceful-timeout", "(\d+)"', (ROOT / "Dockerfile").read_text())
    assert seconds(services["web"]["stop_grace_period"]) > int(graceful[1])
    assert seconds(services["worker"]["stop_grace_period"]) > jobs.PART_SECONDS
    assert services["migrate"]["restart"] == "no"


def seconds(text: str) -> float:
    number, letter = re.fullmatch(r"(\d+)([sm])", text).groups()
    return timedelta(**{{"s": "seconds", "m": "minutes"}[letter]: int(number)}).total_seconds()


def test_web_container_is_reached_from_this_machine_only():
    services = compose()["services"]
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in services["database"] and "ports" not in services["redis"]
    assert services["proxy"]["profiles"] == ["tls"] and services["redis"]["profiles"] == ["redis"]


def test_backups_of_the_containers_outlive_them():
    services, volumes = compose()["services"], compose()["volumes"]
    place = services["worker"]["environment"]["ATELIER_BACKUPS"]
    assert f"backups:{place}" in services["worker"]["volumes"]
    assert f"backups:{place}:ro" in services["web"]["volumes"], "the health page tells their age"
    assert {"backups", "database", "certificates"} <= set(volumes)


def test_image_takes_along_neither_secrets_nor_history():
    left_out = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".env", "*.env", ".venv", ".atelier", "tests"} <= set(left_out)
    assert "USER atelier" in (ROOT / "Dockerfile").read_text()


def test_probe_asks_for_a_name_that_the_site_answers_to(live_server, settings):
    """What Docker runs to see whether the web server lives."""
    settings.ALLOWED_HOSTS = [".atelier.example"]
    port = live_server.url.rpartition(":")[2]

    def probe(hosts: str, bind: str) -> int:
        environment = os.environ | {"ALLOWED_HOSTS": hosts, "BIND": bind}
        return subprocess.run([sys.executable, DEPLOY / "probe.py"], env=environment, capture_output=True).returncode

    assert probe(".atelier.example,other.example", f"0.0.0.0:{port}") == 0
    assert probe("other.example", f"0.0.0.0:{port}") != 0
    assert probe(".atelier.example", "0.0.0.0:1") != 0


# --- Installing ---------------------------------------------------------------------------


def test_programs_are_executable_and_readable_by_the_shell():
    for name in ("install", "atelier"):
        assert os.access(DEPLOY / name, os.X_OK)
        subprocess.run(["sh", "-n", DEPLOY / name], check=True)


def test_installer_finds_uv_with_its_hashes_in_the_lock():
    script = re.search(r"sed -n '(.*?)' requirements\.lock", (DEPLOY / "install").read_text())
    found = subprocess.run(
        ["sed", "-n", script[1], "requirements.lock"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    first, *hashes = found.splitlines()
    assert re.match(r"uv==[\d.]+ \\$", first)
    assert hashes and all(line.strip().startswith("--hash=sha256:") for line in hashes)


# --- Links --------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as links call them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        leads_to = (page.parent / path).resolve() if path else page
        assert leads_to.exists(), f"{page.name}: {target}"
        if anchor and leads_to.suffix == ".md":
            assert anchor in anchors(leads_to), f"{page.name}: {target}"
