"""Messages between the page and the server: JSON values, and the stream of events."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections.abc import AsyncIterator, Callable
from threading import Lock
from typing import Any, Literal, TypedDict

from stdpose_mm.errors import explain_error, one_line
from stdpose_mm.labelling.review import LabelWarning
from stdpose_mm.structures import Source

SHOWN_DECIMALS = 2
"""Decimals of the pixel coordinates that the page gets."""

PoseEdit = Literal['set_joints', 'accept', 'forget', 'mark_absent', 'mark_present', 'copy_nearest']
PersonEdit = Literal['add_person', 'swap', 'merge', 'split', 'remove_person', 'exchange_sides']
DoubtEdit = Literal['accept_proposal', 'confirm']
VideoEdit = Literal['set_skeleton', 'undo', 'redo']
EditType = Literal[PoseEdit, PersonEdit, DoubtEdit, VideoEdit]

Quantity = Literal['x', 'y', 'speed']
"""What a trace shows of a joint: pixels, or pixels from one frame to the next."""

Traced = tuple[int, Quantity] | None
"""The index of the joint of a trace, and what it shows; None for no trace."""

Run = tuple[int, int, Source]
"""First and last frame of poses with the same source."""

WorkEvent = Literal['poses', 'progress', 'idle', 'failed', 'learning', 'writing']
EventName = Literal['hello', 'pages', 'edited', 'drafts', WorkEvent]


class TypedEdit(TypedDict):
    """The field that all edits have."""

    type: EditType


class Edit(TypedEdit, total=False):
    """An edit; :class:`~.edits.EditReader` says which fields a type needs."""

    person: int
    frame: int
    joints: Any
    a: int
    b: int
    last: int
    into: int
    on: bool
    name: str
    origins: dict[str, str]
    limbs: list[list[int]]
    category: str
    of: str
    draft: str
    reason: str


class EditRequest(TypedDict):
    """An edit with its identifier, the page's, and the number of edits that the page knows."""

    id: str
    page: str
    revision: int
    edit: Edit


class Pose(TypedDict):
    """A person in a frame.

    ``keypoints`` are [x, y, visibility, score] per joint, ``sources`` has a letter per joint (g, p
    or a), ``before`` has the positions before the latest correction. A ``sketched`` pose was never
    computed: straight lines between the labels stand in for it.
    """

    id: int
    source: Source
    keypoints: list[list[float]] | None
    sources: str | None
    pending: bool
    sketched: bool
    before: list[list[float] | None] | None


class DraftPose(TypedDict):
    """A draft: ``keypoints`` as in :class:`Pose`, its box, and its person, None for a new one.

    In proofreading, a doubt with its proposal; ``reason`` says why, None for other drafts.
    """

    id: str
    person: int | None
    keypoints: list[list[float]]
    box: list[float]
    reason: str | None


class Poses(TypedDict):
    """Poses by frame, and the open drafts by frame, for frames with drafts only."""

    revision: int
    frames: dict[str, list[Pose]]
    drafts: dict[str, list[DraftPose]]


class DraftAnswer(Poses):
    """Answer to a request for drafts, with a sentence for the user; '' for none."""

    message: str


class PlacedPose(TypedDict):
    """Joints, [x, y, visibility] by name, as the nearest labelled pose has them; {} without one."""

    joints: dict[str, list[float]]


class DraftState(TypedDict):
    """Which drafts are possible.

    ``source`` names the network, ``networks`` are the names to choose from, ``chosen`` is the one
    that was, '' for none. ``refused`` and ``find_refused`` say why no joints can be placed in a box
    and nobody can be found, and ``frames`` are those with open drafts.
    """

    source: str
    networks: list[str]
    chosen: str
    refused: str | None
    find_refused: str | None
    frames: list[int]


class Counts(TypedDict):
    """Numbers on the edits so far."""

    labels_made: int
    clicks: int
    can_undo: bool
    can_redo: bool


class EditAnswer(Poses, Counts):
    """Changes of an edit.

    ``touched`` are first and last frames of outdated poses, and ``of`` is the edit that an undo or
    redo concerns.
    """

    touched: list[list[int]]
    persons: list[int]
    person: int | None
    of: Edit | None


class SkeletonData(TypedDict):
    """The joints of a video."""

    joints: list[str]
    limbs: list[list[int]]
    parents: list[int]
    flip: list[int]
    category: str


class SceneVideo(TypedDict):
    """A video of the same scene, by its number in the project, and the name of its camera.

    Its frames have numbers that are higher by ``later`` than those of the same time in this one.
    """

    id: int
    name: str
    later: int


class SceneLines(TypedDict):
    """What a joint of a person in a frame of a video means in another video of the scene.

    ``person`` is the person there. ``line`` are pixels there, on the curve of the points that the
    joint's pixel may show; ``back`` the same in this video, if the joint is given there.
    """

    person: int | None
    line: list[list[float]]
    back: list[list[float]]


class Video(Counts):
    """An open video; ``skeletons`` are the choices for an unlabelled one.

    ``times`` are the seconds of the frames, None if they follow from ``fps`` or are unknown.

    ``proofreading`` tells whether it holds a result, whose poses are corrected and never computed.
    """

    name: str
    frames: int
    width: int
    height: int
    fps: float | None
    times: list[float] | None
    skeleton: SkeletonData | None
    skeletons: dict[str, SkeletonData]
    persons: list[int]
    revision: int
    settled: int
    saved: int | None
    excerpt: list[int] | None
    method: str
    failed: str | None
    views: list[SceneVideo]
    proofreading: bool


class VideoCounts(TypedDict, total=False):
    """Numbers on a video that is open."""

    frames: int
    people: int
    labels: int


class VideoState(VideoCounts):
    """State of a video in the list of the project; without numbers until it is open."""

    state: Literal['loading', 'unavailable', 'unlabelled', 'in work', 'good enough']
    error: str | None


class ListedVideo(VideoState):
    """A video in the list of the project."""

    id: int
    name: str


class ExportFormat(TypedDict):
    """A format to export to: the end of the file's name, and the package that is missing for it."""

    ending: str
    needs: str | None


class Project(TypedDict):
    """The videos of the server, and the formats to export to."""

    name: str
    key: str
    target: float
    videos: list[ListedVideo]
    formats: dict[str, ExportFormat]


class Trace(TypedDict):
    """One joint over time: the lowest and highest value of each column, None where it is unknown.

    ``labels`` has [frame, value] of given joints, at most one for each column.
    """

    low: list[float | None]
    high: list[float | None]
    labels: list[list[float]]


class Lane(TypedDict):
    """A person in the timeline: runs [first, last, source], and the lowest score of each column.

    ``joints`` and ``joint_runs`` are the same for each joint, for the requested person only, and
    ``trace`` is that of the requested joint.
    """

    id: int
    runs: list[Run]
    heat: list[float | None]
    joints: dict[str, list[float | None]] | None
    joint_runs: dict[str, list[Run]]
    trace: Trace | None


class Place(TypedDict):
    """A person in a frame, and the reason to look there; None for anybody, if nobody is known."""

    frame: int
    person: int | None
    reason: str


class Check(TypedDict):
    """A frame in doubt: the person with the lowest score in it, and the reason.

    ``draft`` is the doubt in proofreading, else None.
    """

    frame: int
    person: int
    reason: str
    score: float
    draft: str | None


class Measured(TypedDict):
    """The accuracy on hidden labels."""

    right: float
    labels: int
    text: str


class Learning(TypedDict):
    """State of learning from the labels.

    ``refused`` says why it cannot begin, ``worthwhile`` whether there are many new labels, ``left``
    how long the training still takes at its pace, ``right`` is the share of hidden joints that the
    network finds, ``message`` is the sentence on the last result, ``unread`` whether there was no
    edit since, and ``labels`` is the number of labels that the network in use has learned from.
    """

    refused: str | None
    worthwhile: bool
    running: bool
    stopping: bool
    done: float
    left: str | None
    right: float | None
    message: str | None
    unread: bool
    failed: bool
    labels: int | None


class Timeline(TypedDict):
    """The lanes of everyone, and the marks at frames."""

    columns: int
    persons: list[Lane]
    checks: list[Check]
    suggestions: list[int]


class GuidanceAnswer(Counts):
    """What to do next, and whether the poses are good enough; see :class:`~.review.Outlook`.

    ``next`` is the first of ``suggestions``, ``advised`` the revision of the poses behind them, and
    ``labels_judged`` the number of labels made until then.
    """

    expected_wrong: float | None
    right: tuple[float, float, float] | None
    labels_needed: tuple[int, int | None] | None
    labels_to_measure: int
    measuring: bool
    good_enough: bool
    next: Place | None
    suggestions: list[Place]
    advised: int
    labels_judged: int
    doubtful: list[Check]
    num_doubtful: int
    measured: Measured | None
    computing: bool
    warnings: list[LabelWarning]


def sentence_of(error: Exception) -> str:
    """Describe an error in a sentence; for a bug, the server also prints the traceback."""
    sentence = explain_error(error)
    if sentence is None:
        traceback.print_exception(error)
        sentence = f'{type(error).__name__}: {one_line(error)}, a bug'
    return sentence


KEEP_ALIVE_SECONDS, SECONDS_BETWEEN_EVENTS = 15.0, 0.15

MAX_WAITING = 1000
"""Maximum number of unread events of a page; a page with more is disconnected."""


class EventStream:
    """Server-sent events of a video for any number of pages; any thread may send."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[bytes | None], asyncio.AbstractEventLoop] = {}
        self._lock = Lock()

    def send(self, event: EventName, **data: Any) -> None:
        """Send an event to every page."""
        self._put(_encode(event, data))

    def close(self) -> None:
        """End the streams of all pages."""
        self._put(None)

    async def listen(self, hello: Callable[[], dict[str, Any]]) -> AsyncIterator[bytes]:
        """Yield the events for one page until it disconnects.

        Args:
            hello: Returns what the page is told first. It is called when the page is sure to be
                told of whatever follows.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        with self._lock:
            self._queues[queue] = asyncio.get_running_loop()
        try:
            self.send('pages', count=len(self._queues))
            yield _encode('hello', hello())
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), KEEP_ALIVE_SECONDS)
                except asyncio.TimeoutError:
                    message = b': still here\n\n'
                if message is None:
                    return
                yield message
        finally:
            with self._lock:
                self._queues.pop(queue, None)
            self.send('pages', count=len(self._queues))

    def _put(self, message: bytes | None) -> None:
        def put(queue: asyncio.Queue[bytes | None]) -> None:
            if queue.qsize() < MAX_WAITING:
                queue.put_nowait(message)
                return
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)

        with self._lock:
            for queue, loop in self._queues.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(put, queue)


class WorkProgress:
    """Progress of work on a video, for pages.

    Args:
        events: The stream of the video; None to send nothing.
        event: The event with the number of frames that are done, of how many.
        num_frames: Length of the video.
    """

    def __init__(self, events: EventStream | None, event: EventName, num_frames: int) -> None:
        self._events, self._event, self._num_frames = events, event, num_frames
        self._idle, self._sent = 0.0, time.monotonic()

    def check(self) -> None:
        """Raise an error if the work must end."""

    def start(self, frames_done: int, num_poses: int) -> None:
        self._idle = frames_done

    def advance(self, frames_done: float) -> None:
        self.check()
        now = time.monotonic()
        if self._events is not None and now - self._sent > SECONDS_BETWEEN_EVENTS:
            self._sent = now
            done, of = frames_done - self._idle, self._num_frames - self._idle
            self._events.send(self._event, done=round(done, 2), of=of)


def _encode(event: EventName, data: dict[str, Any]) -> bytes:
    return f'event: {event}\ndata: {json.dumps(data)}\n\n'.encode()
