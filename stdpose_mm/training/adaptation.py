"""Fit a model to one video by its labelled frames, before these are propagated."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from tqdm import tqdm

from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.inference import read_checkpoint
from stdpose_mm.io import atomic_path
from stdpose_mm.io.atomic import require_writable
from stdpose_mm.io.labels import match_frames
from stdpose_mm.io.video import FrameSource, PreloadedFrames
from stdpose_mm.propagation import given_labels
from stdpose_mm.structures import VideoLabels
from stdpose_mm.version import __version__

from .video_finetuner import (
    MIN_FRAMES_TO_HOLD_OUT,
    InitialModel,
    VideoFinetuner,
    config_of,
    make_start,
)

STEPS = 200
"""Training steps from a checkpoint."""

STEPS_FROM_SCRATCH = 1500

MAX_PICTURE_BYTES = 2**30


@dataclass(frozen=True)
class AdaptedModel:
    """A model fitted to one video.

    Args:
        checkpoint: Its weights and joints; they also load with the config that came in.
        config: Its config.
        keypoint_names: Its joints.
        kept: One sentence on what came from the start checkpoint.
        labels: Number of labelled poses that it was fitted on.
        held_out: Frames whose labels were held out to choose the number of steps; empty with too
            few labels.
        error_before: Mean error on these of the start weights, in per cent of the pose size, a
            joint counting 20 at most; None where nothing was held out.
        error_after: The same after the chosen number of steps, these labels being held out.
        steps: Training steps; 0 if the start weights could not be bettered.
        timed_out: Whether there was no time for more.
        seconds: What it took.
        cached: Whether it was found where an earlier call had left it.
    """

    checkpoint: Path
    config: Config
    keypoint_names: tuple[str, ...]
    kept: str
    labels: int
    held_out: tuple[int, ...]
    error_before: float | None
    error_after: float | None
    steps: int
    timed_out: bool
    seconds: float
    cached: bool = False

    def __str__(self) -> str:
        if self.error_before is None or self.error_after is None:
            error = 'too few labelled frames to hold any out'
        else:
            error = (
                f'error on the held-out frames {", ".join(map(str, self.held_out))}: '
                f'{self.error_before:.1f} -> {self.error_after:.1f} % of the pose size'
            )
        how = 'as adapted before' if self.cached else f'{self.seconds:.0f} s'
        return (
            f'{self.checkpoint}: {self.kept}; {self.steps} steps on {self.labels} labelled '
            f'poses ({how}); {error}'
        )


def adapt(
    config: str | Path | Config,
    checkpoint: str | Path | None,
    frames: FrameSource,
    labels: VideoLabels,
    *,
    out: Path,
    device: str | torch.device = 'cpu',
    max_minutes: float = 5.0,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> AdaptedModel:
    """Fine-tune a model on the labelled frames of a video.

    With labels on at least four frames those in between are held out in two turns: the mean error
    on them chooses the number of steps, zero included, and the model is then trained on all labels
    for as long. With fewer it is a fixed small number of steps.

    The model keeps its joints if it knows all labelled ones. Otherwise it gets those of the
    labels: a joint with a name that the model knows keeps its channels, a new one starts with
    those of another joint.

    The result lies in ``<stem of out>.adapted.pth`` beside ``out``. If it is there already for the
    same video, labels, config, checkpoint and options, nothing is trained.

    Args:
        config: Config that the model was trained with, and is now trained further with.
        checkpoint: Weights to start from; None to train from scratch.
        frames: The video.
        labels: Its given labels.
        out: The label file that will be written with the model.
        device: Where to train.
        max_minutes: Limit of the time for training.
        steps: Largest number of training steps; by default 200, from scratch 1500.
        seed: Of all random numbers. The result depends on it, not on the time, as long as the
            limit is not reached.
        progress: Show a bar.

    Raises:
        InputError: If nothing is labelled, an argument is out of range, a file cannot be used, or
            the config says nothing about training.
    """
    config = config if isinstance(config, Config) else read_config(config)
    _check(config, max_minutes, steps)
    labels = _poses(given_labels(match_frames(labels, frames)))
    if steps is None:
        steps = STEPS_FROM_SCRATCH if checkpoint is None else STEPS
    path = Path(out).with_name(f'{Path(Path(out).name.removesuffix(".gz")).stem}.adapted.pth')
    digest = _digest(config, checkpoint, frames, labels, steps, seed)
    cached = _stored(path, config, digest, max_minutes)
    if cached is not None:
        return cached
    require_writable(path)

    started = time.monotonic()
    labels = _thinned_out(labels, frames.size)
    start = make_start(config, checkpoint, labels, device, seed)
    with tqdm(desc='adapt', unit=' steps', disable=not progress) as bar:
        pictures = PreloadedFrames(frames, labels.labelled_frame_indices)
        fit = VideoFinetuner(start, pictures, labels, seed, bar)
        fitted = fit.run(steps, started + 60 * max_minutes)
    adapted = AdaptedModel(
        checkpoint=path,
        config=start.config,
        keypoint_names=start.skeleton.keypoint_names,
        kept=start.kept,
        labels=len(labels.persons),
        held_out=fitted.held_out,
        error_before=fitted.error_before,
        error_after=fitted.error_after,
        steps=fitted.steps,
        timed_out=fitted.timed_out,
        seconds=round(time.monotonic() - started, 1),
    )
    _store(adapted, start, digest, max_minutes)
    return adapted


def _poses(labels: VideoLabels) -> VideoLabels:
    """The labels that have a joint.

    Raises:
        InputError: If there is none.
    """
    persons = [person for person in labels.persons if person.labelled.any()]
    if not persons:
        raise InputError(
            f'{labels.name} has no labelled pose to adapt to, label a person in some frames'
        )
    return labels.with_persons(persons)


def _thinned_out(labels: VideoLabels, size: tuple[int, int]) -> VideoLabels:
    """The labels of so many frames, evenly spread, that their pictures fit into memory."""
    indices = labels.labelled_frame_indices
    limit = max(MIN_FRAMES_TO_HOLD_OUT, MAX_PICTURE_BYTES // (3 * size[0] * size[1]))
    if len(indices) <= limit:
        return labels
    chosen = np.linspace(0, len(indices) - 1, limit).round().astype(int)
    return labels.keep_frames(indices[place] for place in chosen)


def _digest(
    config: Config,
    checkpoint: str | Path | None,
    frames: FrameSource,
    labels: VideoLabels,
    steps: int,
    seed: int,
) -> str:
    """Equal for calls with the same result."""
    digest = hashlib.sha256()
    settings = (config.to_dict(), __version__, steps, seed, labels.skeleton.keypoint_names)
    digest.update(json.dumps(settings, default=str, sort_keys=True).encode())
    if checkpoint is not None:
        try:
            digest.update(hashlib.sha256(Path(checkpoint).read_bytes()).digest())
        except OSError as error:
            raise InputError(
                f'checkpoint {checkpoint} cannot be read: {error.strerror or error}'
            ) from error
    first = labels.labelled_frame_indices[0]
    digest.update(repr((len(frames), frames.size)).encode() + frames[first].tobytes())
    for person in labels.persons:
        box = None if person.bbox is None else person.bbox.tolist()
        digest.update(repr((person.frame_index, person.track_id, box)).encode())
        digest.update(person.keypoints.tobytes() + person.visibility.tobytes())
    return digest.hexdigest()


def _store(adapted: AdaptedModel, start: InitialModel, digest: str, max_minutes: float) -> None:
    fields = asdict(adapted)
    del fields['config'], fields['checkpoint'], fields['cached']
    content = {
        'meta': {
            'dataset_meta': parse_pose_metainfo(start.metainfo),
            'adapted': {'digest': digest, 'max_minutes': max_minutes, **fields},
        },
        'state_dict': {name: weight.cpu() for name, weight in start.model.state_dict().items()},
    }
    with atomic_path(adapted.checkpoint) as temporary:
        torch.save(content, temporary)


def _stored(path: Path, config: Config, digest: str, max_minutes: float) -> AdaptedModel | None:
    """The result of an earlier call, if that is what this call would give."""
    if not path.is_file():
        return None
    try:
        fields = read_checkpoint(path)[1].get('adapted', {})
    except InputError:
        return None
    if fields.pop('digest', None) != digest:
        return None
    if fields.pop('max_minutes') < max_minutes and fields['timed_out']:
        return None
    config = config_of(config, len(fields['keypoint_names']))
    return AdaptedModel(checkpoint=path, config=config, cached=True, **fields)


def _check(config: Config, max_minutes: float, steps: int | None) -> None:
    if not max_minutes > 0:
        raise InputError(f'the minutes for adapting must be positive, got {max_minutes}')
    if steps is not None and steps < 1:
        raise InputError(f'the steps of adapting must be at least 1, got {steps}')
    pipelines = all(
        'pipeline' in config.get(loader, {}).get('dataset', {})
        for loader in ('train_dataloader', 'test_dataloader')
    )
    if 'model' not in config or 'optim_wrapper' not in config or not pipelines:
        raise InputError(
            f'config {config.filename or "(in memory)"} has no model, no optim_wrapper, or no '
            'pipeline in train_dataloader.dataset and test_dataloader.dataset, use a config that '
            'this package can train and test'
        )
