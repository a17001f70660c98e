"""``stdpose learn``, and ``stdpose propagate --learn``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm import errors
from stdpose_mm.apis import video_pose_propagator
from stdpose_mm.apis.learning import LearningOutcome
from stdpose_mm.cli import learn, propagate
from stdpose_mm.io.labels import write_labels
from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork
from stdpose_mm.labelling.learning import learner
from stdpose_mm.labelling.propagation import load_propagator
from support.coloured_dots import dots_labels, dots_video, write_losslessly

NUM_FRAMES, LABELLED = 24, range(0, 24, 3)


@pytest.fixture(scope='module')
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos in ``videos`` and their label files in ``labels``."""
    folder = tmp_path_factory.mktemp('project')
    for name in ('videos', 'labels'):
        (folder / name).mkdir()
    for name, turn in (('one', 0), ('two', 1)):
        pictures = [np.roll(picture, turn, axis=0) for picture in dots_video(NUM_FRAMES)]
        write_losslessly(folder / 'videos' / f'{name}.mkv', pictures)
        labels = dots_labels(LABELLED, NUM_FRAMES)
        write_labels(labels, folder / 'labels' / f'{name}.json')
    return folder


@pytest.fixture(autouse=True)
def short_training(
    small_batches: None, straight_auto: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, 'MAX_STEPS', 4)
    monkeypatch.setattr(learner, 'training_steps', lambda num_poses: 4)


@pytest.fixture
def helpful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every network count as one that helps."""
    monkeypatch.setattr(LearningOutcome, 'helped', True)


@pytest.mark.slow
@pytest.mark.usefixtures('helpful')
def test_a_network_is_learned_and_used_in_one_command(run_main, project, tmp_path):
    inputs = [project / 'videos' / 'one.mkv', project / 'labels' / 'one.json']
    out = tmp_path / 'dense.json'
    code, printed, errors = run_main(propagate.main, *inputs, '--out', out, '--learn', '10')
    assert code == 0, errors
    assert errors[0].startswith('learning from 8 labelled frames')
    assert re.search(r'^the training takes [0-9]+ s at this pace$', '\n'.join(errors), re.MULTILINE)
    network = tmp_path / 'dense.learned.onnx'
    assert f'{network}: learned from 8 labelled poses: in ' in printed
    assert 'it is used' in printed
    assert 'with a network that learned from 8 labels' in printed
    assert len(json.loads(out.read_text())['annotations']) == NUM_FRAMES
    # The file does the same in another command.
    again = tmp_path / 'again.json'
    code, *_ = run_main(propagate.main, *inputs, '--out', again, '--pose-onnx', network)
    assert code == 0
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.slow
def test_a_network_that_does_not_help_is_not_left_beside_the_output(run_main, project, tmp_path):
    inputs = [project / 'videos' / 'one.mkv', project / 'labels' / 'one.json']
    out = tmp_path / 'dense.json'
    code, printed, _ = run_main(propagate.main, *inputs, '--out', out, '--learn')
    assert code == 0
    assert 'it is not certainly better, so it is not used' in printed
    assert [path.name for path in tmp_path.iterdir()] == ['dense.json']
    asked_for = tmp_path / 'network.onnx'
    assert run_main(learn.main, *inputs, '--out', asked_for)[0] == 0
    assert LearnedNetwork(asked_for).record.num_poses == 8


@pytest.mark.slow
@pytest.mark.usefixtures('helpful')
def test_several_videos_have_one_network(run_main, project, tmp_path, monkeypatch):
    loaded = []

    def count(*arguments: Any, **options: Any) -> Any:
        loaded.append(arguments)
        return load_propagator(*arguments, **options)

    monkeypatch.setattr(video_pose_propagator, 'load_propagator', count)
    # The name of a folder may look like one of a file.
    out = tmp_path / 'dense.v2'
    inputs = [project / 'videos', project / 'labels']
    code, _, errors = run_main(propagate.main, *inputs, '--out', out, '--learn', '10')
    assert code == 0, errors
    assert LearnedNetwork(out / 'learned.onnx').record.num_poses == 16
    # The networks of the command are loaded once.
    assert len(loaded) == 1
    assert sorted(path.name for path in out.glob('*.json')) == ['one.json', 'two.json']


@pytest.mark.slow
def test_learning_goes_on_from_a_network(run_main, project, tmp_path):
    first, second = tmp_path / 'first.onnx', tmp_path / 'second.onnx'
    inputs = [project / 'videos', project / 'labels']
    assert run_main(learn.main, *inputs, '--out', first)[0] == 0
    code, printed, _ = run_main(learn.main, *inputs, '--out', second, '--continue-from', first)
    assert code == 0
    assert f'{second}: learned from 16 labelled poses' in printed
    assert LearnedNetwork(second).record.seen == LearnedNetwork(first).record.seen


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('{video} --out n.onnx', 'LABELS are missing after'),
        ('{video} {labels} --out n.pth', 'give one ending in .onnx'),
        ('{video} {labels} --out n.onnx --minutes 0', 'of minutes above 0'),
        ('{video} {few} --out n.onnx', '2 labelled frames cannot teach a network'),
        ('{video} {labels} --out n.onnx --continue-from no.onnx', 'no.onnx'),
        ('{video} {labels} --out n.onnx --device abacus', "device 'abacus' cannot"),
        ('{video} {video} {labels} --out n.onnx', 'is given twice with the same labels'),
        ('{videos} {labels} --out n.onnx --labels-video one', '--labels-video would have no'),
        ('{videos} {labels} --out n.onnx --loaded-into-cvat {few}', 'few.json is not a folder'),
    ],
)
def test_what_cannot_be_used_is_one_line(
    run_main, project, tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    few = tmp_path / 'few.json'
    write_labels(dots_labels(range(0, 12, 6), NUM_FRAMES), few)
    paths = {
        'video': project / 'videos' / 'one.mkv',
        'videos': project / 'videos',
        'labels': project / 'labels' / 'one.json',
        'few': few,
    }
    code, _, errors = run_main(learn.main, *arguments.format(**paths).split())
    assert code == 2
    assert sentence in errors[-1]
    assert not list(tmp_path.glob('*.onnx'))


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = errors.importlib.util.find_spec
    monkeypatch.setattr(
        errors.importlib.util,
        'find_spec',
        lambda name: None if name == 'torch' else find_spec(name),
    )


@pytest.mark.usefixtures('no_torch')
def test_without_pytorch_one_sentence_names_the_extra(run_main, project, tmp_path):
    inputs = [project / 'videos' / 'one.mkv', project / 'labels' / 'one.json']
    code, _, lines = run_main(learn.main, *inputs, '--out', tmp_path / 'n.onnx')
    assert code == 2
    assert lines[-1].endswith(
        'learning from labels needs PyTorch, which is not installed: run '
        f'`{errors.installation_command("learn")}`'
    )


@pytest.mark.usefixtures('no_torch')
def test_too_few_labels_are_refused_before_a_package_is_asked_for(run_main, project, tmp_path):
    write_labels(dots_labels(range(0, 12, 6), NUM_FRAMES), tmp_path / 'few.json')
    inputs = [project / 'videos' / 'one.mkv', tmp_path / 'few.json']
    code, _, lines = run_main(propagate.main, *inputs, '--out', tmp_path / 'dense.json', '--learn')
    assert code == 2
    assert '2 labelled frames cannot teach a network' in lines[-1]
