"""Learning from the labels of a project, in a separate process.

The process has the lowest priority and its own interpreter, so it never holds the server's locks,
and it can be ended at any time. It writes to a temporary folder; the server puts the network beside
the output once it is known to help.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import NamedTuple

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.disk.atomic import atomic_path, require_writable
from stdpose_mm.labelling.evidence.learned_network import (
    LearnedNetwork,
    require_enough,
    training_steps,
)
from stdpose_mm.text import duration

from .messages import Learning, sentence_of
from .video_review import VideoReview

LOWEST_PRIORITY = 19

MOST_MINUTES = 30.0
"""Time after which a training ends before its steps are done, beside other work."""

# Factor by which the number of labels must grow before it is advised to learn again.
WORTHWHILE = 1.5

NOTHING_KEPT = 'stopped before there was a network worth keeping'

TRAINED_LITTLE = '; it was trained little beside other work, so learn again to go on'

_SECONDS_BETWEEN_EVENTS = 0.5

_PROCESSES = get_context('spawn')
"""Start method: a fork of a process with threads may wait forever for their locks."""


@dataclass(frozen=True)
class LearningJob:
    """Inputs of the process, copied when it starts: later edits do not change them.

    Args:
        make_propagator: Makes the propagator without a network learned in this project.
        states: Functions that open each video with its labels.
        earlier: The network to continue from.
        minutes: Largest training time.
        steps: Largest number of training steps.
        folder: Folder for the files of the training.
    """

    make_propagator: Callable[[], VideoPosePropagator]
    states: Sequence[Callable[[], PropagationState]]
    earlier: Path | None
    minutes: float
    steps: int
    folder: Path

    @property
    def out(self) -> Path:
        """Return the file of the network."""
        return self.folder / 'network.onnx'

    @property
    def stop(self) -> Path:
        """Return the file whose existence ends the training with the best network so far."""
        return self.folder / 'stop'


class LearningAnswer(NamedTuple):
    """The last message of the process, with a sentence on the result."""

    sentence: str
    helped: bool = False
    failed: bool = False


def learn_in_process(job: LearningJob, server: Connection) -> None:
    """Learn; send the progress and finally a :class:`LearningAnswer`."""
    # Ctrl-C in a terminal reaches this process too, but the server ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != 'win32':
        os.nice(LOWEST_PRIORITY)

    begun = trained_until = time.monotonic()

    def listen(done: float, right: float | None) -> None:
        nonlocal trained_until
        trained_until = time.monotonic()
        server.send((done, right))
        if job.stop.exists():
            raise KeyboardInterrupt

    try:
        earlier = None if job.earlier is None else LearnedNetwork(job.earlier)
        states = [make() for make in job.states]
        propagator = job.make_propagator()
        outcome = propagator.learn(states, job.out, job.minutes, earlier, listen, job.steps)
        is_little = trained_until - begun >= 60 * job.minutes
        answer = LearningAnswer(f'{outcome}{TRAINED_LITTLE * is_little}', helped=outcome.helped)
    except KeyboardInterrupt:
        answer = LearningAnswer(NOTHING_KEPT)
    except BrokenPipeError:
        # The server was killed.
        return
    except Exception as error:
        answer = LearningAnswer(sentence_of(error), failed=True)
    server.send(answer)


class ProjectLearner:
    """Learner from the labels of all opened videos with the same joints, one training at a time.

    Any thread may call any method.

    Args:
        propagator: The propagator of all videos, which uses a network if it helps.
        make_propagator: Makes an equal propagator in another process.
        path: File of the network.
        reviews: Lists the opened videos.
    """

    def __init__(
        self,
        propagator: VideoPosePropagator,
        make_propagator: Callable[[], VideoPosePropagator],
        path: Path,
        reviews: Callable[[], Sequence[VideoReview]],
    ) -> None:
        self._propagator = propagator
        self._make_propagator = make_propagator
        self._path = path
        self._reviews = reviews
        self._lock = Lock()
        self._job: LearningJob | None = None
        self._process: BaseProcess | None = None
        self._thread: Thread | None = None
        self._closed = False
        self._stopping, self._done = False, 0.0
        self._left: str | None = None
        self._right: float | None = None
        self._answer: LearningAnswer | None = None
        self._answered_at: dict[VideoReview, int] = {}
        self._num_learned = 0

    def use_earlier(self) -> None:
        """Use the network of an earlier session, if there is one.

        Raises:
            InputError: If its file is not such a network.
        """
        if self._propagator.method == 'auto' and self._path.exists():
            try:
                self._propagator.use_network(LearnedNetwork(self._path))
            except InputError as error:
                raise InputError(f'{error}, or move it away to continue without it') from error

    def describe(self, review: VideoReview) -> Learning:
        """Describe the progress for the page, and whether learning can begin with the labels."""
        with self._lock:
            running, stopping, answer = self._job is not None, self._stopping, self._answer
            unread = self._answered_at.get(review) == review.revision
        network = self._propagator.learned_network
        refused: str | None = None
        try:
            self._require_possible(review)
        except InputError as error:
            refused = str(error)
        labels = None if network is None else network.record.num_poses
        many = WORTHWHILE * max(self._num_learned, labels or 0)
        return {
            'refused': refused,
            'worthwhile': refused is None and self._num_labels(review) >= many,
            'running': running,
            'stopping': stopping,
            'done': round(self._done, 3),
            'left': self._left,
            'right': self._right,
            'message': None if answer is None else answer.sentence,
            'unread': unread,
            'failed': answer is not None and answer.failed,
            'labels': labels,
        }

    def start(self, review: VideoReview) -> None:
        """Begin to learn from the current labels.

        Raises:
            InputError: If that is not possible, or a training is running already.
        """
        with self._lock:
            if self._job is not None:
                raise InputError('a network is already learning, stop it or wait for it')
            self._require_possible(review)
            require_writable(self._path)
            network = self._propagator.learned_network
            if network is not None and network.skeleton.keypoint_names != _joints(review):
                network = None
            # On Windows, a process that was killed may still hold a file.
            folder = TemporaryDirectory(ignore_cleanup_errors=True)
            self._num_learned = self._num_labels(review)
            self._job = LearningJob(
                self._make_propagator,
                [_copy(like) for like in self._like(review)],
                None if network is None else network.path,
                MOST_MINUTES,
                training_steps(self._num_learned),
                Path(folder.name),
            )
            self._stopping, self._done, self._right, self._answer = False, 0.0, None, None
            self._left = None
            self._answered_at = {}
            arguments = self._job, folder
            self._thread = Thread(target=self._learn, args=arguments, name='learning', daemon=True)
            self._thread.start()
        self._publish()

    def stop(self) -> None:
        """End the training and keep the best network so far; the second time, keep nothing.

        Nothing is kept either if there is no network yet.
        """
        with self._lock:
            if self._job is not None:
                self._job.stop.touch()
                if self._process is not None and (self._stopping or self._right is None):
                    self._process.kill()
                self._stopping = True
        self._publish()

    def dismiss(self) -> None:
        """Forget that the sentence on the last result was not read."""
        self._answered_at = {}
        self._publish()

    def close(self) -> None:
        """End the process at once."""
        with self._lock:
            self._closed, self._job = True, None
            if self._process is not None:
                self._process.kill()
        if self._thread is not None:
            self._thread.join(5)

    def _require_possible(self, review: VideoReview) -> None:
        if self._propagator.method != 'auto':
            raise InputError('learning needs the method auto, start the review without --method')
        require_packages('learning from labels', 'torch', 'onnx', extra='learn')
        require_enough(sum(len(set(_labelled(like))) for like in self._like(review)))

    def _num_labels(self, review: VideoReview) -> int:
        return sum(len(_labelled(like)) for like in self._like(review))

    def _like(self, review: VideoReview) -> list[VideoReview]:
        """List the opened videos that have the same joints as this one."""
        return [other for other in self._reviews() if _joints(other) == _joints(review)]

    def _learn(self, job: LearningJob, folder: TemporaryDirectory[str]) -> None:
        # The folder is there as long as the job is, so that stop() can write to it.
        with folder:
            try:
                answer = self._run_process(job)
                if answer.helped:
                    self._use(job.out)
            except Exception as error:
                if self._closed:
                    return
                answer = LearningAnswer(sentence_of(error), failed=True)
            with self._lock:
                self._answer, self._job, self._stopping = answer, None, False
                self._answered_at = {review: review.revision for review in self._reviews()}
        self._publish()

    def _run_process(self, job: LearningJob) -> LearningAnswer:
        receiver, sender = _PROCESSES.Pipe(duplex=False)
        process = _PROCESSES.Process(target=learn_in_process, args=(job, sender), daemon=True)
        with self._lock, sender:
            if self._closed:
                raise InputError('the server is stopping')
            process.start()
            self._process = process
        published = time.monotonic()
        begun: tuple[float, float] | None = None
        with receiver:
            try:
                while not isinstance(message := receiver.recv(), LearningAnswer):
                    self._done, self._right = message
                    begun = begun or (time.monotonic(), self._done)
                    if self._done > begun[1]:
                        pace = (time.monotonic() - begun[0]) / (self._done - begun[1])
                        self._left = duration(pace * (1 - self._done))
                    if time.monotonic() - published > _SECONDS_BETWEEN_EVENTS:
                        published = time.monotonic()
                        self._publish()
                return message
            except EOFError:
                process.join()
                if self._stopping:
                    return LearningAnswer(NOTHING_KEPT)
                raise InputError(
                    f'the learning ended early (exit code {process.exitcode}), perhaps for lack '
                    'of memory; the poses are as before'
                ) from None

    def _use(self, file: Path) -> None:
        with atomic_path(self._path) as temporary:
            shutil.copyfile(file, temporary)
        self._propagator.use_network(LearnedNetwork(self._path))
        for review in self._reviews():
            review.compute_again()

    def _publish(self) -> None:
        for review in self._reviews():
            review.events.send('learning', **self.describe(review))


def _joints(review: VideoReview) -> tuple[str, ...]:
    skeleton = review.state.skeleton
    return () if skeleton is None else skeleton.keypoint_names


def _labelled(review: VideoReview) -> list[int]:
    """List the frame of each labelled pose."""
    with review.lock:
        tracks = review.state.tracks.values()
        return [n for track in tracks for n, label in track.items() if label.has_given_joint]


def _copy(review: VideoReview) -> Callable[[], PropagationState]:
    """Copy a video and its labels so that another process can open it."""
    with review.lock:
        values = {
            **vars(review.state),
            'tracks': {person: dict(track) for person, track in review.state.tracks.items()},
        }
    del values['caches']
    return partial(PropagationState, **values)
