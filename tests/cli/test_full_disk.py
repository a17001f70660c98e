"""Where the disk is full, a command ends with one sentence and leaves no half file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stdpose_mm.cli import evaluate
from stdpose_mm.io.labels import write_posetrack18
from support.comparison_videos import posetrack_video
from support.posetrack_videos import GOLDEN
from support.tools import load_tool

pytestmark = pytest.mark.slow


@pytest.fixture
def fill_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the disk be full for files whose path ends so: the system refuses to write to them."""
    touch = Path.touch

    def fill(ending: str) -> None:
        temporary = Path(ending).with_name(f'.*.partial.{Path(ending).name}')

        def reserve(path: Path, **options: bool) -> None:
            # The kernel answers every writer to the device with ENOSPC.
            full = path.match(str(temporary))
            path.symlink_to('/dev/full') if full else touch(path, **options)

        monkeypatch.setattr(Path, 'touch', reserve)

    return fill


def files(folder: Path) -> set[str]:
    """What lies in a folder, hidden files included."""
    return {str(p.relative_to(folder)) for p in folder.rglob('*') if not p.is_dir()}


@pytest.mark.parametrize('name', ['metrics.json', 'metrics.json.gz'])
def test_evaluate(run_main, fill_disk, tmp_path, name):
    golden = GOLDEN / 'dense'
    fill_disk(name)
    arguments = (golden / 'gt', golden / 'pred', '--out', tmp_path / name)
    code, printed, errors = run_main(evaluate.main, *arguments)
    assert (code, printed) == (2, '')
    assert errors == [
        f'evaluate_posetrack.py: {tmp_path / name} cannot be written: No space left on device'
    ]
    assert not files(tmp_path)


# In the order of writing.
WRITTEN = ('linear_T7/fast.json', 'table.md', 'table.csv', 'comparison.json')


@pytest.mark.parametrize('full', WRITTEN)
def test_the_benchmark_of_propagation(run_main, fill_disk, tmp_path, full):
    write_posetrack18(
        posetrack_video('fast', range(3, 12), acceleration=4.0), tmp_path / 'fast.json'
    )
    out = tmp_path / 'out'
    tool = load_tool('analysis_tools/benchmark_propagation')
    options = ('--methods', 'linear', '--interval', 7, '--bootstrap', 0, '--out-dir', out)
    fill_disk(full)
    code, _, (line,) = run_main(tool.main, tmp_path / 'fast.json', *options)
    assert code == 2
    assert line.startswith(f'benchmark_propagation.py: {out}/')
    assert line.endswith('cannot be written: No space left on device')
    assert Path(line.split(' cannot be written')[0].split(': ')[1]).match(full)
    assert files(out) == set(WRITTEN[: WRITTEN.index(full)])
