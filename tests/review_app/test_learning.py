"""Learning from the labels of a project, through the requests of the page."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import open_frames
from stdpose_mm.labelling.evidence.learned_network import ONNX_RECORD
from stdpose_mm.labelling.learning.learner import LabelledVideo, learn_network
from stdpose_mm.review_app import learning
from stdpose_mm.review_app.project import ReviewProject
from stdpose_mm.review_app.video_review import VideoReview
from stdpose_mm.structures import VideoLabels
from support import fake_learning
from support.fake_learning import FakeLearning
from support.review_page import SKELETON, Page, access_to, label, labels_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('straight_auto')]

LABELLED = range(0, 40, 5)


@pytest.fixture(scope='module')
def network(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that knows nothing and is sure of it, so that poses with it are others."""
    path = tmp_path_factory.mktemp('network') / 'network.onnx'
    videos = [LabelledVideo(open_frames(video), walk().tracks())]
    learn_network(videos, SKELETON, path, minutes=1, steps=8)
    model = onnx.load(path)
    (entry,) = [field for field in model.metadata_props if field.key == ONNX_RECORD]
    record = json.loads(entry.value)
    sure = {'slope': 0.0, 'offset': 6.0, 'weight': 0.0}
    record['calibrators'] = [sure] * len(record['calibrators'])
    entry.value = json.dumps(record)
    onnx.save(model, path)
    return path


def walk(frames: range = LABELLED) -> VideoLabels:
    return labels_of(*(label(frame, 1, float(frame)) for frame in frames))


@pytest.fixture(scope='module')
def quick_processes() -> BaseContext:
    """A way to start processes that imports the package once for all of them."""
    if sys.platform == 'win32':
        return learning._PROCESSES
    processes = get_context('forkserver')
    processes.set_forkserver_preload(['stdpose_mm.review_app.learning'])
    return processes


@pytest.fixture
def fake(
    tmp_path: Path, network: Path, quick_processes: BaseContext, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeLearning]:
    folder = tmp_path / 'fake'
    folder.mkdir()
    learner = FakeLearning(folder, network)
    monkeypatch.setattr(learning, '_PROCESSES', quick_processes)
    monkeypatch.setattr(
        learning, 'learn_in_process', partial(fake_learning.learn, learner.plan_file)
    )
    yield learner
    learner.go_on()


class LearningPage(Page):
    """A page whose button is pressed."""

    @property
    def learning(self) -> dict[str, Any]:
        return self.get('/guidance')['learning']

    def learn(self, what: str = 'start') -> Any:
        return self.post('/learning', {'do': what})

    def wait_for(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        until = time.monotonic() + 300
        while not condition(state := self.learning):
            assert time.monotonic() < until, state
            time.sleep(0.01)
        return state

    def wait_until_learned(self) -> dict[str, Any]:
        state = self.wait_for(lambda state: not state['running'])
        self.settle()
        return state


@pytest.fixture
def open_page(start: Callable[..., ReviewProject]) -> Callable[..., LearningPage]:
    """Open a page on labels of eight frames, beside the only method that can learn."""

    def open_(labels: VideoLabels | None = None, **options: Any) -> LearningPage:
        options.setdefault('method', 'auto')
        project = start(labels or walk(), **options)
        page = LearningPage(access_to(project))
        until = time.monotonic() + 300
        for number in range(options.get('num_videos', 1)):
            while page.client.get(f'/api/videos/{number}').status_code != 200:
                assert time.monotonic() < until
        page.project = project
        page.settle()
        page.revision = page.get()['revision']
        return page

    return open_


def xy(poses: dict[str, Any]) -> np.ndarray:
    return np.array([pose['keypoints'] for frame in poses.values() for pose in frame])[..., :2]


def test_a_network_that_helps_is_used_and_kept_beside_the_output(
    open_page, fake: FakeLearning, tmp_path: Path, network: Path
):
    page = open_page()
    before = page.all_poses()
    assert page.learning == {
        'refused': None,
        'worthwhile': True,
        'running': False,
        'stopping': False,
        'done': 0.0,
        'left': None,
        'right': None,
        'message': None,
        'unread': False,
        'failed': False,
        'labels': None,
    }
    assert page.learn().json()['running']
    state = page.wait_for(lambda state: state['right'] is not None)
    assert (state['done'], state['right']) == (0.5, 0.75)
    # The second quarter follows the first one at once.
    assert state['left'].endswith(' s')
    fake.go_on()
    state = page.wait_until_learned()
    assert (state['message'], state['failed'], state['labels']) == ('learned; it is used', False, 8)
    assert (tmp_path / 'labels_reviewed.learned.onnx').read_bytes() == network.read_bytes()
    assert not np.allclose(xy(before), xy(page.all_poses()))


def test_what_is_saved_is_what_propagate_writes_with_the_network(
    open_page, fake: FakeLearning, tmp_path: Path, video: Path, run_main
):
    page = open_page()
    assert page.post('/save', {}).status_code == 200
    without = (tmp_path / 'labels_reviewed.json').read_bytes()
    page.learn()
    fake.go_on()
    page.wait_until_learned()
    # The file has the poses of before, also at the next start.
    assert page.get()['saved'] == -1
    page = open_page()
    assert page.get()['saved'] == -1
    assert page.post('/save', {}).status_code == 200
    saved, dense = tmp_path / 'labels_reviewed.json', tmp_path / 'dense.json'
    network = tmp_path / 'labels_reviewed.learned.onnx'
    arguments = [video, tmp_path / 'labels.json', '--out', dense, '--pose-onnx', network]
    assert run_main(propagate.main, *arguments)[0] == 0
    assert saved.read_bytes() == dense.read_bytes() != without
    assert open_page().get()['saved'] == 0


def test_edits_during_training_are_kept_and_learned_from_the_next_time(
    open_page, fake: FakeLearning, tmp_path: Path
):
    page = open_page()
    page.learn()
    page.wait_for(lambda state: fake.is_begun)
    page.edit('accept', person=1, frame=12)
    assert fake.job['frames'] == [[*LABELLED]]
    assert fake.job['steps'] == 400
    assert fake.job['earlier'] is None
    fake.go_on()
    page.wait_until_learned()
    assert page.poses(12)[1]['source'] == 'given'
    page.edit('set_joints', person=1, frame=13, joints={'head': [40, 9, 2]})
    assert page.learning['labels'] == 8
    page.learn()
    page.wait_until_learned()
    assert fake.job['frames'] == [sorted([*LABELLED, 12, 13])]
    assert fake.job['earlier'] == str(tmp_path / 'labels_reviewed.learned.onnx')


def test_a_network_that_does_not_help_leaves_everything_as_it_was(
    open_page, fake: FakeLearning, tmp_path: Path
):
    fake.answer('learned; it is not used')
    page = open_page()
    before = page.state()
    page.learn()
    fake.go_on()
    assert page.wait_until_learned()['message'] == 'learned; it is not used'
    assert page.state() == before
    assert not [*tmp_path.glob('*.onnx')]


def test_stopping_keeps_the_best_so_far(open_page, fake: FakeLearning):
    page = open_page()
    page.learn()
    page.wait_for(lambda state: state['right'] is not None)
    assert page.learn('stop').json()['stopping']
    state = page.wait_until_learned()
    assert (state['message'], state['labels']) == ('stopped: learned; it is used', 8)


@pytest.mark.parametrize('has_network', [False, True])
def test_stopping_a_second_time_or_before_there_is_a_network_ends_the_process(
    open_page, fake: FakeLearning, has_network: bool
):
    fake.plan['right'] = 0.75 if has_network else None
    fake.answer('never stops')
    page = open_page()
    page.learn()
    page.wait_for(lambda state: fake.is_begun and state['done'] == 0.5)
    for _ in range(1 + has_network):
        page.learn('stop')
    state = page.wait_until_learned()
    assert (state['message'], state['failed']) == (learning.NOTHING_KEPT, False)
    with pytest.raises(ProcessLookupError):
        os.kill(fake.job['process'], 0)


def test_what_was_learned_is_told_until_an_edit_or_until_it_is_dismissed(
    open_page, fake: FakeLearning
):
    fake.answer('learned; it is not used')
    fake.go_on()
    page = open_page()
    for read in (partial(page.edit, 'accept', person=1, frame=12), partial(page.learn, 'dismiss')):
        page.learn()
        assert page.wait_until_learned()['unread']
        read()
        state = page.learning
        assert (state['unread'], state['message']) == (False, 'learned; it is not used')


def test_learning_again_is_worthwhile_with_half_as_many_more_labels(open_page, fake: FakeLearning):
    fake.answer('learned; it is not used')
    fake.go_on()
    page = open_page()
    page.learn()
    assert not page.wait_until_learned()['worthwhile']
    for frame, is_worthwhile in zip((2, 7, 12, 17), (False, False, False, True), strict=True):
        page.edit('accept', person=1, frame=frame)
        assert page.learning['worthwhile'] is is_worthwhile


def test_a_training_that_can_be_stopped_has_its_folder(
    open_page, fake: FakeLearning, monkeypatch: pytest.MonkeyPatch
):
    is_running: list[bool] = []

    class WatchedFolder(TemporaryDirectory[str]):
        def cleanup(self) -> None:
            is_running.append(page.project.learner.describe(page.project[0])['running'])
            super().cleanup()

    monkeypatch.setattr(learning, 'TemporaryDirectory', WatchedFolder)
    page = open_page()
    page.learn()
    fake.go_on()
    page.wait_until_learned()
    page.project.close()
    assert is_running == [False]


def test_one_training_at_a_time(open_page, fake: FakeLearning):
    page = open_page()
    page.learn()
    answer = page.learn()
    assert answer.status_code == 422
    assert answer.json()['error'] == 'a network is already learning, stop it or wait for it'


def test_an_end_during_an_answer_is_told_in_the_next_one(open_page, fake: FakeLearning):
    page = open_page()
    page.learn()
    learner = page.project.learner
    require = learner._require_possible

    def require_late(review: VideoReview) -> None:
        del learner._require_possible
        fake.go_on()
        page.wait_for(lambda state: not state['running'])
        require(review)

    learner._require_possible = require_late
    state = learner.describe(page.project[0])
    assert (state['running'], state['message']) == (True, None)
    assert page.learning['message'] == 'learned; it is used'


def test_closing_the_server_ends_the_process_at_once(open_page, fake: FakeLearning, tmp_path: Path):
    page = open_page()
    page.learn()
    page.wait_for(lambda state: fake.is_begun)
    page.project.close()
    assert 'learning' not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ProcessLookupError):
        os.kill(fake.job['process'], 0)
    assert not Path(fake.job['out']).parent.exists()
    assert not [*tmp_path.glob('*.onnx')]


def test_a_training_takes_longer_the_more_labels_there_are(open_page, fake: FakeLearning):
    page = open_page(walk(range(20)))
    page.learn()
    page.wait_for(lambda state: fake.is_begun)
    assert fake.job['steps'] == 500


def test_a_process_that_dies_is_told_and_changes_nothing(open_page, fake: FakeLearning):
    fake.answer('dies')
    page = open_page()
    before = page.state()
    page.learn()
    fake.go_on()
    state = page.wait_until_learned()
    assert state['failed']
    assert state['message'].startswith('the learning ended early (exit code 7)')
    assert page.state() == before
    assert state['refused'] is None


def test_a_full_disk_is_told_and_the_earlier_network_goes_on(
    open_page, fake: FakeLearning, monkeypatch: pytest.MonkeyPatch
):
    page = open_page()
    page.learn()
    fake.go_on()
    page.wait_until_learned()
    before = page.state()

    def refuse(*files: Any) -> None:
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as full_disk:
        full_disk.setattr('shutil.copyfile', refuse)
        page.learn()
        state = page.wait_until_learned()
    assert (state['failed'], state['labels']) == (True, 8)
    assert 'No space left on device' in state['message']
    assert page.state() == before
    again = open_page()
    assert again.state()['frames'] == before['frames']
    assert again.learning['labels'] == 8


def test_a_folder_that_cannot_be_written_is_told_before_the_training(
    open_page, fake: FakeLearning, tmp_path: Path
):
    page = open_page()
    (tmp_path / 'labels_reviewed.learned.onnx').mkdir()
    answer = page.learn()
    assert answer.status_code == 422
    assert 'labels_reviewed.learned.onnx' in answer.json()['error']
    assert not page.learning['running']


def test_another_file_in_its_place_is_told_at_the_start_and_never_replaced(
    open_page, tmp_path: Path
):
    file = tmp_path / 'labels_reviewed.learned.onnx'
    file.write_text('my notes')
    with pytest.raises(InputError, match=r'learned\.onnx .*, or move it away to continue without'):
        open_page()
    assert file.read_text() == 'my notes'


def test_all_videos_with_the_same_joints_teach_one_network(
    open_page, fake: FakeLearning, tmp_path: Path
):
    page = open_page(num_videos=2)
    other = partial(page.get, video=1)
    before = other('/poses', first=7, last=7)
    page.learn()
    page.wait_for(lambda state: fake.is_begun)
    assert fake.job['frames'] == 2 * [[*LABELLED]]
    fake.go_on()
    page.wait_until_learned()
    until = time.monotonic() + 300
    while other('/guidance')['computing']:
        assert time.monotonic() < until
    assert other('/poses', first=7, last=7)['frames'] != before['frames']
    assert (tmp_path / 'learned.onnx').exists()


@pytest.mark.parametrize(
    ('labels', 'method', 'sentence'),
    [
        (
            walk(range(0, 35, 5)),
            'auto',
            '7 labelled frames cannot teach a network, label 8 or more, spread over the video',
        ),
        (walk(), 'flow', 'learning needs the method auto, start the review without --method'),
    ],
)
def test_why_it_cannot_begin(open_page, labels: VideoLabels, method: str, sentence: str):
    page = open_page(labels, method=method)
    assert page.learning['refused'] == sentence
    answer = page.learn()
    assert (answer.status_code, answer.json()['error']) == (422, sentence)


def test_it_needs_torch_and_onnx(open_page, monkeypatch: pytest.MonkeyPatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        'importlib.util.find_spec', lambda name: None if name in ('torch', 'onnx') else find(name)
    )
    assert 'learning from labels needs' in open_page().learning['refused']


def test_a_request_that_says_nothing_is_refused(open_page):
    assert open_page().learn('dance').status_code == 422


def test_the_process_itself_learns(open_page, monkeypatch: pytest.MonkeyPatch):
    """The pictures are numbers, on which nobody can be found: it says so, and changes nothing."""
    monkeypatch.setattr(learning, 'training_steps', lambda num_poses: 2)
    page = open_page()
    page.learn()
    state = page.wait_until_learned()
    assert not state['failed'], state
    assert state['message'].startswith('learned from 8 labelled poses: in ')


@pytest.mark.parametrize(('minutes', 'end'), [(0, learning.TRAINED_LITTLE), (1000, '')])
def test_a_training_that_ends_by_time_is_told_to_be_little(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, minutes: float, end: str
):
    """The steps are done at once, or there is no time for any."""

    class Outcome:
        helped = True

        def __str__(self) -> str:
            return 'it is used'

    class Propagator:
        def learn(self, states: Any, out: Any, minutes: Any, earlier: Any, listen: Any, steps: int):
            listen(1.0, 0.5)
            return Outcome()

    monkeypatch.setattr(learning.os, 'nice', lambda priority: None, raising=False)
    monkeypatch.setattr(learning.signal, 'signal', lambda *signals: None)
    job = learning.LearningJob(Propagator, [], None, minutes, 400, tmp_path)  # type: ignore[arg-type]
    receiver, sender = learning._PROCESSES.Pipe(duplex=False)
    with receiver, sender:
        learning.learn_in_process(job, sender)
        assert receiver.recv() == (1.0, 0.5)
        assert receiver.recv() == learning.LearningAnswer(f'it is used{end}', helped=True)
