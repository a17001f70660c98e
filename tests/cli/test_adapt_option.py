"""``stdpose propagate --adapt``: what is said, and which model is used in the end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.pose_networks import PoseNetworkFiles
from support.pose_network_files import write_described_network

CONFIG = 'configs/stdpose_tiny_synthetic.py'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of every adaptation; none of them helps."""
    asked: list[dict[str, Any]] = []

    class NotHelping(SimpleNamespace):
        def __str__(self) -> str:
            return 'it did not help'

    def adapt(*_: Any, announce: Any, **options: Any) -> NotHelping:
        announce('a new network is trained')
        asked.append(options)
        return NotHelping(files=(None, None))

    monkeypatch.setattr('stdpose_mm.training.adapt', adapt)
    return asked


@pytest.mark.slow
def test_auto_goes_on_without_a_network_that_does_not_help(
    run_main: Any, folder: Path, label_file: Path, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    options = ['--out', tmp_path / 'dense.json', '--adapt', '--config', CONFIG]
    code, printed, _ = run_main(propagate.main, folder, label_file, *options)
    assert code == 0
    assert printed.splitlines()[:2] == ['a new network is trained', 'it did not help']
    assert 'without a pose network' in printed
    assert (asked[0]['method'], asked[0]['max_minutes']) == ('auto', 5)


@pytest.mark.slow
def test_the_new_network_is_compared_beside_the_pose_networks_of_the_command(
    run_main: Any, folder: Path, label_file: Path, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    network = write_described_network(tmp_path / 'dot.onnx')
    options = ['--out', tmp_path / 'dense.json', '--adapt', '--config', CONFIG]
    code, _, _ = run_main(propagate.main, folder, label_file, *options, '--pose-onnx', network)
    assert code == 0
    assert asked[0]['options']['pose_networks'] == [PoseNetworkFiles(str(network))]


def test_methods_without_a_network_are_refused(
    run_main: Any, folder: Path, label_file: Path, tmp_path: Path
) -> None:
    options = ['--out', tmp_path / 'o.json', '--adapt', '--config', CONFIG, '--method', 'flow']
    code, printed, said = run_main(propagate.main, folder, label_file, *options)
    assert (code, printed, len(said)) == (2, '', 1)
    assert '--adapt would have no effect: give --method auto or stdpose' in said[0]


def test_a_time_limit_without_training_is_refused(
    run_main: Any, folder: Path, label_file: Path, tmp_path: Path
) -> None:
    options = ['--out', tmp_path / 'o.json', '--adapt-minutes', '3']
    code, printed, said = run_main(propagate.main, folder, label_file, *options)
    assert (code, printed) == (2, '')
    assert said == [
        'propagate.py: --adapt-minutes would have no effect: give --adapt, or leave it out'
    ]


def test_labels_that_a_network_is_trained_on_do_not_measure_it(
    run_main: Any, folder: Path, label_file: Path, tmp_path: Path
) -> None:
    options = ['--out', tmp_path / 'o.json', '--adapt', '--config', CONFIG, '--measure', '3']
    code, printed, said = run_main(propagate.main, folder, label_file, *options)
    assert (code, printed) == (2, '')
    (sentence,) = said
    assert sentence.startswith('propagate.py: --measure hides labels that --adapt has trained ')
    assert sentence.endswith('leave one of them out')
