"""Training of a network on the labels of a project, and export to its file."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stdpose_mm.errors import InputError, require_positive
from stdpose_mm.evaluation.functional import ScoreCalibrator, label_sizes
from stdpose_mm.export.graph_tracing import add_metadata, trace_graph
from stdpose_mm.io import atomic_path
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.evidence.learned_network import (
    ONNX_RECORD,
    SIDE_OF_FEW,
    SIGMA,
    LearnedNetwork,
    LearningRecord,
    fit_calibrator,
    has_few_joints,
    least_side,
    require_enough,
    training_steps,
)
from stdpose_mm.labelling.evidence.network_description import NetworkDescription
from stdpose_mm.labelling.propagation import Tracks
from stdpose_mm.structures import PersonLabel, Skeleton, pose_extent

from .network_trainer import HiddenPoses, NetworkTrainer, train_together
from .pose_crops import (
    PADDING,
    CropSampler,
    PosePatch,
    choose_input_size,
    cut_patch,
    interpolate_labels,
    subjects_turn,
)
from .small_unet import SmallUNet

MEMBERS = 2

_HIDE_EVERY = 4
"""One in this many labelled frames is hidden from a member; other frames from the other member."""

MAX_STEPS = 2000
"""Number of steps of a training that is given a time."""


@dataclass(frozen=True)
class LabelledVideo:
    """A video and labels to learn from.

    Args:
        frames: The video.
        tracks: Person -> {frame index: given label}.
    """

    frames: FrameSource
    tracks: Tracks

    def labels(self) -> dict[int, list[PersonLabel]]:
        """Return the labels with joints of each labelled frame, in order of frames."""
        by_frame: dict[int, list[PersonLabel]] = {}
        for label in chain.from_iterable(track.values() for track in self.tracks.values()):
            if label.has_given_joint:
                by_frame.setdefault(label.frame_index, []).append(label)
        return {frame: by_frame[frame] for frame in sorted(by_frame)}


def learn_network(
    videos: Sequence[LabelledVideo],
    skeleton: Skeleton,
    out: Path,
    minutes: float = math.inf,
    earlier: LearnedNetwork | None = None,
    steps: int | None = None,
    listener: Callable[[float, float | None], None] = lambda done, right: None,
    device: str = 'cpu',
) -> LearnedNetwork:
    """Train a network on the labels of some videos.

    The network has two members. A quarter of the labelled frames is hidden from each member, a
    different quarter for each. These tell how accurate it is and choose nothing but the calibrators
    of its scores.

    Args:
        videos: The videos.
        skeleton: The joints of their labels.
        out: File to write (``.onnx``).
        minutes: Largest training time.
        earlier: A network of the same joints to continue from. Labels hidden from one of its
            members stay hidden from that member.
        steps: Maximum number of steps of each member. The default is ``training_steps`` of the
            poses, which gives equal networks on all machines, and ``MAX_STEPS`` with ``minutes``.
        listener: See :func:`~.network_trainer.train_together`.
        device: Where it is trained.

    Raises:
        InputError: If there are too few labels, the earlier network has other joints, a package is
            missing, or a file cannot be read or written.
        KeyboardInterrupt: If the training was interrupted before the first validation.
    """
    require_positive(minutes=minutes)
    labels = [video.labels() for video in videos]
    require_enough(sum(map(len, labels)))
    if earlier is not None and earlier.skeleton.keypoint_names != skeleton.keypoint_names:
        raise InputError(
            f'{earlier.name} has learned {", ".join(earlier.skeleton.keypoint_names)}, but the '
            f'labels have {", ".join(skeleton.keypoint_names)}, learn again without it'
        )
    everyone = [
        label
        for labels_of_video in labels
        for people in labels_of_video.values()
        for label in people
    ]
    poses = np.stack([np.where(p.given[:, None], p.keypoints, np.nan) for p in everyone])
    turns = subjects_turn(poses)
    if earlier is None:
        extents = pose_extent(poses, ~np.isnan(poses[..., 0]))[:, 2:]
        description = NetworkDescription(
            skeleton.keypoint_names,
            input_size=choose_input_size(extents, turns),
            mean=(128.0,) * 3,
            std=(64.0,) * 3,
            colours='bgr',
            padding=PADDING,
            geometry='centre',
        )
    else:
        description = earlier.description
    names = [fingerprint(video.frames) for video in videos]
    before = earlier.record if earlier is not None else None
    sides = {**(before.least_sides if before else {}), **_least_sides(names, labels)}
    patches = _cut_patches(videos, names, labels, description, sides)
    seen = _choose_seen([*patches], earlier)
    torch.manual_seed(0)
    networks = [SmallUNet(skeleton.num_keypoints) for _ in range(MEMBERS)]
    if earlier is not None:
        _load_weights(networks, earlier)

    trainers = []
    for member, network in enumerate(networks):
        patches_seen: list[PosePatch] = []
        hidden: list[PosePatch] = []
        for key, patches_of_frame in patches.items():
            (patches_seen if key in seen[member] else hidden).extend(patches_of_frame)
        if not hidden:
            raise InputError(
                f'{earlier.name if earlier else "the network"} has learned from all of these '
                'labels, so none is left to test it with, learn again without it'
            )
        sampler = CropSampler(patches_seen, description, skeleton, turns, member)
        poses_hidden = _hidden_poses(hidden, description)
        trainers.append(NetworkTrainer(network.to(device), sampler, poses_hidden))
    if steps is None:
        steps = MAX_STEPS if math.isfinite(minutes) else training_steps(len(everyone))
    train_together(trainers, steps, 60 * minutes, listener)
    record = LearningRecord(
        network=description,
        seen=tuple(
            _unite(patches_seen, before.seen[member] if before else {})
            for member, patches_seen in enumerate(seen)
        ),
        calibrators=[
            *(_fit_calibrator([t for t in trainers if t is not trainer]) for trainer in trainers),
            _fit_calibrator(trainers),
        ],
        least_sides=sides,
        num_poses=len(everyone),
        right=float(np.concatenate([trainer.right for trainer in trainers]).mean()),
    )
    _write(_Ensemble([trainer.result.cpu() for trainer in trainers]), record, out)
    return LearnedNetwork(out)


_FrameKey = tuple[str, int]
"""Fingerprint of a video, which may be given twice, and a frame of it."""


def _choose_seen(keys: Sequence[_FrameKey], earlier: LearnedNetwork | None) -> list[set[_FrameKey]]:
    """Choose the labelled frames that each member is trained on.

    A frame that was hidden from a member of an earlier network stays hidden; one that the member
    has seen cannot be hidden any more.
    """
    before = [set[_FrameKey]() for _ in range(MEMBERS)]
    if earlier is not None:
        before = [
            {key for key in keys if key[1] in seen.get(key[0], ())} for seen in earlier.record.seen
        ]
    seen_before = set().union(*before)
    new = [key for key in keys if key not in seen_before]
    chosen = []
    for member in range(MEMBERS):
        hidden = {*new[1 + member * _HIDE_EVERY // MEMBERS :: _HIDE_EVERY]}
        chosen.append(before[member] | ({*new} - hidden))
    return chosen


def _unite(
    frames_now: Collection[_FrameKey], before: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """Add the frames that a member was trained on now to those of earlier trainings.

    Labels may be removed and set again, and a video may be left out for one training.
    """
    frames = {video: {*earlier} for video, earlier in before.items()}
    for video, frame in frames_now:
        frames.setdefault(video, set()).add(frame)
    return {video: sorted(numbers) for video, numbers in frames.items()}


def _fit_calibrator(trainers: Sequence[NetworkTrainer]) -> ScoreCalibrator:
    """Fit the calibrator of certainties on the labels hidden from some networks."""
    arrays = (
        np.concatenate([getattr(trainer, name) for trainer in trainers])
        for name in ('certainty', 'right')
    )
    return fit_calibrator(*arrays)


def _least_sides(
    names: Sequence[str], labels: Sequence[Mapping[int, Sequence[PersonLabel]]]
) -> dict[str, float]:
    """Compute the least side in pixels of poses of few joints, by the fingerprint of the video."""
    sides = {}
    for name, by_frame in zip(names, labels, strict=True):
        people = [label.only_given() for label in chain.from_iterable(by_frame.values())]
        whole = [label for label in people if not has_few_joints(label.labelled)]
        if whole or people:
            sides[name] = SIDE_OF_FEW * float(np.median(label_sizes(whole or people)))
    return sides


def _cut_patches(
    videos: Sequence[LabelledVideo],
    names: Sequence[str],
    labels: Sequence[Mapping[int, Sequence[PersonLabel]]],
    description: NetworkDescription,
    sides: Mapping[str, float],
) -> dict[_FrameKey, list[PosePatch]]:
    """Cut out all labelled poses from their frames."""
    patches: dict[_FrameKey, list[PosePatch]] = {}
    for video, name, by_frame in zip(videos, names, labels, strict=True):
        priors: dict[int, np.ndarray] = {}
        for track in video.tracks.values():
            in_order = [track[frame] for frame in sorted(track)]
            priors.update(zip(map(id, in_order), interpolate_labels(in_order), strict=True))
        side, sizes = least_side(sides, name), iter(_sizes(by_frame))
        for frame, people in by_frame.items():
            picture = video.frames[frame]
            patches.setdefault((name, frame), []).extend(
                cut_patch(
                    picture, label.only_given(), priors[id(label)], description, side, next(sizes)
                )
                for label in people
            )
    return patches


def _sizes(labels: Mapping[int, Sequence[PersonLabel]]) -> list[float]:
    """Measure all labels of a video, in order."""
    people = [label.only_given() for label in chain.from_iterable(labels.values())]
    return label_sizes(people).tolist() if people else []


def _hidden_poses(patches: Sequence[PosePatch], description: NetworkDescription) -> HiddenPoses:
    """Crop the middle of patches."""
    assert description.input_size is not None
    width, height = description.input_size
    crops, keypoints, priors = [], [], []
    for patch in patches:
        left = (patch.picture.shape[1] - width) // 2
        top = (patch.picture.shape[0] - height) // 2
        crops.append(patch.picture[top : top + height, left : left + width])
        keypoints.append(patch.keypoints - (left, top))
        priors.append(patch.prior - (left, top))
    mean, std = (np.array(v, np.float32) for v in (description.mean, description.std))
    values = (np.stack(crops) - mean) / std
    prior = np.stack(priors).astype(np.float32)
    sizes = np.array([patch.size for patch in patches])
    return HiddenPoses(values.transpose(0, 3, 1, 2), np.stack(keypoints), prior, sizes)


class _Ensemble(nn.Module):
    """The members as one graph, whose outputs are the maps of each, and their mean last.

    The maps are scaled so that a certain member gives a Gaussian of height 1.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, crops: Tensor, prior: Tensor) -> tuple[Tensor, ...]:
        """Map the inputs of :class:`SmallUNet` to maps [N, K, h / 2, w / 2]."""
        maps = []
        for member in self.members:
            logits = member(crops, prior)
            shares = torch.softmax(logits.flatten(2), dim=-1).view_as(logits)
            maps.append(2 * torch.pi * SIGMA**2 * shares)
        return (*maps, torch.stack(maps).mean(0))


def _write(ensemble: _Ensemble, record: LearningRecord, out: Path) -> None:
    assert record.network.input_size is not None
    width, height = record.network.input_size
    outputs = [f'member_{number}' for number in range(len(ensemble.members))] + ['heatmap']
    with atomic_path(out) as temporary:
        example = {
            'crops': torch.zeros(2, 3, height, width),
            'prior': torch.zeros(2, len(record.network.joints), 2),
        }
        trace_graph(ensemble, example, outputs, temporary, keeps_weights=True)
        add_metadata(temporary, {ONNX_RECORD: record.to_json()})


def _load_weights(networks: Sequence[SmallUNet], earlier: LearnedNetwork) -> None:
    """Load the weights of an earlier network's members."""
    onnx: Any = importlib.import_module('onnx')
    graph = onnx.load(earlier.path, load_external_data=False).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for number, network in enumerate(networks):
        state = network.state_dict()
        for name in state:
            stored = values.get(f'members.{number}.{name}')
            if stored is not None:
                state[name] = torch.from_numpy(stored.copy())
        network.load_state_dict(state)
