"""The videos of a project: opened one after the other, and computed by one thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.constants import LABEL_FORMATS, WRITE_FORMATS, LifeSpan
from stdpose_mm.errors import InputError, missing_packages
from stdpose_mm.io.calibration import fit_size, pair_videos
from stdpose_mm.io.disk.outputs import learned_network
from stdpose_mm.io.fingerprint import fingerprint, path_fingerprint
from stdpose_mm.io.labels.label_reading import LabelReading
from stdpose_mm.io.labels.rewriting import LabelRewriter
from stdpose_mm.io.video import FrameSource, open_frames
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.labelling.review import label_warnings
from stdpose_mm.structures import Skeleton, VideoLabels
from stdpose_mm.structures.camera import Camera
from stdpose_mm.structures.propagated_labels import accept_predictions
from stdpose_mm.tracking import assign_track_ids

from .background import BackgroundWorker
from .drafts import DraftSources
from .journal import LABEL_FILE, Journal, same_labels
from .learning import ProjectLearner
from .messages import ExportFormat, ListedVideo, Project, SkeletonData, VideoState, sentence_of
from .proofreading import as_estimates
from .scene import Scene
from .video_review import VideoReview, describe_skeleton

FIRST_PORT, NUM_PORTS = 20_000, 10_000
"""The ports of projects, below the ports that systems assign to connections."""


_NO_VIDEO = -1
"""Number in the queue of videos to open after which no more follows."""


@dataclass(frozen=True)
class ReviewInputs:
    """The files of one video.

    Args:
        files: The files that are read; without labels, the journal's are used, if there are any.
        project: The journal.
        out: File to which the page saves labels.
    """

    files: VideoFiles
    project: Path
    out: Path


@dataclass(frozen=True)
class ReviewOptions:
    """The options of all videos of a project.

    Args:
        target: Share of right joints that counts as good enough.
        skeleton: Joints of unlabelled videos; None to choose them on the page.
        life_span: See :meth:`~stdpose_mm.apis.VideoPosePropagator.init_state`.
        cache: Cache of finished gaps; None to keep them in memory.
        as_given: Minimum score at which joints count as labels, if a file holds only estimates.
        reading: How the label files are read.
        recover: Whether to continue with the edits before a damaged line of a journal.
        read_only: Whether to show these, and refuse every edit.
        list_more: Lists the videos that are there by now without those of some projects.
        say: Called with each message to the user about a video.
        make_propagator: Makes a propagator like the project's in another process, where a network
            learns from the labels.
        drafts: Where drafts of poses come from.
        cameras: The calibrated cameras of the videos, by the names of which they are found.
        starts: How many frames later cameras started, by their names.
        proofread: Whether the label files are results, whose poses are corrected and written back.
    """

    target: float = 0.95
    skeleton: Skeleton | None = None
    life_span: LifeSpan = 'video'
    cache: Path | None = None
    as_given: float = 0.8
    reading: LabelReading = field(default_factory=LabelReading)
    recover: bool = False
    read_only: bool = False
    list_more: Callable[[Collection[Path]], Sequence[ReviewInputs]] = lambda known: ()
    say: Callable[[str], None] = print
    make_propagator: Callable[[], VideoPosePropagator] = VideoPosePropagator
    drafts: DraftSources = field(default_factory=DraftSources)
    cameras: Sequence[Camera] = ()
    starts: Mapping[str, int] = field(default_factory=dict)
    proofread: bool = False


def open_review(
    inputs: ReviewInputs,
    propagator: VideoPosePropagator,
    options: ReviewOptions,
    scene: Scene | None = None,
    number: int = 0,
) -> VideoReview:
    """Open a video, the ``number``-th of the project, with its labels and edits.

    Raises:
        InputError: If a file cannot be used.
    """
    frames = open_frames(inputs.files.video)
    if scene is not None:
        scene.cameras[number] = fit_size(scene.cameras[number], inputs.files.video, frames.size)
    decided_by = {
        'video': fingerprint(frames),
        # A missing file counts as changed; the error then says how to continue without it.
        LABEL_FILE: None if inputs.files.labels is None else path_fingerprint(inputs.files.labels),
    }
    with ExitStack() as stack:
        journal = Journal(inputs.project, decided_by, options.recover, options.read_only)
        stack.callback(journal.close)
        rewriter: LabelRewriter | None = None
        if options.proofread:
            rewriter = _open_result(inputs, frames, options)
            labels: VideoLabels | None = rewriter.labels
            state = propagator.init_state(frames, skeleton=rewriter.labels.skeleton)
            state.tracks = rewriter.labels.tracks()
        else:
            labels = _starting_labels(inputs, frames, journal, options)
            state = propagator.init_state(
                frames,
                labels,
                skeleton=options.skeleton if labels is None else None,
                life_span=options.life_span,
                folder=options.cache,
            )
            if labels is None and state.skeleton is not None and not journal.entries:
                # Edits name joints, so the joints that they begin with are kept like labels.
                labels = VideoLabels(frames.name, state.skeleton, (), ())
            if labels is not None:
                for sentence in label_warnings(state.tracks, labels.skeleton, frames.size):
                    options.say(f'{inputs.files.labels or journal.path}: {sentence}')
        review = VideoReview(
            propagator, state, labels, journal, inputs.out, options.drafts, scene, number, rewriter
        )
        for note in journal.notes:
            options.say(note)
        if not options.read_only:
            review.require_own_output()
        if labels is not None and rewriter is None:
            journal.keep(labels, frames.size)
        stack.pop_all()
    return review


def _open_result(
    inputs: ReviewInputs, frames: FrameSource, options: ReviewOptions
) -> LabelRewriter:
    """Read a result, all poses of which become labels, for what writes it back.

    Raises:
        InputError: If it cannot be read or written back, or has no poses.
    """
    result = inputs.files.labels
    if result is None:
        raise InputError('--proofread needs a result, give its file after the video')
    read = options.reading.load(inputs.files, frames)
    labels = assign_track_ids(options.reading.match(read, frames))
    if not any(person.has_joint for person in labels.persons):
        raise InputError(f'{result} has no poses to proofread, give a result')
    pairs = zip(read.persons, labels.persons, strict=True)
    if any(not np.array_equal(p.keypoints, other.keypoints) for p, other in pairs):
        raise InputError(
            f'{result} was made at another size than {frames.name}, so its poses cannot be written '
            'back: give the video of that size'
        )
    return LabelRewriter(result, as_estimates(labels), frames.size)


def _starting_labels(
    inputs: ReviewInputs, frames: FrameSource, journal: Journal, options: ReviewOptions
) -> VideoLabels | None:
    """Return the labels that the edits begin with, from the label file or the journal.

    Raises:
        InputError: If they cannot be read, or the journal's edits began with other labels.
    """
    initial = journal.labels
    if inputs.files.labels is not None:
        labels = options.reading.load(inputs.files, frames)
        if labels.persons and all(not person.is_given for person in labels.persons):
            labels = accept_predictions(labels, options.as_given)
            options.say(
                f'{inputs.files.labels} holds only estimated poses: joints that score at least '
                f'{options.as_given} are used as labels to correct, and all others are propagated '
                'between them'
            )
        labels = options.reading.match(labels, frames)
        if initial is not None and not same_labels(initial, labels):
            raise journal.other_input(LABEL_FILE)
        return labels
    if initial is not None and initial.persons:
        options.say(f'{journal.path}: using the labels with which its edits began')
    elif initial is not None and options.skeleton is not None:
        begun, requested = initial.skeleton, options.skeleton
        if begun.keypoint_names != requested.keypoint_names:
            raise InputError(
                f'{journal.path} holds edits that began with other joints than --skeleton, leave '
                '--skeleton out to continue with these edits, or give another file with --project '
                'to start over'
            )
    return initial


class ReviewProject:
    """The videos of a server.

    Args:
        inputs: Files of the videos.
        propagator: The propagator that computes the poses between labels.
        options: Options of all videos.
    """

    def __init__(
        self,
        inputs: Sequence[ReviewInputs],
        propagator: VideoPosePropagator,
        options: ReviewOptions,
    ) -> None:
        self.options = options
        self._inputs = list(inputs)
        self._propagator = propagator
        self._reviews: dict[int, VideoReview] = {}
        self._errors: dict[int, str] = {}
        self._latest = 0
        # The page keeps unsent edits under this key; another project may have the same name.
        self.key = fingerprint([str(of_video.project.resolve()) for of_video in inputs])
        self.worker = BackgroundWorker(self._in_order)
        out = inputs[0].out
        self.learner = ProjectLearner(
            propagator,
            options.make_propagator,
            learned_network(out if len(inputs) == 1 else out.parent, several=len(inputs) > 1),
            self._in_order,
        )
        self._scenes: dict[int, Scene] = {}
        self._find_scenes(inputs)
        self._closed = False
        self._to_open: SimpleQueue[int] = SimpleQueue()
        self._listing = Lock()
        self._opening = Thread(target=self._open_queued, name='opening', daemon=True)

    def open(self) -> None:
        """Open a single video at once, or several one after the other in the background.

        Raises:
            InputError: If a single video cannot be opened, or the network of an earlier session
                cannot be used.
        """
        self.learner.use_earlier()
        if len(self._inputs) == 1:
            self._add(0, self._open_review(0))
        else:
            self._open_from(0)
        self.worker.start()

    def list_again(self) -> None:
        """Open the videos that were added where the command looked for videos.

        Raises:
            InputError: If one of them cannot be used; then none is opened.
        """
        with self._listing:
            number = len(self._inputs)
            more = self.options.list_more({inputs.project for inputs in self._inputs})
            self._find_scenes([*self._inputs, *more])
            self._inputs += more
            self._open_from(number)

    def __getitem__(self, number: int) -> VideoReview:
        """Return an open video.

        Raises:
            InputError: If there is no such video, or it could not be opened, or is not open yet.
        """
        if number >= len(self._inputs):
            raise InputError(f'there is no video {number}')
        if number in self._errors:
            raise InputError(self._errors[number])
        if number not in self._reviews:
            raise NotYetOpenError(f'{self._inputs[number].files.name} is being opened')
        self._latest = number
        return self._reviews[number]

    def describe(self) -> Project:
        """Describe the project for the page."""
        videos: list[ListedVideo] = []
        for number, inputs in enumerate(self._inputs):
            review, error = self._reviews.get(number), self._errors.get(number)
            state: VideoState = {'state': 'unavailable' if error else 'loading', 'error': error}
            if review is not None:
                state = review.describe_state(self.options.target)
            videos.append({'id': number, 'name': inputs.files.name, **state})
        return {
            'name': videos[0]['name'] if len(videos) == 1 else f'{len(videos)} videos',
            'key': self.key,
            'target': self.options.target,
            'videos': videos,
            'formats': export_formats(),
        }

    def describe_skeleton(self) -> SkeletonData | None:
        """Describe the joints of the video viewed last that has any, else the network's."""
        network = self._propagator.learned_network
        skeletons = [review.state.skeleton for review in self._in_order()]
        skeletons.append(None if network is None else network.skeleton)
        return next(
            (describe_skeleton(skeleton) for skeleton in skeletons if skeleton is not None), None
        )

    @property
    def usual_port(self) -> int:
        """Return the project's constant port, so that an open page finds the server again."""
        return FIRST_PORT + int(self.key[:8], 16) % NUM_PORTS

    def close(self) -> None:
        """End all work, and close the files."""
        self._closed = True
        self._to_open.put(_NO_VIDEO)
        # Otherwise the video that the thread is opening stays open, and the thread may outlive the
        # interpreter.
        if self._opening.is_alive():
            self._opening.join()
        self.learner.close()
        self.worker.close()
        for review in self._reviews.values():
            review.close()

    def stop(self) -> None:
        """Tell the pages that nothing more will come, and end what they wait for."""
        for review in list(self._reviews.values()):
            review.stop()

    def _in_order(self) -> list[VideoReview]:
        """List the opened videos, beginning with the one that was viewed last."""
        opened = sorted(self._reviews.items(), key=lambda item: (item[0] != self._latest, item[0]))
        return [review for _, review in opened]

    def _open_from(self, first: int) -> None:
        for number in range(first, len(self._inputs)):
            self._to_open.put(number)
            if self._opening.ident is None:
                self._opening.start()

    def _open_queued(self) -> None:
        while (number := self._to_open.get()) != _NO_VIDEO and not self._closed:
            try:
                self._add(number, self._open_review(number))
            except Exception as error:
                self._errors[number] = sentence_of(error)

    def _find_scenes(self, inputs: Sequence[ReviewInputs]) -> None:
        """Find the scene of each video with calibrated cameras.

        Raises:
            InputError: If videos and cameras do not fit.
        """
        if not self.options.cameras:
            return
        views = pair_videos(self.options.cameras, [of_video.files.video for of_video in inputs])
        for session in {view.session for view in views}:
            cameras = {n: view.camera for n, view in enumerate(views) if view.session == session}
            scenes = [self._scenes[n] for n in cameras if n in self._scenes]
            scene = scenes[0] if scenes else Scene({})
            starts = self.options.starts
            scene.starts.update({n: starts.get(c.name, 0) for n, c in cameras.items()})
            # The cameras of opened videos have the sizes of their pictures already.
            scene.cameras.update({n: c for n, c in cameras.items() if n not in scene.cameras})
            self._scenes.update(dict.fromkeys(cameras, scene))

    def _open_review(self, number: int) -> VideoReview:
        scene = self._scenes.get(number)
        return open_review(self._inputs[number], self._propagator, self.options, scene, number)

    def _changed(self, review: VideoReview) -> None:
        """Compute the poses after a change, and let the pages of other views know of it."""
        self.worker.wake(review)
        for view in review.scene.others(review.number):
            other = self._reviews.get(view['id'])
            if other is not None:
                other.events.send('drafts', first=0, last=len(other.state.frames) - 1)

    def _add(self, number: int, review: VideoReview) -> None:
        review.on_change = self._changed
        self._reviews[number] = review
        self.worker.wake()


class NotYetOpenError(InputError):
    """Refusal of a request for a video that is still being opened."""


def export_formats() -> dict[str, ExportFormat]:
    """List the formats of label files that can be written, with the ends of the names of files.

    Each format has its own end, so that one export never replaces another one.
    """
    shared = Counter(suffixes[0] for suffixes in WRITE_FORMATS.values())
    formats: dict[str, ExportFormat] = {}
    for name, (suffix, *_) in WRITE_FORMATS.items():
        ending = f'.{name}{suffix}' if shared[suffix] > 1 else suffix
        package = LABEL_FORMATS[name].package
        is_missing = package and find_spec(package) is None
        formats[name] = {
            'ending': f'{suffix}.zip' if LABEL_FORMATS[name].to_folder else ending,
            'needs': missing_packages(package) if is_missing else None,
        }
    return formats
