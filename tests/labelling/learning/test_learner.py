"""A network that learns from labels: what it sees, what is hidden from it, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork, pose_box, training_steps
from stdpose_mm.labelling.learning import learner, network_trainer, pose_crops
from stdpose_mm.labelling.learning.learner import LabelledVideo, learn_network
from stdpose_mm.labelling.learning.network_trainer import NetworkTrainer
from stdpose_mm.labelling.learning.small_unet import SmallUNet
from stdpose_mm.structures import PersonLabel, Skeleton, expand
from support.coloured_dots import SKELETON, dots_label, dots_video, pose_at

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('small_batches')]

NUM_FRAMES, LABELLED = 64, range(0, 64, 4)
FRAMES = dots_video(NUM_FRAMES)
NO_PRIOR = np.full((1, 3, 2), np.nan)


def video_of(keyframes: range = LABELLED, shuffled: bool = False) -> LabelledVideo:
    """The labels of some frames; ``shuffled`` exchanges the joints of each at random."""
    random = np.random.default_rng(1)
    labels = {
        frame: dots_label(frame, random.permutation(pose_at(frame)) if shuffled else None)
        for frame in keyframes
    }
    return LabelledVideo(FRAMES, {0: labels})


@pytest.fixture(scope='module')
def learned(learned_dots: Path) -> LearnedNetwork:
    """What :func:`video_of` teaches."""
    return LearnedNetwork(learned_dots)


def test_it_finds_joints_in_frames_without_labels(learned: LearnedNetwork) -> None:
    indices = [2, 6, 13, 30, 41]
    truth = np.stack([pose_at(frame) for frame in indices])
    boxes = pose_box(truth, np.ones((5, 3), bool))
    pictures = [FRAMES[index] for index in indices]
    places, probability = learned.locate(pictures, boxes, [0, 1], NO_PRIOR.repeat(5, axis=0))
    errors = np.linalg.norm(places - truth, axis=-1)
    assert np.median(errors) < 1.5
    assert (errors < 4).all()
    assert probability.min() > 0.5


def test_it_looks_again_at_what_it_saw_in_boxes_that_are_far_off(learned: LearnedNetwork) -> None:
    indices = [2, 6, 13, 30, 41]
    truth = np.stack([pose_at(frame) for frame in indices])
    boxes = expand(pose_box(truth, np.ones((5, 3), bool)), 0.5)
    boxes[:, :2] += 15
    pictures = [FRAMES[index] for index in indices]
    once, probability_once = learned._look(pictures, boxes, [0, 1], NO_PRIOR.repeat(5, axis=0))
    places, probability = learned.locate(pictures, boxes, [0, 1], NO_PRIOR.repeat(5, axis=0))
    errors, errors_once = (np.linalg.norm(p - truth, axis=-1) for p in (places, once))
    assert (errors < 4).all()
    assert errors.mean() < errors_once.mean()
    assert (probability.mean(axis=1) >= probability_once.mean(axis=1)).all()
    for found, expected in zip(
        learned.find(pictures, boxes),
        learned.locate(pictures, boxes, [0, 1], NO_PRIOR.repeat(5, axis=0)),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_the_pose_of_another_method_guides_it(learned: LearnedNetwork) -> None:
    box = pose_box(pose_at(6), np.ones(3, bool))[None]
    _, probability = learned.locate([FRAMES[6]], box, [0, 1], pose_at(6)[None])
    _, misled = learned.locate([FRAMES[6]], box, [0, 1], pose_at(6)[None, [1, 2, 0]])
    assert (probability > misled).all()


def test_its_file_computes_what_networks_with_its_weights_do(learned: LearnedNetwork) -> None:
    networks = [SmallUNet(3), SmallUNet(3)]
    learner._load_weights(networks, learned)
    random, size = torch.Generator().manual_seed(0), learned.input_size[::-1]
    prior = 32 * torch.rand(5, 3, 2, generator=random)
    prior[3, 1] = torch.nan
    inputs = {'crops': torch.randn(5, 3, *size, generator=random), 'prior': prior}
    with torch.no_grad():
        expected = learner._Ensemble(networks).eval()(*inputs.values())
    arrays = {name: values.numpy() for name, values in inputs.items()}
    outputs = learned._session.run(learned._session.outputs, arrays)
    for found, maps in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(found, maps.numpy(), atol=1e-4)


def test_each_member_has_not_seen_a_quarter_of_the_labelled_frames(learned: LearnedNetwork) -> None:
    video = fingerprint(FRAMES)
    hidden = [sorted({*LABELLED} - {*seen[video]}) for seen in learned.record.seen]
    assert hidden == [[4, 20, 36, 52], [12, 28, 44, 60]]

    assert learned.unseen_members(FRAMES, [1, 2, 3]) == (0, 1)
    assert learned.unseen_members(FRAMES, range(18, 23)) == (0,)
    assert learned.unseen_members(FRAMES, [12]) == (1,)
    assert learned.unseen_members(FRAMES, [0]) == ()
    assert learned.unseen_members(dots_video(3), [0]) == (0, 1)


def test_a_pose_of_one_joint_has_the_same_box_in_training_and_in_use(
    learned: LearnedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The median pose is about 33 pixels wide; a box of 0.75 of it and 15 % on every side."""
    one_joint = np.array([True, False, False])
    label = PersonLabel(2, pose_at(2), [2, 0, 0], 0)
    video = video_of()
    boxes: list[np.ndarray] = []
    crop_affine = pose_crops.crop_affine
    monkeypatch.setattr(
        pose_crops, 'crop_affine', lambda box, *args: boxes.append(box) or crop_affine(box, *args)
    )
    with_one = LabelledVideo(FRAMES, {0: {**video.tracks[0], 2: label}})
    network = learn_network([with_one], SKELETON, tmp_path / 'n.onnx', minutes=10, steps=1)
    (used,) = network.boxes(FRAMES, pose_at(2)[None], one_joint[None])
    sizes = [np.ptp(pose_at(frame), axis=0).max() for frame in LABELLED]
    assert used[2] == pytest.approx(0.75 * np.median(sizes) * 1.3)
    # Frame 2 is the second of the labelled ones.
    np.testing.assert_allclose(boxes[1], used)
    # A video that it has not learned from.
    (elsewhere,) = network.boxes(dots_video(3), pose_at(2)[None], one_joint[None])
    np.testing.assert_allclose(elsewhere, used)


def test_its_last_output_is_the_mean_of_its_members(learned: LearnedNetwork) -> None:
    crops = np.random.default_rng(0).normal(size=(3, 3, *learned.input_size[::-1]))
    first, second, mean = learned._run(crops.astype(np.float32))
    np.testing.assert_allclose(mean, (first + second) / 2, atol=1e-6)
    assert (first != second).any()


def test_only_the_members_that_are_asked_say_where_joints_are(learned: LearnedNetwork) -> None:
    box = pose_box(pose_at(2), np.ones(3, bool))[None]
    first, second, both = (
        learned.locate([FRAMES[2]], box, each, NO_PRIOR)[1] for each in ([0], [1], [0, 1])
    )
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, both)
    assert not np.array_equal(second, both)


def test_its_file_alone_is_a_pose_network(learned: LearnedNetwork) -> None:
    files = PoseNetworkFiles.parse(str(learned.path))
    again = load_pose_network(files)
    assert isinstance(again, LearnedNetwork)
    assert again.record == learned.record
    assert [*files.read_files()] == ['0']


def test_shuffled_labels_teach_nothing(tmp_path: Path) -> None:
    network = learn_network(
        [video_of(shuffled=True)], SKELETON, tmp_path / 'n.onnx', minutes=10, steps=40
    )
    assert network.record.right < 0.7
    assert network.record.calibrators[-1](np.array(0.8)) < 0.75


def test_training_continues_from_a_network_and_keeps_hidden_what_was_hidden(
    learned: LearnedNetwork, tmp_path: Path
) -> None:
    video = video_of(range(0, 64, 2))
    more = learn_network(
        [video], SKELETON, tmp_path / 'more.onnx', minutes=10, earlier=learned, steps=2
    )
    # From random weights 2 steps find nothing.
    assert more.record.right > 0.8
    name = fingerprint(FRAMES)
    for before, after in zip(learned.record.seen, more.record.seen, strict=True):
        hidden = {*LABELLED} - {*before[name]}
        assert hidden.isdisjoint(after[name])
        assert {*before[name]} < {*after[name]}
        assert len({*range(0, 64, 2)} - {*after[name]}) == 8


def test_a_network_remembers_the_labels_of_videos_that_are_not_there_any_more(
    learned: LearnedNetwork, tmp_path: Path
) -> None:
    other = dots_video(32)
    video = LabelledVideo(other, {0: {frame: dots_label(frame) for frame in range(0, 32, 4)}})
    more = learn_network(
        [video], SKELETON, tmp_path / 'n.onnx', minutes=10, earlier=learned, steps=1
    )
    assert more.unseen_members(FRAMES, [0]) == ()
    assert more.unseen_members(FRAMES, [4]) == (0,)
    assert more.unseen_members(other, [0]) == ()
    assert {*more.record.least_sides} == {fingerprint(FRAMES), fingerprint(other)}
    # The labels of the first video were removed, and are set again.
    again = learn_network(
        [video_of()], SKELETON, tmp_path / 'm.onnx', minutes=10, earlier=more, steps=1
    )
    name = fingerprint(FRAMES)
    assert [seen[name] for seen in again.record.seen] == [
        seen[name] for seen in learned.record.seen
    ]


def test_each_member_is_judged_by_a_calibrator_of_the_others_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The joints of member 0's hidden labels are right, those of member 1's are wrong."""

    def validate(trainer: NetworkTrainer) -> None:
        number = len(trainer.hidden.crops)
        trainer.certainty = np.full(number, 0.5)
        trainer.right = np.full(number, validated.setdefault(id(trainer), not validated))

    validated: dict[int, bool] = {}
    monkeypatch.setattr(NetworkTrainer, 'validate', validate)
    network = learn_network([video_of()], SKELETON, tmp_path / 'n.onnx', minutes=10, steps=1)
    alone, other, both = (float(c(np.array(0.5))) for c in network.record.calibrators)
    assert alone < 0.3
    assert other > 0.7
    assert both == pytest.approx(0.5, abs=0.01)
    assert [network.record.fitted_for(members) for members in ([0], [1], [0, 1])] == [0, 1, 2]


def test_a_training_that_diverges_is_one_sentence(
    learned: LearnedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_trainer, 'LEARNING_RATE', 1e9)
    out = tmp_path / 'n.onnx'
    with pytest.raises(InputError, match=r'^the training has diverged, learn again without'):
        learn_network([video_of()], SKELETON, out, minutes=10, earlier=learned, steps=4)
    assert not out.exists()


@pytest.mark.parametrize(
    ('options', 'steps'),
    [
        ({'steps': 1}, 1),
        ({'steps': 3, 'minutes': 10}, 3),
        # Sixteen poses: 25 steps each.
        ({}, 400),
        ({'minutes': 1000}, 2000),
    ],
)
def test_it_takes_as_many_steps_as_it_is_told_or_the_labels_need(
    tmp_path: Path, options: dict[str, Any], steps: int
) -> None:
    def stop(done: float, right: float | None) -> None:
        raise RuntimeError(done)

    out = tmp_path / 'n.onnx'
    with pytest.raises(RuntimeError) as first:
        learn_network([video_of()], SKELETON, out, listener=stop, **options)
    assert first.value.args == (1 / steps,)


@pytest.mark.parametrize(
    ('num_poses', 'steps'), [(8, 400), (16, 400), (17, 425), (40, 1000), (200, 1000)]
)
def test_a_training_is_as_long_as_the_number_of_poses_needs(num_poses: int, steps: int) -> None:
    assert training_steps(num_poses) == steps


def test_a_video_that_is_given_twice_hides_the_same_frames_of_both(tmp_path: Path) -> None:
    video = video_of(range(0, 64, 7))
    network = learn_network([video, video], SKELETON, tmp_path / 'n.onnx', minutes=10, steps=1)
    name = fingerprint(FRAMES)
    hidden = [sorted({*range(0, 64, 7)} - {*seen[name]}) for seen in network.record.seen]
    assert hidden == [[7, 35, 63], [21, 49]]


def test_labels_that_were_all_seen_before_judge_nothing(
    learned: LearnedNetwork, tmp_path: Path
) -> None:
    known = learned.record.seen[0][fingerprint(FRAMES)]
    seen = {frame: dots_label(frame) for frame in known}
    with pytest.raises(InputError, match='has learned from all of these'):
        learn_network(
            [LabelledVideo(FRAMES, {0: seen})],
            SKELETON,
            tmp_path / 'n.onnx',
            minutes=10,
            earlier=learned,
        )


def test_too_few_labels_and_other_joints_are_one_sentence(
    learned: LearnedNetwork, tmp_path: Path
) -> None:
    out = tmp_path / 'network.onnx'
    with pytest.raises(InputError, match=r'^7 labelled frames cannot teach a network, label 8'):
        learn_network([video_of(range(0, 28, 4))], SKELETON, out, minutes=1)
    other = Skeleton(('nose', 'tail', 'ear'))
    with pytest.raises(InputError, match='has learned head, left_hand, right_hand, but the labels'):
        learn_network([video_of()], other, out, minutes=1, earlier=learned)
    assert not out.exists()
