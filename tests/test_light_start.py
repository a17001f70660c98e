"""What needs no pose network starts fast, and without PyTorch and OpenMMLab's packages.

These tests also run where none of them is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.light_job import FORBIDDEN, METHODS
from support.paths import ROOT
from support.warm_commands import run_light


def run_python(*arguments: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])
    answer = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': paths, **environment},
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    return answer.stdout


COMPUTING = {
    *FORBIDDEN,
    *('scipy', 'av', 'matplotlib', 'onnxruntime', 'ai_edge_litert', 'jinja2', 'sleap_io', 'numba'),
}
"""What takes long to import, and is of no use for reading a command line."""

SCRIPTS = sorted(
    str(path.relative_to(ROOT))
    for folder in ('tools', 'demo')
    for path in (ROOT / folder).rglob('*.py')
    if 'moved, run' not in path.read_text() and path.name != 'page_types.py'
)

STARTER = f"""
import contextlib, io, json, os, runpy, sys

script, *sys.argv = json.loads(sys.argv[1])
sys.argv.insert(0, script)
sys.path[0] = os.path.dirname(script)
out, err = io.StringIO(), io.StringIO()
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    try:
        runpy.run_path(script, run_name='__main__')
        code = 0
    except SystemExit as stop:
        code = stop.code
loaded = sorted({COMPUTING!r} & set(sys.modules))
print(json.dumps([code, out.getvalue(), err.getvalue(), loaded]))
"""


def start(script: str, *arguments: str) -> tuple[int, str, str, list[str]]:
    """Exit code, stdout, stderr and heavy modules of a script that may start no process."""
    command = json.dumps([str(ROOT / script), *arguments])
    done = run_light(STARTER, command, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    code, out, err, loaded = json.loads(done.stdout)
    return code, out, err, loaded


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_of_a_script_computes_nothing(script):
    code, out, err, loaded = start(script, '--help')
    assert (code, err, loaded) == (0, '', [])
    assert out.startswith('usage: ')


@pytest.mark.parametrize('script', SCRIPTS)
def test_a_wrong_option_is_one_line_before_anything_is_computed(script):
    code, out, err, loaded = start(script, '--no-such-option')
    assert (code, out, loaded) == (2, '', [])
    assert err.count('\n') == 1


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('light')


@pytest.fixture(scope='module')
def done(folder: Path) -> dict[str, Any]:
    """What the job found in a process that cannot import the heavy packages."""
    return json.loads(run_python('-m', 'support.light_job', str(folder)).splitlines()[-1])


@pytest.mark.parametrize('name', ['stdpose_mm', 'stdpose_mm.apis'])
def test_importing_imports_none_of_the_heavy_packages(name):
    code = f'import sys, {name}; print(sorted(set(sys.modules) & set({FORBIDDEN!r})))'
    assert run_python('-c', code).strip() == '[]'


@pytest.mark.slow
def test_the_light_rooms_can_be_imported_without_the_heavy_packages(done):
    assert done['modules'] > 40


@pytest.mark.parametrize('method', METHODS)
def test_a_video_is_propagated_without_the_heavy_packages(done, method):
    # The texture moves out and back, by 12 pixels: straight lines miss that, flow does not.
    follows_pictures = method in ('flow', 'auto')
    assert (done['errors'][method] < 2) is follows_pictures


@pytest.mark.parametrize('format', ['posetrack18', 'coco', 'cvat'])
def test_labels_are_converted_without_the_heavy_packages(done, format):
    assert done['converted'][format] < 0.01


def test_label_files_are_evaluated_without_the_heavy_packages(done):
    assert done['AP'] == 100


def test_a_report_is_written_without_the_heavy_packages(done, folder):
    assert '</html>' in (folder / 'report.html').read_text(encoding='utf-8')


@pytest.mark.parametrize(('limit', 'threads'), [('3', 3), ('2,1', 2), ('', 0)])
def test_onnxruntime_takes_as_many_threads_as_openmp_is_allowed(limit, threads):
    code = 'from stdpose_mm.onnx_session import thread_limit; print(thread_limit())'
    assert int(run_python('-c', code, OMP_NUM_THREADS=limit)) == threads


@pytest.mark.parametrize(('given', 'threads'), [(None, '1'), ('3', '3')])
def test_commands_leave_the_cores_to_frames_before_numpy_is_imported(given, threads):
    name = 'OPENBLAS_NUM_THREADS'
    change = f'pop({name!r}, None)' if given is None else f'update({name}={given!r})'
    code = (
        f'import os, sys; os.environ.{change}; import stdpose_mm.cli; '
        f"print(os.environ[{name!r}], 'numpy' in sys.modules)"
    )
    assert run_python('-c', code).split() == [threads, 'False']
