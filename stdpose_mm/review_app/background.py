"""Propagation in the background: one thread, which follows the newest correction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Thread

from stdpose_mm.apis.frame_result import FrameResult
from stdpose_mm.errors import InputError
from stdpose_mm.propagation.gaps import shared_frames
from stdpose_mm.review import LabelAccuracy

from .guidance import GuidanceReport
from .messages import SECONDS_BETWEEN_EVENTS, WorkProgress, sentence_of
from .video_review import PoseVersion, VideoReview

FIRST_CHUNK, LONGEST_CHUNK = 128, 2048
"""Number of frames propagated at once when no page waits for poses: at first, and at most."""

BEFORE_VIEW = 32
"""Number of frames before the viewed frame at which the computation of poses starts."""

RETRY_SECONDS = 5.0
"""Seconds after which it is tried again to compute the poses of a video that could not be read."""


class _OutdatedError(Exception):
    """Ends a run whose labels have changed."""


class _Run(WorkProgress):
    """Progress of one run, which ends as soon as it is outdated.

    Args:
        review: The video.
        measures: Whether it measures accuracy. Such a run gives way to any other work, and pages do
            not show its progress.
    """

    def __init__(self, review: VideoReview, measures: bool = False) -> None:
        events = None if measures else review.events
        super().__init__(events, 'progress', len(review.state.frames))
        self.review = review
        self.measures = measures
        self.given_up = False
        self._version = review.pose_version

    @property
    def outdated(self) -> bool:
        """Tell whether there is more important work, or labels or the propagator have changed."""
        return self.given_up or self.review.pose_version != self._version

    def check(self) -> None:
        if self.outdated:
            raise _OutdatedError


class BackgroundWorker:
    """Worker that computes the poses of all videos of a project, one run at a time.

    Args:
        reviews: Lists the opened videos, beginning with the viewed one.
    """

    def __init__(self, reviews: Callable[[], Sequence[VideoReview]]) -> None:
        self._reviews = reviews
        self._woken = Condition()
        self._changed = True
        self._closed = False
        self._run: _Run | None = None
        self._chunk = FIRST_CHUNK
        self._failed_at: dict[VideoReview, PoseVersion] = {}
        self._unreadable: set[VideoReview] = set()
        self._thread = Thread(target=self._work, name='propagation', daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self, review: VideoReview | None = None) -> None:
        """Look for work; a correction of ``review`` interrupts the current run.

        A run that began after the correction goes on.
        """
        with self._woken:
            run = self._run
            if run is not None and (
                run.measures or (review is not None and (run.review is not review or run.outdated))
            ):
                run.given_up = True
            self._changed = True
            self._woken.notify()

    def close(self) -> None:
        """End the thread."""
        with self._woken:
            self._closed = True
            if self._run is not None:
                self._run.given_up = True
            self._woken.notify()
        if self._thread.is_alive():
            self._thread.join(5)

    def _work(self) -> None:
        while True:
            with self._woken:
                timeout = RETRY_SECONDS if self._unreadable else None
                if not self._woken.wait_for(lambda: self._changed or self._closed, timeout):
                    for review in self._unreadable:
                        self._failed_at.pop(review)
                    self._unreadable.clear()
                if self._closed:
                    return
                self._changed = False
            while not self._closed and (
                any(
                    self._try(self._propagate, review) or self._try(self._settle, review)
                    for review in self._reviews()
                )
                or any(self._try(self._measure, review) for review in self._reviews())
            ):
                pass

    def _try(self, work: Callable[[VideoReview], bool], review: VideoReview) -> bool:
        """Do the next part of the work on a video; return whether there was any."""
        version = review.pose_version
        if self._failed_at.get(review) == version:
            return False
        try:
            return work(review)
        except Exception as error:
            with review.lock:
                if review.pose_version != version:
                    # It failed on former labels; what is wrong with the new ones is seen next.
                    return True
                self._failed_at[review] = version
                review.failed = sentence_of(error)
            if isinstance(error, (InputError, OSError)):
                self._unreadable.add(review)
            review.events.send('failed', error=review.failed)
            return False

    def _propagate(self, review: VideoReview) -> bool:
        """Compute the poses that depend on the newest correction, else any other pending ones."""
        with review.lock:
            urgent = review.shown.take_urgent()
            if urgent is not None:
                people, frames = [urgent[0]], urgent[1]
            else:
                start = max(0, review.view - BEFORE_VIEW)
                pending = review.next_pending(start, self._chunk)
                if pending is None:
                    return False
                people, frames = pending
            state = review.state_of_excerpt()
            people = [person for person in people if person in state.tracks]
            if review.is_whole and not review.has_start():
                review.shown.show_nobody()
            if not people or not review.has_start():
                return True
            run, frames = _Run(review), shared_frames(frames, review.excerpt)
            results = review.propagator.propagate_in_video(state, run, people, frames)
        is_finished = False
        with self._running(run):
            is_finished = self._show(run, people, results)
        if urgent is not None and not is_finished:
            with review.lock:
                review.shown.put_back(*urgent)
        if urgent is not None:
            self._chunk = FIRST_CHUNK
        elif is_finished:
            self._chunk = min(2 * self._chunk, LONGEST_CHUNK)
        return True

    def _show(self, run: _Run, people: list[int], results: Iterator[FrameResult]) -> bool:
        """Show poses as they are computed; return whether the run was completed."""
        review = run.review
        unsent: list[int] = []
        sent = time.monotonic()
        try:
            for result in results:
                with review.lock:
                    if run.outdated:
                        return False
                    if review.shown.show_results(result):
                        unsent.append(result.frame_idx)
                if unsent and time.monotonic() - sent > SECONDS_BETWEEN_EVENTS:
                    _send_poses(review, people, unsent)
                    unsent, sent = [], time.monotonic()
            return True
        finally:
            if unsent:
                _send_poses(review, people, unsent)

    def _settle(self, review: VideoReview) -> bool:
        """Report that all poses are computed, and what to do next."""
        with review.lock:
            if review.next_pending(0, 1) is not None:
                # There was an edit after this thread looked for pending poses.
                return True
            revision = review.revision
            is_new = review.settled != revision
            if not is_new and review.guidance.report.revision == revision:
                return False
            review.failed = None
            review.settled = revision
            if is_new:
                if review.guidance.report.revision == revision:
                    review.guidance.outdate_report()
                review.forget_unused()
        return self._report(review, revision)

    def _report(self, review: VideoReview, revision: int) -> bool:
        """Update the guidance for a revision; return whether anything is labelled."""
        with review.lock:
            # Only this thread and edits change poses; after an edit this method runs again.
            people, version = review.state_of_excerpt().tracks, review.pose_version
            everyone = {person: review.shown.of[person] for person in people}
            labels = review.given_labels()
            if labels is None:
                review.guidance.report = GuidanceReport(revision)
        if labels is not None and not review.guidance.update(
            revision,
            everyone,
            labels,
            version[2],
            lambda: review.pose_version != version or self._closed,
        ):
            return True
        review.events.send('idle', revision=revision)
        return labels is not None

    def _measure(self, review: VideoReview) -> bool:
        """Measure the accuracy on hidden labels after all poses are computed."""
        with review.lock:
            revision = review.revision
            if review.guidance.measured_revision == revision or not review.has_start():
                return False
            run = _Run(review, measures=True)
            measured = review.propagator.measure_in_video(
                review.state_of_excerpt(open_ends=False), listener=run
            )
        with self._running(run):
            accuracy = LabelAccuracy.join(measured)
            with review.lock:
                if run.outdated:
                    return True
                review.guidance.set_accuracy(accuracy, revision)
            self._report(review, revision)
        return True

    @contextmanager
    def _running(self, run: _Run) -> Iterator[None]:
        """Let :meth:`wake` interrupt a run, which then ends early."""
        with self._woken:
            self._run = run
        try:
            yield
        except _OutdatedError:
            pass
        finally:
            with self._woken:
                self._run = None


def _send_poses(review: VideoReview, people: list[int], frames: list[int]) -> None:
    review.events.send(
        'poses', revision=review.revision, first=min(frames), last=max(frames), persons=people
    )
