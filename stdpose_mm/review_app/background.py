"""Work in the background: one thread follows the newest correction, another measures accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Condition, Thread

from stdpose_mm.apis.frame_result import FrameResult
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.propagation.gaps import shared_frames
from stdpose_mm.labelling.review import LabelAccuracy
from stdpose_mm.structures import PersonLabel

from .guidance import GuidanceReport
from .messages import SECONDS_BETWEEN_EVENTS, WorkProgress, sentence_of
from .video_review import PoseVersion, VideoReview

FIRST_CHUNK, LONGEST_CHUNK = 128, 2048
"""Number of frames propagated at once when no page waits for poses: at first, and at most."""

BEFORE_VIEW = 32
"""Number of frames before the viewed frame at which the computation of poses starts."""

RETRY_SECONDS = 5.0
"""Seconds after which it is tried again to compute the poses of a video that could not be read."""

REPORT_SECONDS = 20.0
"""Age of a report or a measurement from which the next one does not wait for all poses."""


FLOW_SECONDS = 1.0
"""Seconds for which a result is compared with optical flow before a proposal has its turn."""


class _OutdatedError(Exception):
    """Ends a run whose labels have changed."""


class _Run(WorkProgress):
    """Progress of one run, which ends as soon as it is outdated.

    Args:
        review: The video.
        meanwhile: Called again and again during the work.
        measures: Whether it measures accuracy. Such a run outlives edits, and pages do not show its
            progress.
    """

    def __init__(
        self,
        review: VideoReview,
        meanwhile: Callable[[], None],
        measures: bool = False,
    ) -> None:
        events = None if measures else review.events
        super().__init__(events, 'progress', len(review.state.frames))
        self.review = review
        self.measures = measures
        self.given_up = False
        self._meanwhile = meanwhile
        self._version = self._read_version()

    def _read_version(self) -> tuple[object, ...]:
        version = self.review.pose_version
        return (self.review.state.skeleton, *version[1:]) if self.measures else version

    @property
    def outdated(self) -> bool:
        """Tell whether there is more important work, or labels or the propagator have changed."""
        return self.given_up or self._read_version() != self._version

    def check(self) -> None:
        if self.outdated:
            raise _OutdatedError

    def advance(self, frames_done: float) -> None:
        super().advance(frames_done)
        self._meanwhile()


class BackgroundWorker:
    """Worker that computes and measures the poses of all videos of a project, one run at a time.

    Measuring gives way to poses that are still to come, until the last measurement is old.

    Args:
        reviews: Lists the opened videos, beginning with the viewed one.
    """

    def __init__(self, reviews: Callable[[], Sequence[VideoReview]]) -> None:
        self._reviews = reviews
        self._woken = Condition()
        self._due = {self._compute, self._measure}
        self._is_computing = True
        self._closed = False
        self._runs: set[_Run] = set()
        self._chunk = FIRST_CHUNK
        self._failed_at: dict[tuple[bool, VideoReview], PoseVersion] = {}
        self._unreadable: set[tuple[bool, VideoReview]] = set()
        self._threads = [
            Thread(target=self._work, args=[look], name=name, daemon=True)
            for name, look in (('propagation', self._compute), ('measuring', self._measure))
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def wake(self, review: VideoReview | None = None) -> None:
        """Look for work; a correction of ``review`` interrupts the poses that are computed.

        A run that began after the correction goes on.
        """
        with self._woken:
            for run in self._runs:
                if review is not None and not run.measures:
                    run.given_up |= run.review is not review or run.outdated
            self._look(self._compute)

    def _look(self, look: Callable[[], None]) -> None:
        """Let a thread look for work."""
        with self._woken:
            self._due.add(look)
            self._is_computing |= look == self._compute
            self._woken.notify_all()

    def close(self) -> None:
        """End the threads."""
        with self._woken:
            self._closed = True
            for run in self._runs:
                run.given_up = True
            self._woken.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)

    def _work(self, look: Callable[[], None]) -> None:
        while True:
            with self._woken:
                # An old measurement is renewed although nothing wakes its thread.
                timeout = RETRY_SECONDS if self._unreadable or look == self._measure else None
                if not self._woken.wait_for(lambda: look in self._due or self._closed, timeout):
                    # The other thread might wait for ever if this one forgot its failures.
                    for failure in [f for f in self._unreadable if f[0] == (look == self._measure)]:
                        self._unreadable.remove(failure)
                        self._failed_at.pop(failure, None)
                if self._closed:
                    return
                self._due.discard(look)
            look()

    def _compute(self) -> None:
        is_busy = True
        while is_busy and not self._closed:
            with self._woken:
                self._due.discard(self._compute)
            is_busy = any(
                self._try(self._propagate, review) or self._try(self._settle, review)
                for review in self._reviews()
            )
        with self._woken:
            self._is_computing = self._compute in self._due
            self._look(self._measure)

    def _measure(self) -> None:
        while not self._closed and any(
            self._try(self._measure_video, review)
            # Flow is computed a second at a time, between proposals.
            or self._try(self._propose, review) | self._try(self._carry, review)
            for review in self._reviews()
        ):
            pass

    def _try(self, work: Callable[[VideoReview], bool], review: VideoReview) -> bool:
        """Do the next part of the work on a video; return whether there was any."""
        is_measuring = work not in (self._propagate, self._settle)
        version, failure = review.pose_version, (is_measuring, review)
        if self._failed_at.get(failure) == version:
            return False
        try:
            return work(review)
        except Exception as error:
            with review.lock:
                if review.pose_version != version:
                    # It failed on former labels; what is wrong with the new ones is seen next.
                    return True
                self._failed_at[failure] = version
                review.failed = sentence_of(error)
            if isinstance(error, (InputError, OSError)):
                with self._woken:
                    self._unreadable.add(failure)
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
            run = _Run(review, partial(self._renew_report, review))
            frames = shared_frames(frames, review.excerpt)
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
            guidance = review.guidance
            if (
                not is_new
                and guidance.report.revision == revision
                and not guidance.is_measured_anew
            ):
                return False
            review.failed = None
            review.settled = revision
            if is_new:
                if guidance.report.revision == revision:
                    guidance.outdate_report()
                review.forget_unused()
        return self._report(review, revision)

    def _propose(self, review: VideoReview) -> bool:
        """Propose other places for the worst doubt about a result; return whether there was one.

        The search outlives edits, which come faster than it ends.
        """
        if review.proofreading is None:
            return False
        with review.lock:
            job = review.proofreading.next_to_propose()
            if job is None:
                return False
            name, doubt, labels = job
            within = range(doubt.frames[0], doubt.frames[-1] + 1)
            run = _Run(review, lambda: None, measures=True)
            state = review.propagator.init_state(
                review.state.frames, skeleton=review.state.skeleton
            )
            state.tracks = {doubt.track_id: labels}
        poses: list[PersonLabel] = []
        with self._running(run):
            if labels:
                people = [doubt.track_id]
                results = review.propagator.propagate_in_video(state, run, people, within)
                poses = [p for r in results for p in r.persons if p.frame_index in doubt.frames]
        with review.lock:
            review.proofreading.propose(name, poses)
        review.events.send('drafts', first=within[0], last=within[-1])
        return True

    def _carry(self, review: VideoReview) -> bool:
        """Compare a result with optical flow for a while; return whether there was anything."""
        if review.proofreading is None:
            return False
        with review.lock:
            tracks = {person: dict(track) for person, track in review.state.tracks.items()}
        begun, is_new = time.monotonic(), False
        for _ in review.proofreading.carry(tracks):
            is_new = True
            if self._closed or time.monotonic() - begun > FLOW_SECONDS:
                break
        if review.proofreading.has_carried(tracks):
            review.guidance.is_measured_anew = True
            self._look(self._compute)
        return is_new

    def _renew_report(self, review: VideoReview) -> None:
        """Report on the poses so far, if no report was made for long."""
        guidance = review.guidance
        if guidance.is_measured_anew or time.monotonic() - guidance.reported_at > REPORT_SECONDS:
            self._report(review, review.revision)

    def _report(self, review: VideoReview, revision: int) -> bool:
        """Update the guidance for a revision; return whether anything is labelled."""
        if review.proofreading is not None:
            review.check_result(revision)
            review.events.send('idle', revision=revision)
            return True
        with review.lock:
            people, version = review.state_of_excerpt().tracks, review.pose_version
            everyone = {person: review.shown.of[person] for person in people}
            # Their poses may come during the update, which a thread that reads ahead may make, or
            # after it. After an edit this method runs again.
            pending = [person for person, poses in everyone.items() if poses.pending.any()]
            labels, labels_made = review.given_labels(), review.labels_made
            is_settled = review.settled == revision
            if labels is None:
                review.guidance.report = GuidanceReport(revision)
                review.guidance.is_measured_anew = False
        is_reported = labels is None or review.guidance.update(
            revision,
            everyone,
            labels,
            version[2],
            labels_made,
            lambda: review.pose_version != version or self._closed,
        )
        for person in pending:
            review.guidance.forget(person)
        if is_reported and is_settled:
            review.events.send('idle', revision=revision)
        return labels is not None

    def _measure_video(self, review: VideoReview) -> bool:
        """Measure the accuracy on hidden labels; return whether anything was measured."""
        guidance = review.guidance
        with review.lock:
            revision, is_settled = review.revision, review.settled == review.revision
            if guidance.measured_revision == revision or not review.has_start():
                return False
            if not is_settled and time.monotonic() - guidance.measured_at < REPORT_SECONDS:
                return False
            run = _Run(review, partial(self._give_way, review), measures=True)
            measured = review.propagator.measure_in_video(
                review.state_of_excerpt(open_ends=False),
                listener=run,
                later=guidance.measured_frames,
            )
        parts: list[LabelAccuracy] = []
        begun = time.monotonic()
        with self._running(run):
            for part in measured:
                parts.append(part)
                if time.monotonic() - begun > REPORT_SECONDS:
                    begun = time.monotonic()
                    self._set_accuracy(run, parts, None)
                    if review.revision != revision:
                        # Begin again with the new labels: gaps that they leave alone are known.
                        return True
            self._set_accuracy(run, parts, revision)
        return True

    def _set_accuracy(
        self, run: _Run, parts: Sequence[LabelAccuracy], revision: int | None
    ) -> None:
        with run.review.lock:
            run.check()
            run.review.guidance.set_accuracy(parts, revision)
        self._look(self._compute)

    def _give_way(self, review: VideoReview) -> None:
        """Wait for the poses that are computed, unless the accuracy was not measured for long."""
        with self._woken:
            left = review.guidance.measured_at + REPORT_SECONDS - time.monotonic()
            self._woken.wait_for(lambda: self._closed or not self._is_computing, max(0.0, left))

    @contextmanager
    def _running(self, run: _Run) -> Iterator[None]:
        """Let :meth:`wake` interrupt a run, also before it has begun; it then ends early."""
        with self._woken:
            self._runs.add(run)
            run.given_up |= not run.measures and self._compute in self._due
        try:
            yield
        except _OutdatedError:
            pass
        finally:
            with self._woken:
                self._runs.discard(run)


def _send_poses(review: VideoReview, people: list[int], frames: list[int]) -> None:
    review.events.send(
        'poses', revision=review.revision, first=min(frames), last=max(frames), persons=people
    )
