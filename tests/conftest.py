"""Fixtures of many tests: a little video with two moving people, a tiny STDPose, label makers."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from stdpose_mm.io.video import ArrayFrames, FrameSource
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

# A busy machine may halt a process for seconds, in the middle of any example. The examples of a
# test share its fixtures: each writes its files anew.
settings.register_profile(
    'busy',
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile('busy')

NAMES = ('head', 'left_hand', 'right_hand')
NUM_FRAMES, WIDTH, HEIGHT = 9, 96, 80
GIVEN = (0, 4, 8)
POSE = np.array([[0, 0], [-8, 16], [8, 16]], float)


def pose_at(person: int, frame: int) -> np.ndarray:
    """[3, 2] the true pose; person 0 walks right, person 1 left."""
    place = (20 + 3 * frame, 16) if person == 0 else (76 - 3 * frame, 50)
    return POSE + place


def annotation(frame: int, person: int, number: int) -> dict[str, Any]:
    keypoints = np.concatenate([pose_at(person, frame), np.full((3, 1), 2)], axis=1)
    return {
        'id': number,
        'image_id': frame + 1,
        'category_id': 1,
        'track_id': person,
        'keypoints': keypoints.ravel().tolist(),
    }


LONGEST = ('end_to_end', 'browser', 'training', 'tools')
"""Folders whose tests take longest; as the last ones they would leave a worker without work."""

SHARED = ('review_app/browser/', 'warm_commands')
"""Words in the paths or the texts of files whose tests share what takes long to start: the browser
and its servers, the servers of commands. One worker has them, and no other one starts them."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker all tests of a file, and all files of ``SHARED``."""
    if config.getoption('dist') != 'loadfile':
        return None
    from xdist.scheduler import LoadFileScheduling

    @cache
    def scope_of(path: str) -> str:
        text = path + (config.rootpath / path).read_text(encoding='utf-8')
        return next((word for word in SHARED if word in text), path)

    class Scheduler(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(super()._split_scope(nodeid))

    return Scheduler(config, log)


def pytest_configure(config: pytest.Config) -> None:
    # After an installation yapf writes its grammar into the user's cache, which workers that begin
    # together would read half-written. MMEngine imports it.
    if not hasattr(config, 'workerinput') and importlib.util.find_spec('yapf'):
        importlib.import_module('yapf')


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect tests without collecting garbage: all that is imported and rewritten stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders that take longest."""
    if os.environ.get('ONEDNN_MAX_CPU_ISA') == 'SSE41':
        # OpenVINO's own kernels use what the processor has, and do not fit oneDNN's then.
        skip = pytest.mark.skip(reason='OpenVINO cannot compute within this limit of oneDNN')
        for item in items:
            if 'openvino' in item.nodeid or 'runtimes' in item.nodeid:
                item.add_marker(skip)
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


def pytest_collection_finish() -> None:
    """Take what was imported and collected out of every later garbage collection.

    MMEngine collects garbage whenever a dataset is built; Python does it in time, too.
    """
    gc.collect()
    gc.freeze()
    if (datasets := sys.modules.get('mmengine.dataset.base_dataset')) is not None:
        from support.formatting import check_texts_only

        datasets.gc = SimpleNamespace(collect=int)
        check_texts_only()


@pytest.fixture(scope='session')
def cache_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of folders that do not exist: to make one of each test's own takes milliseconds."""
    root = tmp_path_factory.mktemp('caches')
    return (root / str(number) for number in count())


@pytest.fixture(autouse=True)
def cache_folder(cache_folders: Iterator[Path], monkeypatch) -> Path:
    """Where finished work of a test is kept, in place of the user's own cache."""
    path = next(cache_folders)
    monkeypatch.setenv('STDPOSE_CACHE', str(path))
    return path


@pytest.fixture(scope='session')
def pictures() -> np.ndarray:
    rng = np.random.default_rng(0)
    background = cv2.GaussianBlur(rng.uniform(0, 255, (HEIGHT, WIDTH, 3)), (0, 0), 2)
    frames = np.repeat(background[None].astype(np.uint8), NUM_FRAMES, 0)
    for frame in range(NUM_FRAMES):
        for person in range(2):
            for x, y in pose_at(person, frame).astype(int).tolist():
                cv2.circle(frames[frame], (x, y), 4, (0, 60, 200 - 80 * person), -1)
    return frames


@pytest.fixture
def folder(tmp_path: Path, pictures: np.ndarray) -> Path:
    """The video as a folder of pictures whose numbers start at 1, as in PoseTrack17."""
    path = tmp_path / 'clip'
    path.mkdir()
    for frame, picture in enumerate(pictures):
        cv2.imwrite(str(path / f'{frame + 1:06d}.jpg'), picture)
    return path


@pytest.fixture
def movie(tmp_path: Path, pictures: np.ndarray) -> Path:
    """The pictures as a video file."""
    from stdpose_mm.io.video import write_video

    write_video(tmp_path / 'clip.mp4', pictures, fps=10)
    return tmp_path / 'clip.mp4'


@pytest.fixture
def label_fields() -> dict[str, Any]:
    """Labels of frames 0, 4, 8 as PoseTrack18 JSON; images of these frames only."""
    return {
        'images': [
            {'id': frame + 1, 'file_name': f'clip/{frame + 1:06d}.jpg', 'frame_index': frame}
            for frame in GIVEN
        ],
        'annotations': [
            annotation(frame, person, 2 * frame + person) for frame in GIVEN for person in range(2)
        ],
        'categories': [
            {'id': 1, 'name': 'person', 'keypoints': list(NAMES), 'skeleton': [[1, 2], [1, 3]]}
        ],
    }


@pytest.fixture
def label_file(tmp_path: Path, label_fields: dict[str, Any]) -> Path:
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(label_fields))
    return path


@pytest.fixture(scope='session')
def model_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Config and checkpoint of a tiny STDPose with random weights for the three joints."""
    from support.tiny_models import write_model_files

    return write_model_files(tmp_path_factory.mktemp('model'))


@pytest.fixture(scope='module')
def small_batches() -> Iterator[None]:
    """Let networks learn from batches of eight poses, which takes half as long."""
    from stdpose_mm.labelling.learning import network_trainer

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(network_trainer, 'BATCH_SIZE', 8)
        yield


@pytest.fixture
def straight_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 'auto' draw straight lines, which takes no time."""
    from support.straight_auto import use_straight_auto

    use_straight_auto(monkeypatch.setattr)


@pytest.fixture(scope='session')
def learned_dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of :func:`support.coloured_dots.learn_dots`, learned once for all workers."""
    from filelock import FileLock

    from support.coloured_dots import learn_dots

    root = tmp_path_factory.getbasetemp()
    path = (root.parent if 'PYTEST_XDIST_WORKER' in os.environ else root) / 'dots.onnx'
    with FileLock(f'{path}.lock'):
        if not path.exists():
            learn_dots(path)
    return path


SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))

LabelMaker = Callable[..., PersonLabel]


@pytest.fixture(scope='session')
def skeleton() -> Skeleton:
    return SKELETON


@pytest.fixture(scope='session')
def label() -> LabelMaker:
    def make(
        frame: int,
        keypoints: Sequence[Sequence[float]],
        visibility: Sequence[int] | None = None,
        track_id: int | None = 0,
        **fields: object,
    ) -> PersonLabel:
        flags = [2] * len(keypoints) if visibility is None else visibility
        return PersonLabel(
            frame, np.array(keypoints, float), np.array(flags), track_id=track_id, **fields
        )

    return make


@pytest.fixture(scope='session')
def video() -> Callable[..., VideoLabels]:
    def make(persons: Sequence[PersonLabel], num_frames: int) -> VideoLabels:
        return VideoLabels(
            'clip', SKELETON, tuple(VideoFrame(n) for n in range(num_frames)), tuple(persons)
        )

    return make


@pytest.fixture(scope='session')
def blank() -> Callable[[int], FrameSource]:
    """Frames for propagators that read no picture."""

    def make(num_frames: int) -> FrameSource:
        return ArrayFrames(np.zeros((num_frames, 2, 2, 3), np.uint8))

    return make


@pytest.fixture(scope='module')
def real_layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ``data`` is laid out as the sets that the configs name."""
    from support.real_layouts import write_real_layouts

    root = tmp_path_factory.mktemp('layouts')
    write_real_layouts(root)
    return root


@pytest.fixture
def in_real_layouts(real_layouts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in :func:`real_layouts`, with the registries of MMPose."""
    from mmengine.registry import init_default_scope

    monkeypatch.chdir(real_layouts)
    init_default_scope('mmpose')


@pytest.fixture
def run_main(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, list[str]]]:
    """Run the ``main`` of a command: exit code, stdout, lines of stderr."""

    def run(main: Callable[[list[str]], int], *arguments: object) -> tuple[int, str, list[str]]:
        try:
            code = main([*map(str, arguments)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err.splitlines()

    return run
