"""Proofreading a result: doubts first, proposals, confirmations, and the way back to the file."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.cli.main import main
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.labels.rewriting import LabelRewriter
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.labelling.review import CarriedPoses
from stdpose_mm.review_app.background import BackgroundWorker
from stdpose_mm.review_app.edits import EditHistory
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject
from stdpose_mm.review_app.proofreading import Proofreading, as_estimates
from stdpose_mm.tracking import assign_track_ids
from stdpose_mm.tracking.optical_flow import move_points
from support.label_documents import DOCUMENTS
from support.review_page import NUM_FRAMES, POSE, SKELETON, Page, access_to

T = TypeVar('T')

JUMP, EXCHANGED, UNSURE = 12, range(20, 25), range(30, 33)


def make_table(path: Path) -> None:
    """Write predictions of an animal that walks, with three mistakes."""
    rows = [
        ['scorer', *(9 * ['net'])],
        ['bodyparts', *(name for name in SKELETON.keypoint_names for _ in range(3))],
        ['coords', *(3 * ['x', 'y', 'likelihood'])],
    ]
    for frame in range(NUM_FRAMES):
        points = POSE + np.array([10 + 0.5 * frame, 5 + 3 * np.sin(frame / 5)])
        if frame == JUMP:
            points[0] += 12
        if frame in EXCHANGED:
            points[[1, 2]] = points[[2, 1]]
        score = '0.250' if frame in UNSURE else '0.990'
        rows.append([frame, *(v for x, y in points for v in (f'{x:.5f}', f'{y:.5f}', score))])
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    path = tmp_path / 'clipnet.csv'
    make_table(path)
    return path


@pytest.fixture
def proofread(video: Path, result: Path) -> Iterator[Callable[..., Page]]:
    """Open the page on the result; opening it again ends the server before."""
    projects: list[ReviewProject] = []
    num_pages = len(Page.opened)

    def open_(settles: bool = True) -> Page:
        for project in projects:
            project.close()
        inputs = ReviewInputs(
            VideoFiles(video, result),
            result.with_suffix('.review.jsonl'),
            result.with_name('clipnet_proofread.csv'),
        )
        options = ReviewOptions(proofread=True, say=lambda sentence: None)
        project = ReviewProject([inputs], VideoPosePropagator(method='linear'), options)
        projects.append(project)
        project.open()
        page = Page(access_to(project))
        if settles:
            page.settle()
        page.revision = page.get()['revision']
        return page

    yield open_
    Page.close_all(but=num_pages)
    for project in projects:
        project.close()


def wait_for(what: Callable[[], T | None]) -> T:
    """Wait for what comes in the background."""
    until = time.monotonic() + 120
    while not (value := what()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return value


def doubts(page: Page) -> dict[str, dict]:
    """Return the first doubt of each reason that the page lists."""
    listed = reversed(page.get('/guidance')['doubtful'])
    return {check['reason'].split(',')[0]: check for check in listed}


def drafts_of(page: Page, frame: int) -> dict[str, dict]:
    """Return the doubts that are drawn in a frame, by identifier."""
    drafts = page.get('/poses', first=frame, last=frame)['drafts'].get(str(frame), [])
    return {draft['id']: draft for draft in drafts}


def proposed_places(page: Page, frame: int, doubt: str) -> list[list[float]]:
    """Return the places that are proposed in a frame for a doubt; none if there are none yet."""
    places = drafts_of(page, frame)[doubt]['keypoints']
    return places if any(visibility for _, _, visibility, _ in places) else []


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_every_pose_is_shown_as_it_was_estimated(proofread: Callable[[], Page]) -> None:
    page = proofread()
    (pose,) = page.poses(UNSURE[0]).values()
    assert (pose['source'], pose['sources'], pose['pending']) == ('propagated', 'ppp', False)
    assert [joint[3] for joint in pose['keypoints']] == [0.25] * 3


def test_doubts_come_worst_first_with_proposals(proofread: Callable[[], Page]) -> None:
    page = proofread()
    listed = page.get('/guidance')['doubtful']
    assert {'jump', 'sides exchanged', 'low score'} <= doubts(page).keys()
    assert [check['score'] for check in listed] == sorted(check['score'] for check in listed)
    (draft,) = page.get('/poses', first=JUMP, last=JUMP)['drafts'][str(JUMP)]
    assert draft['reason'].startswith('jump, frame 12: head')
    x, y = POSE[0] + [10 + 0.5 * JUMP, 5 + 3 * np.mean(np.sin([11 / 5, 13 / 5]))]
    assert draft['keypoints'] == [[pytest.approx(x, abs=0.01), pytest.approx(y, abs=0.01), 2, 0],
                                  [0, 0, 0, 0], [0, 0, 0, 0]]  # fmt: skip


def test_joints_around_a_doubt_tell_a_proposal(proofread: Callable[[], Page]) -> None:
    page, frame = proofread(), UNSURE[1]
    doubt = doubts(page)['low score']
    proposed = wait_for(lambda: proposed_places(page, frame, doubt['draft']))
    before, after = (page.joint(n, 0) for n in (UNSURE[0] - 1, UNSURE[-1] + 1))
    # The method draws straight lines.
    assert proposed[0][:2] == pytest.approx(np.mean([before, after], axis=0), abs=0.02)


def test_a_long_doubt_and_one_by_optical_flow_are_there_in_time(
    proofread: Callable[[], Page], result: Path
) -> None:
    """What jumps in a picture that stands still is unlike flow; scores are low for 18 frames."""
    rows = [line.split(',') for line in lines(result)]
    for row in rows[3 + 15 : 3 + 33]:
        row[3] = '0.100'
    result.write_text('\n'.join(map(','.join, rows)) + '\n')
    page = proofread()
    long = wait_for(lambda: doubts(page).get('low score'))
    assert 'frames 15-32: head' in long['reason']
    drawn = wait_for(lambda: proposed_places(page, 20, long['draft']))[0]
    before, after = page.joint(14, 0), page.joint(33, 0)
    line = np.array(before) + (np.array(after) - before) * (20 - 14) / (33 - 14)
    assert drawn[:2] == pytest.approx(line, abs=0.02)
    unlike = wait_for(lambda: doubts(page).get('unlike flow'))
    assert unlike['frame'] == JUMP


def test_flow_that_ends_with_its_turn_is_reported(
    proofread: Callable[[], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a turn for each pair of frames, the last one ends when its time is over, too."""
    monkeypatch.setattr('stdpose_mm.review_app.background.FLOW_SECONDS', 0)
    page = proofread()
    assert wait_for(lambda: doubts(page).get('unlike flow'))['frame'] == JUMP


def test_flow_that_fails_at_once_does_not_keep_back_the_other_doubts(
    proofread: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that looks for doubts has to wait meanwhile."""
    compute, is_late = BackgroundWorker._compute, [True]

    def compute_late(worker: BackgroundWorker) -> None:
        if is_late:
            wait_for(lambda: any(review.failed for review in worker._reviews()))
            is_late.clear()
        compute(worker)

    def fail(*_: object) -> Iterator[int]:
        raise MemoryError

    monkeypatch.setattr(BackgroundWorker, '_compute', compute_late)
    monkeypatch.setattr(CarriedPoses, 'carry', fail)
    page = proofread(settles=False)
    assert wait_for(lambda: doubts(page).get('jump'))['frame'] == JUMP


def open_result(video: Path, result: Path) -> tuple[Proofreading, PropagationState]:
    propagator = VideoPosePropagator(method='linear')
    labels = as_estimates(assign_track_ids(read_labels(result)))
    state = propagator.init_state(video, skeleton=labels.skeleton)
    state.tracks = labels.tracks()
    rewriter = LabelRewriter(result, labels, state.frames.size)
    return Proofreading(rewriter, state, EditHistory(propagator, state)), state


def test_people_whom_flow_carries_during_a_check_are_checked_again(
    video: Path, result: Path
) -> None:
    proofreading, state = open_result(video, result)
    carried = proofreading.carry(state.tracks)
    next(carried)
    proofreading.check(state.tracks)
    assert [*carried]
    people, doubtful = proofreading.check(state.tracks)
    assert people == {0}
    assert 'unlike flow' in {doubt.reason for doubt in doubtful}


def test_flow_after_the_check_of_an_edit_that_leaves_nothing_to_carry_is_reported(
    video: Path, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Person 1 is there longer than person 0, whose last pose flow carries when 1 is removed."""
    proofreading, state = open_result(video, result)
    (track,) = state.tracks.values()
    last = JUMP + 1
    other = {n: replace(p, track_id=1, keypoints=p.keypoints + 1) for n, p in track.items()}
    state.tracks = {0: {n: p for n, p in track.items() if n <= last}, 1: other}

    def move_late(points: np.ndarray, *flow: np.ndarray) -> np.ndarray:
        if 1 in state.tracks and np.array_equal(points, track[last].keypoints):
            del state.tracks[1]
            proofreading.check({0: dict(state.tracks[0])})
        return move_points(points, *flow)

    monkeypatch.setattr('stdpose_mm.review_app.background.FLOW_SECONDS', 0)
    monkeypatch.setattr('stdpose_mm.tracking.optical_flow.move_points', move_late)
    guidance = SimpleNamespace(is_measured_anew=False)
    review: Any = SimpleNamespace(
        proofreading=proofreading, state=state, lock=nullcontext(), guidance=guidance
    )
    worker = BackgroundWorker(lambda: [review])
    while worker._carry(review):
        pass
    assert guidance.is_measured_anew
    _, doubtful = proofreading.check(state.tracks)
    assert 'unlike flow' in {doubt.reason for doubt in doubtful}


def test_what_followed_from_poses_of_before_is_not_proposed(video: Path, result: Path) -> None:
    propagator = VideoPosePropagator(method='linear')
    labels = as_estimates(assign_track_ids(read_labels(result)))
    state = propagator.init_state(video, skeleton=labels.skeleton)
    state.tracks = labels.tracks()
    rewriter = LabelRewriter(result, labels, state.frames.size)
    proofreading = Proofreading(rewriter, state, EditHistory(propagator, state))
    proofreading.renew(*proofreading.check(labels.tracks()))
    searched = proofreading.next_to_propose()
    assert searched is not None
    name, doubt, around = searched
    # Meanwhile somebody corrects the pose before the doubt.
    before = doubt.frames[0] - 1
    assert before in around
    state.tracks[0][before] = replace(state.tracks[0][before], scores=np.ones(3))
    proofreading.propose(name, [state.tracks[0][frame] for frame in doubt.frames])
    again = proofreading.next_to_propose()
    assert again is not None
    assert again[0] == name
    # Now nothing changes, and what is proposed is taken.
    proofreading.propose(name, [state.tracks[0][frame] for frame in doubt.frames])
    following = proofreading.next_to_propose()
    assert following is None or following[0] != name


def test_an_accepted_place_is_written_and_nothing_else(
    proofread: Callable[[], Page], result: Path
) -> None:
    page = proofread()
    doubt = doubts(page)['jump']
    page.edit('accept_proposal', draft=doubt['draft'], frame=doubt['frame'])
    assert 'jump' not in doubts(page)
    file = Path(page.post('/save', {}).json()['file'])
    before, after = lines(result), lines(file)
    changed = [n for n, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert changed == [3 + JUMP]
    assert after[3 + JUMP].split(',')[4:] == before[3 + JUMP].split(',')[4:]
    (row,) = csv.DictReader(lines(file.with_name('clipnet_proofread_changes.csv')))
    cells = before[3 + JUMP].split(',')
    assert (row['frame'], row['person'], row['joint']) == ('12', '0', 'head')
    assert [float(row['from_x']), float(row['from_y'])] == [float(cells[1]), float(cells[2])]
    assert [row['to_x'], row['to_y']] == [float(v).__repr__() for v in after[15].split(',')[1:3]]
    assert (row['from_score'], row['to_score']) == ('0.99', '1.0')
    assert row['why'] == 'accepted proposal: jump'


def test_exchanged_sides_are_mended_over_the_stretch(
    proofread: Callable[[], Page], result: Path
) -> None:
    page = proofread()
    page.edit('accept_proposal', draft=doubts(page)['sides exchanged']['draft'])
    assert 'sides exchanged' not in doubts(page)
    after = lines(Path(page.post('/save', {}).json()['file']))
    for number, (old, new) in enumerate(zip(lines(result), after, strict=True)):
        cells = old.split(',')
        if number - 3 in EXCHANGED:
            cells = [*cells[:4], *cells[7:], *cells[4:7]]
        texts = [*map(float, cells[1:])] if number > 2 else cells[1:]
        assert ([*map(float, new.split(',')[1:])] if number > 2 else new.split(',')[1:]) == texts


def test_what_is_right_is_not_asked_again_and_stays(
    proofread: Callable[[], Page], result: Path
) -> None:
    page = proofread()
    doubt = doubts(page)['low score']
    page.edit('confirm', draft=doubt['draft'])
    assert doubt['draft'] not in drafts_of(page, UNSURE[0])
    file = Path(page.post('/save', {}).json()['file'])
    assert file.read_bytes() == result.read_bytes()
    page.edit('undo')
    assert doubt['draft'] in drafts_of(page, UNSURE[0])


def test_a_session_goes_on_where_it_ended(proofread: Callable[[], Page], result: Path) -> None:
    page = proofread()
    page.edit('accept_proposal', draft=doubts(page)['sides exchanged']['draft'])
    page.edit('set_joints', person=0, frame=JUMP, joints={'head': [3.25, 4.5, 2]})
    before = page.state()
    page = proofread()
    assert page.state() == before
    assert 'sides exchanged' not in doubts(page)
    page.edit('undo')
    page.edit('undo')
    file = Path(page.post('/save', {}).json()['file'])
    assert lines(file) == lines(result)


@pytest.mark.parametrize('request_', [{'do': 'find', 'frame': 0}, {'do': 'plan'}])
def test_no_drafts_are_made_of_people_who_cannot_be_added(proofread, request_) -> None:
    answer = proofread().post('/drafts', request_)
    assert answer.status_code == 422
    assert 'not added or computed' in answer.json()['error']


def test_poses_are_neither_added_nor_left_to_be_computed(proofread: Callable[[], Page]) -> None:
    page = proofread()
    joints = {'head': [3.25, 4.5, 2]}
    assert 'not added or computed' in page.refused('add_person', frame=0, joints=joints)
    assert 'not added or computed' in page.refused('forget', person=0, frame=0)
    assert 'no room' in page.refused('split', person=0, frame=5)
    assert 'answered already' in page.refused('confirm', draft='nothing')


def test_edits_of_whole_poses_keep_scores_and_digits(
    proofread: Callable[[], Page], result: Path
) -> None:
    page = proofread()
    page.edit('accept', person=0, frame=3, joints={'head': [1, 2, 2]})
    assert page.poses(3)[0]['sources'] == 'ggg'
    for frame in EXCHANGED:
        page.edit('exchange_sides', person=0, frame=frame, on=False)
    assert 'sides exchanged' not in doubts(page)
    after = lines(Path(page.post('/save', {}).json()['file']))
    changed = [n - 3 for n, line in enumerate(lines(result)) if line != after[n]]
    assert changed == [*EXCHANGED]
    assert {cell for n in changed for cell in after[n + 3].split(',')[3::3]} == {'0.990'}


def test_nothing_is_opened_that_cannot_be_written_back(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['review', str(video), '--proofread', '--no-browser']) == 2
    assert 'needs a result, give its file after the video' in capsys.readouterr().err
    path = tmp_path / 'landmarks.json'
    path.write_text(json.dumps(DOCUMENTS['mediapipe']))
    assert main(['review', str(video), str(path), '--proofread', '--no-browser']) == 2
    assert 'mediapipe, which cannot be written back: convert it' in capsys.readouterr().err
    assert {*tmp_path.iterdir()} == {path}
