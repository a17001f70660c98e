"""Pseudo-labels: dense training sets made by propagating sparse labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.io.fingerprint import file_fingerprint, fingerprint
from stdpose_mm.io.labels import (
    files_by_video,
    frame_sources,
    list_all_frames,
    match_labels,
    read_json,
    read_labels,
    write_posetrack18,
)
from stdpose_mm.io.labels.coco import video_name
from stdpose_mm.io.video import FrameSource, open_frames
from stdpose_mm.processes import (
    is_first_process,
    rank_and_count,
    tasks_of_process,
    work_together,
)
from stdpose_mm.propagation import (
    BasePropagator,
    LifeSpan,
    propagate_labels,
    subsample_labels,
)
from stdpose_mm.structures import VideoLabels
from stdpose_mm.structures.propagated_labels import keep_certain
from stdpose_mm.text import counted
from stdpose_mm.version import __version__

LABEL_FOLDER, SUMMARY_FILE = 'annotations', 'summary.json'

MADE_BY = 'pseudo_labels'
"""Field of a written label file that contains its settings, inputs and counts."""

THRESHOLDS = tuple(round(0.1 * n, 1) for n in range(1, 10))
"""Scores for which the summary counts the propagated joints below."""

Counts = dict[str, int]
"""Numbers of one or several videos, see :func:`count_poses`."""


@dataclass(frozen=True)
class PseudoLabelSettings:
    """Settings that, besides the given labels, decide the pseudo-labels of a video.

    Args:
        method: The propagation method.
        min_score: Propagated joints with a lower score become unlabelled.
        interval: T: use the labels of every T-th frame only; None for all.
        life_span: 'labels': a person has poses from the first label to the last, since labels tell
            nothing about the time before and after; 'video': in every frame.
        config: Fingerprint of the model's config, see :func:`model_fingerprints`; None without a
            model.
        checkpoint: Fingerprint of the model's checkpoint, likewise.
        version: Version of this package.

    """

    method: str
    min_score: float = 0.5
    interval: int | None = None
    life_span: LifeSpan = 'labels'
    config: str | None = None
    checkpoint: str | None = None
    version: str = __version__


def model_fingerprints(
    config: str | Path | None, checkpoint: str | Path | None
) -> tuple[str | None, str | None]:
    """Compute the fingerprints of a config file and a checkpoint; None for None.

    Raises:
        InputError: If a file cannot be read.
    """
    if config is not None:
        config = fingerprint(read_config(config).to_dict())
    if checkpoint is not None:
        # A URL is not read, since it identifies the weights itself.
        is_url = '://' in str(checkpoint)
        checkpoint = str(checkpoint) if is_url else file_fingerprint(checkpoint)
    return config, checkpoint


def make_pseudo_labels(
    label_files: Sequence[str],
    out: str | Path,
    propagator: BasePropagator,
    settings: PseudoLabelSettings,
    image_root: str | Path = '',
    video_root: str | Path | None = None,
    progress: Callable[[Iterable[str], int], Iterable[str]] = lambda names, total: names,
) -> dict[str, Any]:
    """Write a dense training set: ``OUT/annotations/<video>.json`` and ``OUT/summary.json``.

    The label files are PoseTrack18 JSON with every frame of the video, and the ``source`` and
    ``scores`` of every pose. A video is skipped if its file already exists and was made with the
    same settings from the same labels, and the same pictures if the method reads any. Joined
    processes (:func:`~stdpose_mm.processes.joined_processes`) each take a share of the videos with
    about the same number of frames; the output does not depend on their number. A video that fails
    does not stop the others.

    Args:
        label_files: One label file per video, in any supported format.
        out: Folder to write to.
        propagator: The propagator of ``settings.method``.
        settings: Settings of the set.
        image_root: Folder that the frames' file names are relative to.
        video_root: Folder that the label files' ``info.video`` is relative to; None to use
            pictures.
        progress: Wraps the iteration over the names of this process's videos, given their number;
            for example ``lambda names, total: tqdm(names, total=total)``.

    Returns:
        The content of ``summary.json``.

    Raises:
        InputError: If a label file cannot be read, two belong to one video, or the folder holds
            labels made with other settings; after all others are done, if a video cannot be
            propagated.
    """
    labeller = _VideoLabeller(
        Path(out) / LABEL_FOLDER, propagator, settings, image_root, video_root
    )
    videos = _survey(label_files, labeller)
    missing = [video for video in videos if video.counts is None]
    share = tasks_of_process([video.num_frames for video in missing], *rank_and_count())
    own = {missing[i].name: missing[i] for i in share}
    done, failed = work_together(progress(own, len(own)), lambda name: labeller.make(own[name]))
    if failed:
        first = min(failed)
        others = ', the others are done' if len(failed) < len(videos) else ''
        raise InputError(
            f'{len(failed)} of {counted(len(videos), "video")} failed{others}; '
            f'the first: {first}: {failed[first]}'
        )
    counts = {video.name: video.counts or done[video.name] for video in videos}
    names = sorted(counts)
    summary = {
        'settings': asdict(settings),
        'videos': len(names),
        **{key: sum(counts[name][key] for name in names) for key in counts[names[0]]},
        'of_each_video': {name: counts[name] for name in names},
    }
    if is_first_process():
        write_json(Path(out) / SUMMARY_FILE, summary, indent=2)
    return summary


def open_labelled_video(
    labels: VideoLabels, image_root: str | Path = '', video_root: str | Path | None = None
) -> FrameSource:
    """Open all frames of a labelled video, including those that its labels do not list.

    Pictures are opened as listed if their frame numbers are consecutive; otherwise all pictures of
    the folder that contains them are opened.

    Raises:
        InputError: If the labels list no frame, or their pictures or video cannot be opened.
    """
    sources = frame_sources(labels, image_root, video_root)
    if not sources:
        raise InputError(f'the labels of video {labels.name!r} list no frame, leave it out')
    path, in_video = next(iter(sources.values()))
    if in_video is not None:
        return open_frames(path)
    if all(after == before + 1 for before, after in pairwise(sources)):
        return open_frames([file for file, _ in sources.values()])
    folders = {Path(file).parent for file, _ in sources.values()}
    if len(folders) > 1:
        raise InputError(
            f'the labels of video {labels.name!r} leave out frames, and their pictures lie in '
            f'{len(folders)} folders, list all frames or put the pictures into one folder'
        )
    return open_frames(folders.pop())


def count_poses(dense: VideoLabels, kept: VideoLabels) -> Counts:
    """Count the poses and joints of a video.

    Args:
        dense: All given and propagated labels.
        kept: The labels that :func:`~stdpose_mm.structures.propagated_labels.keep_certain`
            returned.

    Returns:
        ``frames``, ``people``, ``poses_given`` (with a given joint), ``poses_propagated``,
        ``poses_left_out`` (without any joint left), ``joints_given``, ``joints_propagated``,
        ``joints_dropped``, and ``joints_below_0.1`` .. ``joints_below_0.9``: the number of
        propagated joints, dropped ones included, with a lower score.
    """
    propagated = [person for person in dense.persons if person.source == 'propagated']
    given_joints = sum(int(person.given.sum()) for person in dense.persons)
    kept_poses = [person for person in kept.persons if person.source == 'propagated']
    kept_joints = sum(int((p.labelled & p.propagated).sum()) for p in kept.persons)
    scores = [
        score
        for person in dense.persons
        if person.scores is not None
        for score in person.scores[person.labelled & person.propagated].tolist()
    ]
    return {
        'frames': len(dense.frames),
        'people': len(dense.track_ids),
        'poses_given': sum(person.source == 'given' for person in dense.persons),
        'poses_propagated': len(kept_poses),
        'poses_left_out': len(propagated) - len(kept_poses),
        'joints_given': given_joints,
        'joints_propagated': kept_joints,
        'joints_dropped': len(scores) - kept_joints,
        **{
            f'joints_below_{threshold}': sum(score < threshold for score in scores)
            for threshold in THRESHOLDS
        },
    }


@dataclass(frozen=True)
class _Video:
    """A label file of the set.

    Args:
        name: Name of the video.
        file: The label file.
        num_frames: Number of frames that the labels list.
        counts: Counts of the finished dense labels; None if they have to be made.
    """

    name: str
    file: str
    num_frames: int
    counts: Counts | None


def _survey(label_files: Sequence[str], labeller: _VideoLabeller) -> list[_Video]:
    """Read all label files, shared among the processes, and return them in order."""
    named = files_by_video((video_name(file), file) for file in label_files)
    for file in label_files:
        if Path(file).resolve().parent == labeller.folder.resolve():
            raise InputError(
                f'the labels {file} lie in the output folder {labeller.folder}, choose another '
                '--out'
            )
    # All processes stop at the same error, since the others would wait for one that stops.
    rank, num_processes = rank_and_count()
    found, wrong = work_together(
        list(named)[rank::num_processes], lambda name: labeller.inspect(name, named[name])
    )
    for name in named:
        if name in wrong:
            raise InputError(wrong[name])
    return [found[name] for name in named]


@dataclass(frozen=True)
class _VideoLabeller:
    """Labeller of one video at a time; see :func:`make_pseudo_labels`."""

    folder: Path
    propagator: BasePropagator
    settings: PseudoLabelSettings
    image_root: str | Path
    video_root: str | Path | None

    def inspect(self, name: str, file: str) -> _Video:
        """Read a label file and what was made from it before.

        Raises:
            InputError: If it has no given label, or its dense labels were made with other settings.
        """
        labels = read_labels(file)
        if not any(person.source == 'given' for person in labels.persons):
            raise InputError(f'{file} holds no given label to propagate, leave it out')
        counts = None
        if (target := self.folder / f'{name}.json').exists():
            made_by = self._read_made_by(target)
            # Pictures that cannot be opened are reported for this video after all others are done.
            with suppress(InputError):
                inputs = self._fingerprint_inputs(file, labels)
                if all(made_by.get(key) == value for key, value in inputs.items()):
                    counts = made_by['counts']
        return _Video(name, file, len(labels.frames), counts)

    def make(self, video: _Video) -> Counts:
        """Write the dense labels of a video and count them."""
        labels = read_labels(video.file)
        inputs = self._fingerprint_inputs(video.file, labels)
        settings = self.settings
        if settings.interval is not None:
            labels = subsample_labels(labels, settings.interval)
        frames = open_labelled_video(labels, self.image_root, self.video_root)
        labels = list_all_frames(match_labels(labels, frames), frames)
        dense = propagate_labels(frames, labels, self.propagator, life_span=settings.life_span)
        kept = keep_certain(dense, settings.min_score)
        counts = count_poses(dense, kept)
        made_by = {'settings': asdict(settings), **inputs, 'counts': counts}
        kept = replace(kept, extra={**kept.extra, MADE_BY: made_by})
        write_posetrack18(kept, self.folder / f'{video.name}.json')
        return counts

    def _fingerprint_inputs(self, file: str, labels: VideoLabels) -> dict[str, str | None]:
        video = None
        if self.propagator.reads_pictures:
            video = fingerprint(open_labelled_video(labels, self.image_root, self.video_root))
        return {'labels': file_fingerprint(file), 'video': video}

    def _read_made_by(self, target: Path) -> dict[str, Any]:
        """Read the settings, inputs and counts of a finished file.

        Raises:
            InputError: If the file has none of these, or other settings.
        """
        data = read_json(target)
        made_by = data.get(MADE_BY) if isinstance(data, dict) else None
        if not isinstance(made_by, dict) or not isinstance(made_by.get('settings'), dict):
            raise InputError(
                f'{target} was not written by this command, choose another --out or remove it'
            )
        for key, value in asdict(self.settings).items():
            if (old := made_by['settings'].get(key)) != value:
                raise InputError(
                    f'{target} was made with {key} {old!r}, now it is {value!r}: choose another '
                    '--out, or remove the folder'
                )
        return made_by
