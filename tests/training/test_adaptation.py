"""Fitting a model to one video by its labelled frames."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.errors import InputError
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.video import FrameSource, open_frames, write_video
from stdpose_mm.pose_networks import PoseNetworkFiles
from stdpose_mm.propagation import PROPAGATORS, BasePropagator, PropagatedPose
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.training import AdaptedModel, adapt, adaptation, video_finetuner
from stdpose_mm.training.video_finetuner import (
    PROBE_STEPS,
    held_out_sets,
    make_initial_model,
)
from support.pose_network_files import write_described_network

pytestmark = pytest.mark.slow

NAMES = ('head', 'left_hand', 'right_hand')
NUM_FRAMES = 9
STEPS = 6


def pose_at(person: int, frame: int) -> np.ndarray:
    """[3, 2] where the people of the clip are: person 0 walks right, person 1 left."""
    place = (20 + 3 * frame, 16) if person == 0 else (76 - 3 * frame, 50)
    return np.array([[0, 0], [-8, 16], [8, 16]], float) + place


@pytest.fixture
def config(model_files: tuple[Path, Path]) -> Config:
    """The tiny model's config with a training part."""
    config = Config.fromfile(model_files[0])
    config.model.frame_head_loss_weight = 1.0
    load, box, crop, target, pack = config.test_dataloader.dataset.pipeline
    pipeline = [
        dict(type='SeedSample'),
        load,
        box,
        dict(type='WindowRandomFlip'),
        crop,
        {**target, 'test_mode': False},
        pack,
    ]
    config.train_dataloader = dict(batch_size=4, dataset=dict(pipeline=pipeline))
    config.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01))
    return config


@pytest.fixture
def checkpoint(model_files: tuple[Path, Path]) -> Path:
    return model_files[1]


@pytest.fixture
def frames(folder: Path) -> FrameSource:
    return open_frames(folder)


def make_labels(
    labelled: tuple[int, ...] = (0, 2, 4, 6, 8), names: tuple[str, ...] = NAMES
) -> VideoLabels:
    """Labels of both people; joints that ``pose_at`` does not have lie at its head."""
    people = []
    for frame in labelled:
        for person in range(2):
            pose = pose_at(person, frame)
            joints = [NAMES.index(name) if name in NAMES else 0 for name in names]
            people.append(PersonLabel(frame, pose[joints], np.full(len(names), 2), person))
    listed = tuple(VideoFrame(frame) for frame in range(NUM_FRAMES))
    return VideoLabels('clip', Skeleton(names), listed, tuple(people))


@pytest.fixture
def run(config: Config, checkpoint: Path, frames: FrameSource, tmp_path: Path) -> Any:
    def call(labels: VideoLabels | None = None, **options: Any) -> AdaptedModel:
        arguments: dict[str, Any] = dict(
            config=config,
            checkpoint=checkpoint,
            frames=frames,
            out=tmp_path / 'dense.json',
            steps=STEPS,
        )
        arguments.update(options)
        return adapt(labels=labels or make_labels(), progress=False, **arguments)

    return call


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loss of every training step."""
    from stdpose_mm.models.pose_estimators import STDPose

    seen: list[float] = []
    original = STDPose.train_step

    def spy(self: STDPose, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        seen.append(float(result['loss'].detach()))
        return result

    monkeypatch.setattr(STDPose, 'train_step', spy)
    return seen


def test_the_loss_on_the_labels_falls(run: Any, losses: list[float]) -> None:
    run(make_labels((0, 4, 8)), steps=40)
    del losses[:PROBE_STEPS]
    assert len(losses) == 40
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])


def test_the_result_propagates(run: Any, frames: FrameSource, tmp_path: Path) -> None:
    adapted = run()
    assert adapted.checkpoint == tmp_path / 'dense.adapted.pth'
    assert adapted.labels == 10
    assert adapted.held_out == (2, 4, 6)
    propagator = VideoPosePropagator(adapted.config, adapted.checkpoint, method='stdpose')
    state = propagator.init_state(frames, make_labels())
    results = list(propagator.propagate_in_video(state))
    assert len(results) == NUM_FRAMES
    assert all(result.source.count('given') in (0, 2) for result in results)


def test_a_rerun_trains_nothing(run: Any, losses: list[float]) -> None:
    first = run()
    del losses[:]
    again = run()
    assert losses == []
    assert again.cached
    assert not first.cached
    assert again.held_out == first.held_out
    assert again.error_after == first.error_after
    assert again.config.model == first.config.model


def test_other_labels_train_again(run: Any, losses: list[float]) -> None:
    run()
    del losses[:]
    labels = make_labels()
    moved = labels.persons[0]
    people = (
        PersonLabel(
            moved.frame_index, moved.keypoints + 0.5, moved.visibility, track_id=moved.track_id
        ),
        *labels.persons[1:],
    )
    assert not run(labels.with_persons(people)).cached
    assert losses


def test_another_video_trains_again(run: Any, folder: Path, tmp_path: Path) -> None:
    """It differs late in the file; the labelled frames and all others look the same."""
    videos = [tmp_path / name for name in ('clip.mp4', 'moved.mp4', 'other.mp4')]
    write_video(videos[0], list(open_frames(folder)), fps=10)
    content = videos[0].read_bytes()
    videos[1].write_bytes(content)
    videos[2].write_bytes(content + b'\0\0\0\x08free')
    assert [run(frames=open_frames(video)).cached for video in videos] == [False, True, False]


@pytest.mark.parametrize('option', [dict(seed=1), dict(steps=STEPS + 1), dict(checkpoint=None)])
def test_other_options_train_again(run: Any, losses: list[float], option: dict[str, Any]) -> None:
    run()
    del losses[:]
    assert not run(**option).cached
    assert losses


def test_a_broken_cached_file_is_made_anew(run: Any, tmp_path: Path) -> None:
    (tmp_path / 'dense.adapted.pth').write_bytes(b'half a fi')
    assert not run().cached
    assert run().cached


def test_equal_seeds_give_equal_weights(run: Any, tmp_path: Path) -> None:
    files = [run(out=tmp_path / name).checkpoint for name in ('a.json', 'b.json.gz')]
    first, second = (torch.load(file, weights_only=False)['state_dict'] for file in files)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [file.name for file in files] == ['a.adapted.pth', 'b.adapted.pth']


def test_training_that_does_harm_returns_the_start(
    run: Any, config: Config, checkpoint: Path
) -> None:
    config.optim_wrapper.optimizer.lr = 1e4
    adapted = run()
    assert adapted.steps == 0
    assert adapted.error_after == adapted.error_before
    assert adapted.helped is False
    assert adapted.files == (adapted.config, adapted.checkpoint)
    assert str(adapted).endswith('% of the pose size, it did not help, the model stays as it was')
    before = torch.load(checkpoint, weights_only=False)['state_dict']
    after = torch.load(adapted.checkpoint, weights_only=False)['state_dict']
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_held_out_error_never_rises(run: Any) -> None:
    adapted = run(steps=12)
    assert adapted.error_after <= adapted.error_before


@pytest.mark.parametrize(
    ('labelled', 'expected'),
    [
        ((0, 4, 8), []),
        ((0, 2, 4, 8), [(4,), (2,)]),
        ((0, 2, 4, 6, 8), [(4,), (2, 6)]),
        ((1, 2, 3, 4, 5, 8), [(3, 5), (2, 4)]),
    ],
)
def test_frames_to_hold_out(labelled: tuple[int, ...], expected: list[tuple[int, ...]]) -> None:
    sets = held_out_sets(make_labels(labelled), 9, from_scratch=False)
    assert [frames for frames, _ in sets] == expected


def test_labels_of_one_joint_are_not_held_out_beside_poses() -> None:
    poses = make_labels((0, 2, 4, 6, 8))
    alone = [replace(p, visibility=np.array([2, 0, 0])) for p in poses.persons]
    some = [one if p.frame_index == 4 else p for p, one in zip(poses.persons, alone, strict=True)]
    mixed = held_out_sets(poses.with_persons(some), NUM_FRAMES, from_scratch=False)
    assert [frames for frames, _ in mixed] == [(2, 6)]
    single = held_out_sets(poses.with_persons(alone), NUM_FRAMES, from_scratch=False)
    assert [frames for frames, _ in single] == [(4,), (2, 6)]


def test_few_labels_hold_nothing_out(run: Any, losses: list[float]) -> None:
    adapted = run(make_labels((0, 4, 8)))
    assert adapted.held_out == ()
    assert adapted.error_before is None
    assert adapted.steps == STEPS
    assert len(losses) == STEPS + PROBE_STEPS


def test_a_new_skeleton_keeps_the_weights_of_known_joints(config: Config, checkpoint: Path) -> None:
    names = ('right_hand', 'tail', 'head', 'ear')
    labels = make_labels(names=names)
    initial = make_initial_model(config, checkpoint, labels, 'cpu', seed=0)
    old = torch.load(checkpoint, weights_only=False)['state_dict']
    new = initial.model.state_dict()
    for head in ('head', 'frame_head'):
        for kind in ('weight', 'bias'):
            weight = new[f'{head}.final_layer.{kind}']
            assert len(weight) == 4
            assert torch.equal(weight[[0, 2]], old[f'{head}.final_layer.{kind}'][[2, 0]])
    assert torch.equal(new['backbone.ln1.weight'], old['backbone.ln1.weight'])
    assert initial.kept == '2 of 4 joints kept from the checkpoint by their names, new: tail, ear'


def test_a_model_of_a_new_skeleton_loads_with_the_first_config(
    run: Any, model_files: tuple[Path, Path]
) -> None:
    names = ('right_hand', 'tail', 'head', 'ear')
    adapted = run(make_labels(names=names))
    assert adapted.keypoint_names == names
    for config in (adapted.config, model_files[0]):
        model = WindowModel.from_config(config, adapted.checkpoint)
        assert model.skeleton.keypoint_names == names
        assert model.trained_joints.all()


def test_a_subset_of_the_joints_keeps_the_model_as_it_is(run: Any) -> None:
    adapted = run(make_labels(names=NAMES[1:]))
    assert adapted.keypoint_names == NAMES
    assert adapted.kept == 'all 3 joints of the checkpoint kept'


def test_from_scratch(run: Any, losses: list[float]) -> None:
    adapted = run(make_labels(names=('a', 'b')), checkpoint=None)
    assert adapted.kept == 'a new model of 2 joints'
    assert losses


def test_what_will_be_done_is_said_before(run: Any, losses: list[float], checkpoint: Path) -> None:
    said: list[tuple[str, int]] = []
    run(announce=lambda plan: said.append((str(plan), len(losses))))
    assert said == [
        (
            f'{checkpoint} is trained further on 10 labelled poses of frames 0, 2, 4, 6, 8, in at '
            'most 6 steps and 5 minutes; before that, frame 4 and then frames 2, 6 are held out to '
            'tell how many steps help, if any',
            0,
        )
    ]
    run(announce=said.append)
    assert len(said) == 1, 'nothing is done: it was adapted before'


def test_that_nothing_can_be_held_out_is_said(run: Any) -> None:
    said: list[str] = []
    adapted = run(make_labels((0, 4, 8)), announce=lambda plan: said.append(str(plan)))
    assert 'none is held out that could tell whether it helps' in said[0]
    assert adapted.helped is None
    assert str(adapted).endswith('so nothing tells whether it helped')


class TestFromScratch:
    """A method that does without a network, too, takes a new one only if that helps."""

    @pytest.fixture
    def compared(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Adapt with a method whose error, without and with the network, is known.

        ``crowded`` says of each gap that was filled whether it knows of people in front.
        """
        crowded: list[bool] = []

        def call(
            without: float, with_network: float, reads_others: bool = False, **options: Any
        ) -> AdaptedModel:
            class Offset(BasePropagator):
                uses_model = 'optional'
                uses_fuser = True
                reads_other_people = reads_others

                def __init__(self, window_model: Any = None, **_: Any) -> None:
                    self.offset = without if window_model is None else with_network

                def propagate(self, frames: Any, gaps: Any, skeleton: Any) -> Any:
                    for gap in gaps:
                        crowded.append(bool(gap.crowded.any()))
                        for frame in gap.frames:
                            pose = pose_at(gap.track_id, frame) + np.array([self.offset, 0])
                            yield PropagatedPose.with_visibility_of_labels(
                                gap, frame, pose, np.ones(3)
                            )

            monkeypatch.setitem(PROPAGATORS, 'offset', Offset)
            arguments = {'checkpoint': None, 'method': 'offset', **options}
            adapted: AdaptedModel = run(**arguments)
            return adapted

        call.crowded = crowded  # type: ignore[attr-defined]
        return call

    def test_a_network_that_helps_is_taken(self, compared: Any) -> None:
        adapted = compared(2, 1)
        assert adapted.helped is True
        assert adapted.files == (adapted.config, adapted.checkpoint)
        assert adapted.held_out == (4,)
        # The poses are 16 pixels wide and high.
        assert (adapted.error_before, adapted.error_after) == pytest.approx((12.5, 6.25))
        assert str(adapted).endswith('% of the pose size, it helped')

    @pytest.mark.parametrize('reads_others', [False, True])
    def test_gaps_are_those_of_the_run_that_follows(
        self, compared: Any, reads_others: bool
    ) -> None:
        labels = make_labels()
        everywhere = np.array([0.0, 0, 96, 80])
        in_front = [replace(p, bbox=everywhere) for p in labels.persons if p.track_id == 1]
        behind = [p for p in labels.persons if p.track_id == 0]
        compared(2, 1, reads_others, labels=labels.with_persons([*behind, *in_front]))
        assert any(compared.crowded) == reads_others

    def test_one_that_does_not_is_left_out(self, compared: Any, losses: list[float]) -> None:
        adapted = compared(1, 2)
        assert adapted.helped is False
        assert adapted.files == (None, None)
        assert str(adapted).endswith('it did not help, offset goes without it')
        del losses[:]
        assert compared(1, 2).files == (None, None)
        assert losses == []

    def test_other_pose_networks_beside_it_train_again(self, compared: Any, tmp_path: Path) -> None:
        network = write_described_network(tmp_path / 'dot.onnx')

        def is_cached(file: Path) -> bool:
            options = {'pose_networks': [PoseNetworkFiles(str(file))]}
            adapted: AdaptedModel = compared(1, 2, options=options)
            return adapted.cached

        assert not is_cached(network)
        assert is_cached(network)
        description = network.with_suffix('.json')
        description.write_text(json.dumps(json.loads(description.read_text()) | {'padding': 2.0}))
        assert not is_cached(network)
        moved = network.rename(tmp_path / 'moved.onnx')
        description.rename(moved.with_suffix('.json'))
        assert is_cached(moved)

    def test_the_plan_says_so(self, compared: Any) -> None:
        said: list[str] = []
        compared(1, 2, announce=lambda plan: said.append(str(plan)))
        assert said[0].startswith('a new network is trained on 10 labelled poses of frames 0, 2')
        assert said[0].endswith('frame 4 is held out to tell whether the network helps offset')

    def test_without_such_a_method_there_is_nothing_to_fall_back_to(self, run: Any) -> None:
        adapted = run(checkpoint=None, method='stdpose')
        assert adapted.helped is None
        assert adapted.files == (adapted.config, adapted.checkpoint)
        assert str(adapted).endswith('so there is nothing to fall back to')

    def test_auto_is_compared(self, run: Any) -> None:
        adapted = run(checkpoint=None, method='auto', options={'batch_size': 2})
        assert adapted.method == 'auto'
        assert np.isfinite([adapted.error_before, adapted.error_after]).all()
        assert adapted.helped is (adapted.error_after < adapted.error_before)


def test_propagated_joints_of_given_labels_teach_nothing(run: Any) -> None:
    labels = make_labels((0, 4, 8))
    sources = np.array(['given', 'given', 'propagated'])
    people = [replace(person, keypoint_sources=sources) for person in labels.persons]
    moved = [replace(p, keypoints=p.keypoints + np.array([[0], [0], [9]])) for p in people]
    assert not run(labels.with_persons(people)).cached
    assert run(labels.with_persons(moved)).cached


def test_interrupting_leaves_nothing(
    run: Any, losses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stdpose_mm.models.pose_estimators import STDPose

    before = sorted(tmp_path.iterdir())
    original = STDPose.train_step

    def stop(self: STDPose, *args: Any, **kwargs: Any) -> Any:
        if len(losses) == 3:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    monkeypatch.setattr(STDPose, 'train_step', stop)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert sorted(tmp_path.iterdir()) == before


def test_the_time_is_bounded(run: Any, losses: list[float]) -> None:
    adapted = run(steps=10**6, max_minutes=0.02)
    assert adapted.timed_out
    # A million steps take hours.
    assert adapted.seconds < 120
    del losses[:]
    assert run(steps=10**6, max_minutes=0.02).cached
    assert not run(steps=10**6, max_minutes=0.03).cached


def test_a_step_that_is_halted_beyond_the_deadline_is_the_last(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stdpose_mm.models.pose_estimators import STDPose

    original, seconds = STDPose.train_step, [0.0]

    def halted(self: STDPose, *args: Any, **kwargs: Any) -> Any:
        seconds.append(seconds[-1] + (100 if len(seconds) == PROBE_STEPS else 0.1))
        return original(self, *args, **kwargs)

    clock = SimpleNamespace(monotonic=lambda: seconds[-1])
    for module in (adaptation, video_finetuner):
        monkeypatch.setattr(module, 'time', clock)
    monkeypatch.setattr(STDPose, 'train_step', halted)
    adapted = run(max_minutes=0.1)
    assert adapted.timed_out
    assert adapted.steps == 0


def test_a_window_shows_labelled_frames_only(config: Config, frames: FrameSource) -> None:
    from mmengine.registry import init_default_scope

    from stdpose_mm.datasets.clip_window_dataset import ClipWindowDataset
    from stdpose_mm.engine.seeding import SampleIndex

    init_default_scope('mmpose')
    labels = make_labels()
    dataset = ClipWindowDataset(frames, labels, labels.skeleton.to_metainfo('clip'), [])
    assert len(dataset) == 10
    shown: set[tuple[bool, bool]] = set()
    for seed in range(100):
        info = dataset.get_data_info(SampleIndex(seed % 10, seed))
        left, key, right = info['frame_indices']
        assert {left, key, right} <= set(labels.labelled_frame_indices)
        given_left, given_right = info['aux_given']
        assert not given_left or left < key
        assert not given_right or right > key
        shown.add((bool(given_left), bool(given_right)))
        for side, frame in enumerate((left, right)):
            expected = pose_at(info['track_id'], frame)
            np.testing.assert_allclose(info['aux_keypoints'][side], expected, rtol=1e-6)
        np.testing.assert_array_equal(info['img'][1], frames[key])
    assert shown == {(True, True), (True, False), (False, True), (False, False)}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(max_minutes=0), 'must be positive'),
        (dict(checkpoint=Path('missing.pth')), 'cannot be read'),
        (dict(checkpoint=None, device='nonsense'), "device 'nonsense' cannot be used"),
    ],
)
def test_bad_input_is_refused(run: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(**options)


def test_a_config_without_training_is_refused(run: Any, model_files: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match='this package can train'):
        run(config=model_files[0])


def test_labels_without_a_joint_are_refused(run: Any) -> None:
    empty = make_labels().with_persons([])
    with pytest.raises(InputError, match='no labelled pose'):
        run(empty)


def test_a_window_of_five_frames_also_shows_frames_between(
    config: Config, frames: FrameSource
) -> None:
    from mmengine.registry import init_default_scope

    from stdpose_mm.datasets.clip_window_dataset import ClipWindowDataset
    from stdpose_mm.engine.seeding import SampleIndex

    init_default_scope('mmpose')
    labels = make_labels()
    metainfo = labels.skeleton.to_metainfo('clip')
    dataset = ClipWindowDataset(frames, labels, metainfo, [], num_frames=5)
    between = set()
    for seed in range(20):
        info = dataset.get_data_info(SampleIndex(seed % 10, seed))
        left, before, key, after, right = info['frame_indices']
        assert left <= before <= key <= after <= right
        assert {left, right} <= set(labels.labelled_frame_indices) or not info['aux_given'].all()
        between |= {before, after} - set(labels.labelled_frame_indices)
        np.testing.assert_array_equal(info['img'][3], frames[after])
    assert between
