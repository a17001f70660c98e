"""Random sessions of edits: their labels and poses are those of a plain model, and come back."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.review_app.journal import Journal
from stdpose_mm.review_app.shown_poses import ShownPoses
from stdpose_mm.review_app.video_review import VideoReview
from stdpose_mm.structures import PersonLabel
from support.label_model import OPEN, LabelModel, RefusedError, Tracks, is_absent, lines
from support.review_page import SKELETON, label, labels_of
from support.shy_propagator import ShyPropagator

NUM_FRAMES = 10
NAMES = SKELETON.keypoint_names
NOBODY = 9
LABELS = [label(n, 1) for n in (0, 4, 9)] + [label(n, 2, 40.0) for n in (0, 9)]

FORMS = """
    set_joints person frame joints
    accept person frame
    accept person frame joints
    copy_nearest person frame
    mark_present person frame
    mark_absent person frame
    forget person frame
    forget person frame joints
    add_person frame joints
    swap a b frame
    swap a b frame last
    swap a b frame last
    split person frame
    merge person into
    remove_person person
    exchange_sides person frame
    exchange_sides person frame joints
    exchange_sides person frame on
    undo
    redo
    restart
    send_again
"""
"""What a session consists of: the edits with their fields."""

# Three decimals, which no coordinate has that a page was told.
numbers = st.integers(0, 9).map(lambda n: 10 * n + 0.125)
# Without x, a joint stays in its place, and is sent as it was shown.
values = st.tuples(numbers | st.none(), numbers, st.sampled_from([2, 2, 1, 0]))
steps = st.fixed_dictionaries(
    {
        'form': st.sampled_from([line.split() for line in FORMS.strip().splitlines()]),
        'joints': st.dictionaries(st.integers(0, 2), values, min_size=1),
        'frame': st.integers(0, NUM_FRAMES - 1),
        'length': st.sampled_from([1, 2, 3, 4, -1, NUM_FRAMES]),
        'person': st.integers(0, 9),
        'distance': st.sampled_from([1, 1, 1, 2, 0]),
    }
)


class Session:
    """A page whose every edit is also done to the model.

    Args:
        method: The method; 'shy' for :class:`ShyPropagator`.
        folder: Folder of the journal.
    """

    def __init__(self, method: str, folder: Path) -> None:
        self.method, self.folder = method, folder
        self.ids = map(str, itertools.count())
        self.tracks: Tracks = {1: {}, 2: {}}
        for start in LABELS:
            self.tracks[start.track_id][start.frame_index] = to_array(start)
        self.past: list[Any] = []
        """The labels before and after each edit, and where it has made some."""
        self.future: list[Any] = []
        self.revision = self.clicks = 0
        self.sent: list[tuple[dict, Any]] = []
        self.review: VideoReview | None = None
        self.restart()

    def make_state(self) -> tuple[VideoPosePropagator, PropagationState]:
        propagator = VideoPosePropagator(method='linear' if self.method == 'shy' else self.method)
        if self.method == 'shy':
            propagator.propagator = ShyPropagator()
        video = ArrayFrames(np.zeros((NUM_FRAMES, 48, 128, 3), np.uint8))
        return propagator, propagator.init_state(video, labels_of(*LABELS))

    def restart(self) -> None:
        """The journal alone brings everything back."""
        if self.review is not None:
            self.review.close()
        self.review = VideoReview(
            *self.make_state(),
            labels_of(*LABELS),
            Journal(self.folder / 'journal.jsonl', {'video': 'v'}),
            self.folder / 'out.json',
        )
        self.check(self.scratch())

    def do(self, step: dict[str, Any]) -> None:
        type, *fields = step['form']
        there = sorted(self.tracks) or [NOBODY]
        first, distance = step['person'], step['distance']
        values = {**step, 'on': True, 'last': min(step['frame'] + step['length'], NUM_FRAMES) - 1}
        for name, place in {'person': first, 'a': first, 'b': first + distance}.items():
            values[name] = NOBODY if first == NOBODY else there[place % len(there)]
        values['into'] = values['b']
        if type == 'restart':
            self.restart()
        elif type == 'send_again':
            for body, answer in self.sent[-1:]:
                again = self.review.edit(body)
                assert (again['revision'], again['person']) == (self.revision, answer['person'])
        else:
            self.send(type, {name: values[name] for name in fields})

    def send(self, type: str, edit: dict[str, Any], is_followed: bool = True) -> None:
        """Do an edit on the page and in the model; compare what follows, poses if they do."""
        before = places(self.review.shown)
        body = {'id': next(self.ids), 'page': 'page', 'revision': self.revision}
        body['edit'] = {'type': type, **edit}
        if 'joints' in edit:
            shown = before.get(edit.get('person', -1), np.zeros((NUM_FRAMES, 3, 3)))[edit['frame']]
            edit['joints'] = {
                k: [*(shown[k, :2].round(2).tolist() if x is None else (x, y)), v]
                for k, (x, y, v) in edit['joints'].items()
            }
            named = {NAMES[k]: value for k, value in edit['joints'].items()}
            is_choice = type in ('forget', 'exchange_sides')
            body['edit']['joints'] = [*named] if is_choice else named
        try:
            after, made = self.expected(type, edit, before)
        except RefusedError:
            with pytest.raises(InputError):
                self.review.edit(body)
            self.check_labels()
            return
        answer = self.review.edit(body)
        everyone = after.keys() | self.tracks.keys()
        changed = {i for i in everyone if after.get(i) is not self.tracks.get(i)}
        if type not in ('undo', 'redo'):
            self.past.append((self.tracks, after, made))
            self.future.clear()
        self.revision += 1
        self.clicks += len(edit['joints']) if type == 'add_person' else 1
        self.tracks = after
        self.sent.append((body, answer))
        self.check_answer(edit.get('frame'), answer)
        self.check_labels()
        if is_followed:
            scratch = self.scratch()
            self.check_announced(before, places(scratch), changed, answer)
            self.check(scratch)

    def expected(self, type: str, edit: dict[str, Any], shown: dict[int, np.ndarray]) -> Any:
        """The labels after an edit, and where it makes labels."""
        if type in ('undo', 'redo'):
            source, target = (self.past, self.future)[:: 1 if type == 'undo' else -1]
            if not source:
                raise RefusedError
            target.append(source.pop())
            return target[-1][type == 'redo'], set()
        after = LabelModel(self.tracks, shown, NUM_FRAMES).do(type, edit)
        if type in ('swap', 'merge', 'split', 'remove_person', 'exchange_sides'):
            return after, set()
        return after, {(edit.get('person', max(after, default=0)), edit['frame'])} & spots(after)

    def scratch(self) -> ShownPoses:
        """The poses of the present labels, computed by a propagator that knows nothing else."""
        propagator, state = self.make_state()
        state.tracks = {i: dict(track) for i, track in self.review.state.tracks.items()}
        shown = ShownPoses(propagator, state)
        compute(shown, propagator, state)
        return shown

    def check_answer(self, frame: int | None, answer: Any) -> None:
        """Labels are in the answer before any pose is computed."""
        assert answer['persons'] == sorted(self.tracks)
        for pose in answer['frames'].get(str(frame), []):
            given = self.tracks[pose['id']].get(frame)
            if given is None:
                assert 'g' not in (pose['sources'] or '')
            elif is_absent(given):
                assert (pose['source'], pose['keypoints']) == ('absent', None)
            else:
                shown = np.array(pose['keypoints'])
                # Where an open joint has no place yet, its source is not known.
                known = np.flatnonzero((given[:, 2] != OPEN) | (shown[:, 2] > 0))
                letters = ['pagg'[int(v) + 1] for v in given[known, 2]]
                assert [pose['sources'][k] for k in known] == letters
                placed = given[:, 2] > 0
                expected = np.insert(given[placed], 3, 1, axis=1)
                np.testing.assert_allclose(shown[placed], expected, atol=0.0051)

    def check_announced(self, before: dict, now: dict, changed: set[int], answer: Any) -> None:
        """What follows from the labels is pending; of the people edited, beside what was shown."""
        touched = {n for first, last in answer['touched'] for n in range(first, last + 1)}
        for person, poses in self.review.shown.of.items():
            if person not in before:
                assert poses.pending.all()
                continue
            moved = np.flatnonzero((before[person] != now[person]).any(axis=(1, 2)))
            assert poses.pending[moved].all()
            if person in changed:
                assert touched.issuperset(moved)
                for n in moved:
                    earlier = np.nan_to_num(poses.before[n])
                    np.testing.assert_array_equal(earlier, before[person][n, :, :2])

    def check_labels(self) -> None:
        state = self.review.state
        assert spots(state.tracks) == spots(self.tracks)
        for person, frame in spots(self.tracks):
            given = state.tracks[person][frame]
            assert (given.track_id, given.frame_index) == (person, frame)
            np.testing.assert_allclose(to_array(given), self.tracks[person][frame], atol=1e-9)
        made = {spot for *_, made in self.past for spot in made} & spots(self.tracks)
        described = self.review.describe()
        assert described == {
            **described,
            'revision': self.revision,
            'labels_made': len(made),
            'clicks': self.clicks,
            'can_undo': bool(self.past),
            'can_redo': bool(self.future),
        }

    def check(self, scratch: ShownPoses) -> None:
        """Compare labels with the model's; compute what is pending, and compare the poses."""
        self.check_labels()
        compute(self.review.shown, self.review.propagator, self.review.state)
        for person, poses in scratch.of.items():
            values = {**vars(self.review.shown.of[person]), 'before': {}}
            np.testing.assert_equal({**vars(poses), 'before': {}}, values)
            if self.method == 'linear':
                expected = lines(self.tracks[person], NUM_FRAMES)
                np.testing.assert_allclose(places(scratch)[person], expected, atol=1e-9)


def compute(shown: ShownPoses, propagator: VideoPosePropagator, state: PropagationState) -> None:
    """Compute what is pending, as the background does."""
    if not any(p.has_joint_or_box for track in state.tracks.values() for p in track.values()):
        shown.show_nobody()
    while pending := shown.next_pending(0, 3, shown.of, range(NUM_FRAMES)):
        for result in propagator.propagate_in_video(state, None, *pending):
            shown.show_results(result)


def places(shown: ShownPoses) -> dict[int, np.ndarray]:
    """Person -> x, y, v [F, K, 3], zero without a place."""
    return {
        person: np.insert(
            np.where(poses.visibility[..., None], poses.keypoints, 0), 2, poses.visibility, axis=2
        )
        for person, poses in shown.of.items()
    }


def to_array(label: PersonLabel) -> np.ndarray:
    visibility = np.where(label.propagated, OPEN, label.visibility)
    return np.insert(label.keypoints, 2, visibility, axis=1)


def spots(tracks: Any) -> set[tuple[int, int]]:
    return {(person, frame) for person, track in tracks.items() for frame in track}


def window(frame: int) -> dict[str, Any]:
    """Swap people in two frames: a step that is rarely drawn where nobody has a label."""
    place = {'frame': frame, 'length': 2, 'person': 0, 'distance': 1}
    return {**place, 'form': ['swap', 'a', 'b', 'frame', 'last']}


def first_person(form: str, visibility: int = 2) -> dict[str, Any]:
    """Edit the first person in the first frame."""
    place = {'frame': 0, 'length': 1, 'person': 0, 'distance': 1}
    return {**place, 'form': form.split(), 'joints': {0: (0.125, 0.125, visibility)}}


NOBODY_AGAIN = [
    first_person('remove_person person'),
    first_person('remove_person person'),
    first_person('add_person frame joints', 0),
    first_person('set_joints person frame joints'),
    first_person('undo'),
]
"""The joints that an undo takes away are the only ones of the video."""


@given(
    method=st.sampled_from(['linear', 'linear', 'spline', 'shy']),
    session=st.lists(steps, min_size=30, max_size=40),
)
@example(method='linear', session=[window(5), window(0), window(3)])
@example(method='linear', session=NOBODY_AGAIN)
@settings(max_examples=2)
def test_a_session_of_edits_is_that_of_a_plain_model_and_is_undone(
    method: str, session: list[dict[str, Any]]
):
    with TemporaryDirectory() as folder:
        page = Session(method, Path(folder))
        for step in session:
            page.do(step)
        number = len(page.past)
        for type in ('undo', 'redo'):
            # One edit after another, quicker than their poses are computed.
            for _ in range(number):
                page.send(type, {}, is_followed=False)
            page.check(page.scratch())
            page.restart()
        page.review.close()
