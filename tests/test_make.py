"""`make book` installs once, notices only changes of content, and goes on where the network is gone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCES = {"pyproject.toml": "a", "constraints.txt": "b", "package-lock.json": "{}"}
# Stand-ins for what a fresh machine downloads: each writes its call into `log`, and fails where a file `offline` lies.
TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >> log
case "$*" in
*install*) test ! -e offline || exit 1
    printf '#!/bin/sh\\necho "dlbook $*" >> log\\n' > .venv/bin/dlbook; chmod +x .venv/bin/dlbook;;
ci*) test ! -e offline || exit 1; mkdir -p node_modules;;
esac
"""
PYTHON = """#!/bin/sh
case "$*" in
*venv*) mkdir -p .venv/bin; cp tool .venv/bin/python; cp tool .venv/bin/npm;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the Makefile beside small sources, and a Python that makes an environment of stand-ins."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name, text in {**SOURCES, "tool": TOOL, "python": PYTHON}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def make(project: Path, python: str = "./python") -> subprocess.CompletedProcess:
    """Run `make book`; its log starts empty."""
    (project / "log").write_text("")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    return subprocess.run(["make", "book", f"PYTHON={python}"], cwd=project, capture_output=True, text=True, env=env)


def calls(project: Path) -> list[str]:
    return [" ".join(line.split()[:4]) for line in (project / "log").read_text().splitlines()]


def test_the_first_make_installs_and_builds(project):
    assert make(project).returncode == 0
    assert calls(project) == ["python -m pip install", "npm ci --ignore-scripts --silent", "dlbook build"]


def test_the_second_make_only_builds_though_an_export_wrote_pyproject_anew(project):
    make(project)
    for name in SOURCES:
        os.utime(project / name, (2e9, 2e9))
    assert make(project).returncode == 0 and calls(project) == ["dlbook build"]


@pytest.mark.parametrize(("name", "tool"), [("pyproject.toml", "python"), ("constraints.txt", "python"),
                                            ("package-lock.json", "npm")])
def test_a_change_of_content_installs_again(project, name, tool):
    make(project)
    (project / name).write_text("other")
    make(project)
    assert [call.split()[0] for call in calls(project)] == [tool, "dlbook"]


def test_without_a_network_what_is_installed_is_used_and_the_next_make_tries_again(project):
    make(project)
    (project / "pyproject.toml").write_text("other")
    (project / "offline").touch()
    done = make(project)
    assert done.returncode == 0 and "those that are there are used" in done.stdout and "dlbook build" in calls(project)
    (project / "offline").unlink()
    make(project)
    assert calls(project)[0] == "python -m pip install"


def test_without_a_network_and_without_packages_nothing_is_built(project):
    (project / "offline").touch()
    done = make(project)
    assert done.returncode and "could not be installed (pip failed)" in done.stdout
    assert "dlbook build" not in calls(project)


def test_a_python_that_is_not_there_is_one_sentence(project):
    done = make(project, "python9.99")
    assert done.returncode and done.stdout == \
        "python9.99 is not there: Python 3.11 or newer is needed; install it, or call make PYTHON=/path/to/python3.11\n"


def test_a_python_that_is_too_old_is_one_sentence(project):
    (project / "python").write_text('#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 9); '
                                    'sys.version = \'3.9.1 x\'; exec(sys.argv[2])" "$@"\n')
    assert "Python 3.9.1 is too old: Python 3.11 or newer is needed" in make(project).stderr
