"""Propagation of labels through the videos of several calibrated cameras of one scene."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.errors import InputError
from stdpose_mm.io.calibration import fit_size
from stdpose_mm.io.disk.output_guards import Output, guard_outputs
from stdpose_mm.io.disk.outputs import keep_edited
from stdpose_mm.text import counted

from .jobs import make_jobs
from .progress import FrameProgress
from .propagation_jobs import (
    FilledVideo,
    PropagateJob,
    PropagateOptions,
    PropagationModels,
    fill_video,
    print_label_summary,
    write_video_outputs,
)
from .videos import VideoResult

if TYPE_CHECKING:
    from stdpose_mm.apis.propagation_state import PropagationState
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.structures import VideoLabels

_SAME_RATE = 0.01
"""Largest relative difference of frame rates that count as the same."""


def list_sessions(options: PropagateOptions) -> list[SessionJob]:
    """List the sessions of the videos.

    Raises:
        InputError: If two videos have the same output, or an offset is of no camera.
    """
    jobs, starts = make_jobs(options, PropagateJob, 'rename one'), options.starts
    return [
        SessionJob(options, name, [jobs[number] for number in numbers], starts)
        for name, numbers in options.sessions.items()
    ]


@dataclass(frozen=True)
class SessionJob:
    """The propagation of labels through the videos of a session, which help each other.

    Args:
        options: The options of the command.
        name: The name of the session.
        views: Its videos.
        starts: How many frames later each camera started, by its name.
    """

    options: PropagateOptions
    name: str
    views: Sequence[PropagateJob]
    starts: Mapping[str, int]

    @property
    def out(self) -> str:
        """The file of the joints in space."""
        return str(Path(self.options.out, f'{self.name}_3d.{self.options.format_3d}'))

    @property
    def outputs(self) -> dict[str, str]:
        """See :attr:`~stdpose_mm.cli.jobs.Job.outputs`."""
        of_views = {
            f'{name} of {self.options.cameras[view.listed.video].camera.name}': file
            for view in self.views
            for name, file in view.outputs.items()
        }
        return {'out': self.out, **of_views}

    def check(self, fetches: bool = True) -> None:
        """See :meth:`~stdpose_mm.cli.jobs.VideoJob.check`."""
        for view in self.views:
            view.check(fetches)
        guard_outputs(
            [Output('--format-3d', self.out)], {'--calibration': self.options.calibration}
        )


def propagate_session(session: SessionJob, models: PropagationModels) -> VideoResult:
    """Propagate the labels of each view, let the views help each other, and write the outputs.

    Raises:
        InputError: If something that was given cannot be used; no output is written then.
    """
    from stdpose_mm.io.labels.tables import write_scene
    from stdpose_mm.labelling.evidence.views import (
        View,
        check_views,
        combine_views,
        guess_unit,
        labelled_times,
    )

    options = session.options
    opened = [view.open_video() for view in session.views]
    cameras = [
        fit_size(options.cameras[view.listed.video].camera, view.files.video, frames.size)
        for view, frames in zip(session.views, opened, strict=True)
    ]
    filled = _fill_videos(session, opened, models)
    views = [
        View(camera, video.dense, session.starts[camera.name])
        for camera, video in zip(cameras, filled, strict=True)
    ]
    views, sentences = check_views(views)
    for sentence in sentences:
        print(f'{session.name}: {sentence}', file=sys.stderr)

    def propagate(number: int, labels: VideoLabels) -> VideoLabels:
        view = session.views[number]
        state = view.init_state(models.propagator, opened[number], labels)
        return _fill(view, models, state).dense

    fused, scene = combine_views(views, propagate)
    with keep_edited(options.cache_folder, *([] if options.several_jobs else [session.out])):
        write_scene(scene, session.out, opened[0].fps or 1, guess_unit(views))
    times = labelled_times(views)
    counts: Counter[str] = Counter()
    summary: list[str] = []
    advice: list[str] = []
    problems: list[str] = []
    for video, view, dense in zip(filled, views, fused, strict=True):
        job = video.job
        parts = (job.save_video, job.report)
        with FrameProgress(len(video.frames), 1 + sum(map(bool, parts)), options.quiet) as bar:
            # A view without labels has borrowed some at all of these times.
            least = 2 if any(p.has_given_joint for p in view.labels.persons) else 1
            known = [time - view.start for time, count in times.items() if count >= least]
            result = write_video_outputs(replace(video, dense=dense, known=known), models, bar)
        counts.update(result.counts)
        summary += result.summary
        advice += result.advice
        problems += result.problems
    share = (scene.views > 1).mean() if scene.people else 0
    summary.append(
        f'{session.out}: {counted(len(scene.people), scene.skeleton.category)} in space, '
        f'{share:.0%} of the joints seen by two cameras or more'
    )
    in_space = {'people': len(scene.people), '% of joints seen twice': round(100 * share)}
    return VideoResult({**counts, **in_space}, summary, advice, problems=problems)


def _fill_videos(
    session: SessionJob, opened: Sequence[FrameSource], models: PropagationModels
) -> list[FilledVideo]:
    """Propagate the labels of each view by itself.

    Raises:
        InputError: If the frame rates or the joints differ, a video ends before all others begin,
            or begins after they end, or no view has labels.
    """
    from stdpose_mm.io.labels import list_all_frames
    from stdpose_mm.labelling.propagation.gaps import shared_frames
    from stdpose_mm.structures import VideoLabels

    rates = [frames.fps for frames in opened if frames.fps]
    if rates and max(rates) > (1 + _SAME_RATE) * min(rates):
        raise InputError(
            f'the videos of the session {session.name} have from {min(rates):.5g} to '
            f'{max(rates):.5g} frames per second, but need the same: convert them'
        )
    names = [session.options.cameras[view.listed.video].camera.name for view in session.views]
    starts = [session.starts[name] for name in names]
    times = [range(at, at + len(frames)) for at, frames in zip(starts, opened, strict=True)]
    for name, of_camera in zip(names, times, strict=True):
        if not any(shared_frames(of_camera, other) for other in times if other is not of_camera):
            raise InputError(
                f'the video of {name} in the session {session.name} has no frame at the same time '
                'as another camera, check the --offset'
            )
    labels = [
        None if view.files.labels is None else view.open_labels(frames)
        for view, frames in zip(session.views, opened, strict=True)
    ]
    skeletons = {of.skeleton.keypoint_names: of.skeleton for of in labels if of}
    if len(skeletons) != 1:
        fault = 'labels of different joints' if skeletons else 'no labels'
        raise InputError(
            f'the videos of the session {session.name} have {fault}, label the same joints in '
            'some frames of two of them'
        )
    (skeleton,) = skeletons.values()
    filled = []
    for view, frames, of_view in zip(session.views, opened, labels, strict=True):
        if of_view is None:
            nobody = list_all_frames(VideoLabels(frames.name, skeleton, frames=()), frames)
            filled.append(FilledVideo(view, frames, None, nobody))
            continue
        state = view.init_state(models.propagator, frames, of_view)
        print_label_summary(view, state, of_view)
        filled.append(_fill(view, models, state))
    return filled


def _fill(view: PropagateJob, models: PropagationModels, state: PropagationState) -> FilledVideo:
    """Propagate labels in one view, with probabilities as scores."""
    from stdpose_mm.labelling.review import calibrate_scores

    num_parts = 1 + (models.detector is not None)
    with FrameProgress(len(state.frames), num_parts, view.options.quiet) as bar:
        filled = fill_video(view, models, state, bar)
    return replace(filled, dense=calibrate_scores(filled.dense, view.options.method))
