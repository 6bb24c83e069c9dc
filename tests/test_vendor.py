"""The vendored files are the ones that were reviewed, and each directory has its licence."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACES = [ROOT / "static" / "vendor", ROOT / "tests" / "browser" / "vendor"]
LISTS = {"SHA256SUMS", "README.md"}


def test_vendored_files_are_those_of_the_checksum_list():
    listed = {}
    for line in (ROOT / "static" / "vendor" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split(maxsplit=1)
        listed[name] = digest
    found = {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for place in PLACES
        for path in place.rglob("*")
        if path.is_file() and path.name not in LISTS
    }
    assert found == listed


def test_every_vendored_package_ships_its_licence():
    for place in PLACES:
        for package in (each for each in place.iterdir() if each.is_dir()):
            assert (package / "LICENSE").stat().st_size > 500, package
