"""Drafts: what a network proposes is no label before somebody accepts it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.io.labels import write_labels
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork
from stdpose_mm.labelling.evidence.pose_results import PoseResults
from stdpose_mm.review_app import drafts
from stdpose_mm.review_app.drafts import DraftSources
from stdpose_mm.structures import FrameBoxes, Skeleton, VideoFrame, VideoLabels
from support.bare_onnx import one_stage_network
from support.fake_drafts import Network, sources
from support.review_page import NUM_FRAMES, POSE, SKELETON, Page, label, labels_of

CORNER = POSE.min(axis=0)
BOX = [*CORNER.tolist(), 8.0, 20.0]
"""The box around ``POSE``."""

LEFT_OUT = 0.01
"""A score far below what counts as probable."""


def network_of(*scores: float, skeleton: Skeleton = SKELETON) -> Network:
    return Network(skeleton, POSE, scores)


def sources_at(*shifts: float, network: Network | None = None) -> DraftSources:
    """Find people some pixels to the right of ``POSE``."""
    boxes = [np.add(BOX, [shift, 0, 0, 0]).tolist() for shift in shifts]
    return sources(network or network_of(1, 1, 1), boxes)


@pytest.fixture
def page_with(open_page: Callable) -> Callable[..., Page]:
    def open_(labels: VideoLabels | None, *shifts: float, **options: Any) -> Page:
        options.setdefault('drafts', sources_at(*shifts, network=options.pop('network', None)))
        if labels is None:
            options['skeleton'] = SKELETON
        return open_page(labels, **options)

    return open_


def ask(page: Page, do: str, **fields: Any) -> Any:
    answer = page.post('/drafts', {'do': do, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(page: Page, do: str, **fields: Any) -> str:
    before = page.state()
    answer = page.post('/drafts', {'do': do, **fields})
    assert answer.status_code == 422, answer.text
    assert page.state() == before
    assert drafted(page) == []
    return str(answer.json()['error'])


def drafted(page: Page, frame: int = 5) -> list[dict[str, Any]]:
    return page.get('/poses', first=frame, last=frame)['drafts'].get(str(frame), [])


def find(page: Page) -> list[dict[str, Any]]:
    """Draft everybody in a frame."""
    ask(page, 'find', frame=5)
    return drafted(page)


def accept(page: Page, draft: dict[str, Any], frame: int = 5, **moved: list[float]) -> int:
    """Accept a draft as the page does; return its person."""
    names = SKELETON.keypoint_names
    joints = {
        name: [x, y, v]
        for name, (x, y, v, _) in zip(names, draft['keypoints'], strict=True)
        if v > 0
    }
    fields: dict[str, Any] = {'frame': frame, 'joints': {**joints, **moved}, 'draft': draft['id']}
    if draft['person'] is None:
        return page.edit('add_person', **fields)['person']
    page.edit('set_joints', person=draft['person'], **fields)
    return draft['person']


# A box, and everybody.


def test_the_joints_of_a_box_come_from_the_network(page_with):
    page = page_with(None)
    answer = ask(page, 'box', frame=5, box=[30, 4, 8, 20])
    (draft,) = answer['drafts']['5']
    points = np.array(draft['keypoints'])
    assert points[:, :2] == pytest.approx(POSE + np.array([20, 0]))
    assert points[:, 2].tolist() == [2, 2, 2]
    assert draft['person'] is None
    assert drafted(page) == [draft]
    assert answer['message'] == ''


@pytest.mark.parametrize(
    ('network', 'placed'),
    [
        (network_of(LEFT_OUT, 1, 1), [0, 2, 2]),
        (network_of(1, 1, skeleton=Skeleton(('head', 'left_hand'))), [2, 2, 0]),
    ],
    ids=['doubts the head', 'does not know the right hand'],
)
def test_a_joint_stays_empty_that_the_network(page_with, network: Network, placed: list[int]):
    page = page_with(None, network=network)
    (draft,) = ask(page, 'box', frame=5, box=BOX)['drafts']['5']
    assert [joint[2] for joint in draft['keypoints']] == placed


def test_joints_beyond_the_picture_stay_empty(page_with):
    page = page_with(None)
    (draft,) = ask(page, 'box', frame=5, box=[-3, 4, 8, 20])['drafts']['5']
    assert [joint[2] for joint in draft['keypoints']] == [0, 2, 2]


def test_everybody_in_a_frame_is_drafted(page_with):
    page = page_with(None, *range(0, 60, 6))
    assert len(ask(page, 'find', frame=5)['drafts']['5']) == 10
    people = {accept(page, draft) for draft in drafted(page)}
    assert len(people) == 10
    assert drafted(page) == []
    assert {*page.poses(5)} == people


def test_finding_again_replaces_the_drafts(page_with):
    page = page_with(None, 0, 40)
    first, again = find(page), find(page)
    assert len(again) == 2
    assert again != first


def test_a_box_around_a_draft_replaces_it(page_with):
    page = page_with(None, 0, 40)
    ask(page, 'find', frame=5)
    ask(page, 'box', frame=5, box=np.add(BOX, [1, 0, 0, 0]).tolist())
    assert sorted(draft['keypoints'][0][0] for draft in drafted(page)) == [11, 50]


def test_a_person_with_two_boxes_is_drafted_once(page_with):
    # One pixel is a twentieth of the pose.
    page = page_with(None, 0, 1, 40)
    assert [draft['keypoints'][0][0] for draft in find(page)] == [10, 50]


def test_nobody_is_found(page_with):
    assert ask(page_with(None), 'find', frame=5)['message'] == 'nobody is found here'


@pytest.mark.parametrize(
    ('fields', 'part'),
    [
        ({'do': 'guess'}, "'plan'"),
        ({'do': 'find', 'frame': 40}, '0..39'),
        ({'do': 'find', 'frame': True}, '0..39'),
        ({'do': 'find'}, '0..39'),
        ({'do': 'box', 'frame': 5}, '[x, y, width, height]'),
        ({'do': 'box', 'frame': 5, 'box': [1, 2, 3]}, '[x, y, width, height]'),
        ({'do': 'box', 'frame': 5, 'box': [1, 2, 3, '4']}, '[x, y, width, height]'),
        ({'do': 'box', 'frame': 5, 'box': [1, 2, 3, 1e9]}, '[x, y, width, height]'),
        ({'do': 'box', 'frame': 5, 'box': [1, 2, 3, 0]}, 'not empty'),
    ],
)
def test_a_wrong_request_is_refused(page_with, fields: dict[str, Any], part: str):
    assert part in refused(page_with(None, 0), **fields)


def test_drafts_need_a_skeleton(open_page: Callable):
    page = open_page(drafts=sources_at(0))
    assert 'choose' in page.post('/drafts', {'do': 'find', 'frame': 5}).json()['error']


# No network, or a wrong one.


def test_without_a_network_one_sentence_says_which_option_gives_one(page):
    assert '--pose-onnx' in refused(page, 'box', frame=5, box=BOX)
    assert '--detector' in refused(page, 'find', frame=5)
    assert '--drafts' in refused(page, 'plan')
    state = page.get('/guidance')['drafts']
    assert ('--pose-onnx' in state['refused'], state['source']) == (True, '')


@pytest.mark.parametrize(
    ('network', 'part'),
    [
        (network_of(1, 1, skeleton=Skeleton(('wing', 'tail_base'))), 'knows other joints'),
        (network_of(LEFT_OUT, LEFT_OUT, LEFT_OUT), 'net.onnx'),
    ],
)
def test_a_network_of_the_wrong_kind_drafts_nothing(page_with, network: Network, part: str):
    page = page_with(None, 0, 40, network=network)
    for do, fields in (('box', {'box': BOX}), ('find', {})):
        sentence = refused(page, do, frame=5, **fields)
        assert part in sentence
        assert 'nothing is drafted' in sentence


# People.


def test_nobody_who_is_labelled_is_drafted_again(page_with):
    # Person 1 is labelled in the frame, person 2 at 40 pixels is propagated there.
    labels = labels_of(label(5, 1), label(0, 2, 40), label(39, 2, 40))
    page = page_with(labels, 1, 41, 80)
    answer = ask(page, 'find', frame=5)
    assert [draft['person'] for draft in answer['drafts']['5']] == [2, None]
    assert ask(page, 'box', frame=5, box=BOX)['message'] == ''
    assert [draft['person'] for draft in drafted(page)] == [2, None]


def test_a_draft_a_little_beside_a_label_is_of_its_person(page_with):
    # Their similarity is 0.66, as of two people side by side, but there is only one draft.
    page = page_with(labels_of(label(5, 1)), 3)
    assert ask(page, 'find', frame=5)['message'] == 'everybody here is labelled already'


def test_the_page_says_that_the_person_in_a_box_is_labelled(page_with):
    page = page_with(labels_of(label(5, 1)))
    answer = ask(page, 'box', frame=5, box=BOX)
    assert (answer['drafts'], answer['message']) == ({}, 'this person is labelled here already')


def test_accepting_labels_the_person_whose_pose_it_is(page_with, two_people):
    page = page_with(two_people, 1, 41)
    assert [accept(page, draft) for draft in find(page)] == [1, 2]
    assert {*page.poses(5)} == {1, 2}
    assert page.poses(5)[2]['source'] == 'given'
    assert page.joint(5, 2) == [51, 4]


def test_a_box_around_somebody_whose_draft_was_accepted_drafts_nobody(page_with):
    page = page_with(None, 0)
    accept(page, find(page)[0])
    answer = ask(page, 'box', frame=5, box=np.add(BOX, [1, 0, 0, 0]).tolist())
    assert (answer['drafts'], answer['message']) == ({}, 'this person is labelled here already')


def test_two_people_side_by_side_keep_their_drafts(page_with):
    # The second draft would fit the label of the first person, too.
    page = page_with(None, 0, 3)
    first, second = find(page)
    accept(page, first)
    assert [draft['id'] for draft in drafted(page)] == [second['id']]
    assert accept(page, second) == 2
    assert page.joint(5, 2) == [13, 4]


def test_a_label_hides_the_draft_of_its_person(page_with, two_people):
    page = page_with(two_people, 0, 40)
    ask(page, 'find', frame=5)
    page.edit('accept', person=1, frame=5)
    assert [draft['person'] for draft in drafted(page)] == [2]
    page.edit('undo')
    assert [draft['person'] for draft in drafted(page)] == [1, 2]


def test_a_draft_is_given_to_another_person_or_a_new_one(page_with, two_people):
    page = page_with(two_people, 1)
    (draft,) = find(page)
    assert draft['person'] == 1
    for person in (2, None):
        ask(page, 'give', frame=5, id=draft['id'], person=person)
        assert [(d['id'], d['person']) for d in drafted(page)] == [(draft['id'], person)]
    assert accept(page, drafted(page)[0]) == 3
    assert page.joint(5, 3) == [11, 4]


def test_a_draft_that_covers_a_label_may_be_of_another_person(page_with):
    # Of two drafts of person 1, its label hides the second one, too, unless that is given away.
    page = page_with(labels_of(label(0, 1), label(39, 1), label(0, 2, 40), label(39, 2, 40)), 0, 3)
    first, second = find(page)
    ask(page, 'give', frame=5, id=second['id'], person=2)
    # The label is a pixel beside the second draft.
    moved = zip(SKELETON.keypoint_names, (POSE + np.array([2, 0])).tolist(), strict=True)
    assert accept(page, first, **{name: [*point, 2] for name, point in moved}) == 1
    assert [(d['id'], d['person']) for d in drafted(page)] == [(second['id'], 2)]
    page.edit('accept', person=2, frame=5)
    assert drafted(page) == []


@pytest.mark.parametrize(
    ('do', 'fields', 'part'),
    [
        ('give', {'person': 1}, 'person must be one of 2, got'),
        ('give', {'person': 9}, 'person must be one of 2, got'),
        ('give', {'person': [2]}, 'person must be one of 2, got'),
        ('give', {'id': 'none', 'person': 2}, 'frame 5 has no such draft'),
        ('join', {'other': 'none'}, 'frame 5 has no such draft'),
        ('choose', {'network': 'none'}, 'network must be one of'),
    ],
)
def test_what_a_draft_cannot_become_is_refused(page_with, do: str, fields: dict, part: str):
    page = page_with(labels_of(label(5, 1), label(0, 2, 40), label(39, 2, 40)), 41)
    before = find(page)
    answer = page.post('/drafts', {'do': do, 'frame': 5, 'id': before[0]['id'], **fields})
    assert (answer.status_code, drafted(page)) == (422, before)
    assert part in answer.json()['error']


def test_two_parts_of_a_person_are_joined(page_with, tmp_path: Path):
    scores = [[0.9, 0.6, LEFT_OUT], [LEFT_OUT, 0.9, 0.9]]
    page = page_with(None, drafts=DraftSources(results=estimates(tmp_path, 0, 40, scores=scores)))
    first, second = find(page)
    ask(page, 'join', frame=5, id=first['id'], other=second['id'])
    (draft,) = drafted(page)
    assert draft['id'] == first['id']
    # The head is the first one's, the hand that both have is that of the better score.
    assert [joint[:3] for joint in draft['keypoints']] == [[10, 4, 2], [54, 20, 2], [58, 24, 2]]
    accept(page, draft)
    assert drafted(page) == []


# Accepting, undoing, discarding.


def test_undo_brings_the_draft_back_and_redo_hides_it(page_with):
    page = page_with(None, 0)
    (draft,) = find(page)
    accept(page, draft)
    assert drafted(page) == []
    page.edit('undo')
    assert drafted(page) == [draft]
    assert page.get()['persons'] == []
    page.edit('redo')
    assert drafted(page) == []


def test_a_corrected_draft_is_given_as_it_is_and_as_corrected(page_with):
    page = page_with(None, 0)
    accept(page, find(page)[0], head=[12, 5, 2])
    pose = page.poses(5)[1]
    assert np.array(pose['keypoints'])[:, :2] == pytest.approx(np.array([[12, 5], *POSE[1:]]))
    assert pose['sources'] == 'ggg'
    # One action, though it placed three joints.
    assert page.get('/guidance')['clicks'] == 1


def test_a_draft_that_was_moved_away_is_accepted_too(page_with):
    page = page_with(None, 0)
    (draft,) = find(page)
    away = {'head': [90, 4, 2], 'left_hand': [94, 20, 2], 'right_hand': [98, 24, 2]}
    accept(page, draft, **away)
    assert drafted(page) == []


def test_empty_joints_are_propagated_and_not_left_out(page_with, two_people):
    page = page_with(two_people, 0, network=network_of(1, 1, LEFT_OUT))
    accept(page, find(page)[0])
    assert page.poses(5)[1]['sources'] == 'ggp'


def test_a_draft_is_accepted_only_once(page_with):
    page = page_with(None, 0)
    (draft,) = find(page)
    accept(page, draft)
    joints = {'head': [1, 1, 2]}
    again = page.try_edit('add_person', frame=5, joints=joints, draft=draft['id'])
    assert again.status_code == 409
    assert page.get()['persons'] == [1]


def test_a_draft_of_a_session_before_is_accepted(page_with):
    page = page_with(None, 0)
    # It is not known, but a page that waited for the server must not lose its edit.
    page.edit('add_person', frame=5, joints={'head': [1, 1, 2]}, draft='of-before')
    assert page.get()['persons'] == [1]


@pytest.mark.parametrize('draft', [5, 'x' * 101])
def test_an_edit_names_a_draft_by_a_short_text(page, draft: object):
    assert 'draft' in page.refused('accept', person=1, frame=5, draft=draft)


def test_drafts_are_discarded_one_by_one_or_all(page_with):
    page = page_with(None, 0, 40, 60)
    first, second, third = find(page)
    accept(page, first)
    ask(page, 'discard', frame=5, id=second['id'])
    assert [draft['id'] for draft in drafted(page)] == [third['id']]
    ask(page, 'discard', frame=5)
    assert drafted(page) == []
    # What was accepted before returns when it is undone.
    page.edit('undo')
    assert [draft['id'] for draft in drafted(page)] == [first['id']]


def test_other_pages_learn_of_drafts(page_with):
    page = page_with(None, 0)
    sent = []
    page.project[0].events.send = lambda event, **data: sent.append((event, data))
    ask(page, 'find', frame=5)
    assert ('drafts', {'first': 5, 'last': 5}) in sent
    assert page.get('/guidance')['drafts']['frames'] == [5]


# A draft is no label.


def test_drafts_change_nothing_that_is_computed_written_or_learned(page_with, two_people):
    page = page_with(two_people, 0, 40, 80)

    def everything() -> object:
        state = page.project[0].state
        labels, _ = page.project[0].collect()
        exported = page.post('/export', {'format': 'posetrack18'}).json()
        tracks = {person: sorted(track) for person, track in state.tracks.items()}
        counts = {k: page.get('/guidance')[k] for k in ('labels_made', 'clicks', 'expected_wrong')}
        return labels.persons[0].keypoints.tolist(), len(labels.persons), exported, tracks, counts

    before, journal = everything(), page.project[0].journal.path
    size = journal.stat().st_size if journal.exists() else 0
    ask(page, 'find', frame=5)
    ask(page, 'plan')
    page.settle()
    assert len(drafted(page)) == 3
    assert everything() == before
    assert (journal.stat().st_size if journal.exists() else 0) == size


def test_a_new_skeleton_has_no_drafts(open_page: Callable):
    page = open_page(drafts=sources_at(0))
    page.edit('set_skeleton', joints=[*SKELETON.keypoint_names])
    ask(page, 'find', frame=5)
    page.edit('undo')
    assert drafted(page) == []


def test_joints_that_change_while_a_network_looks_get_no_drafts(open_page: Callable):
    """Drafts of other joints could not even be compared with poses."""
    found = FrameBoxes(np.array([BOX]), np.ones(1))
    pages: list[Page] = []

    def look_long(picture: np.ndarray) -> FrameBoxes:
        (page,) = pages
        joints = [*SKELETON.keypoint_names, 'tail']
        answer = page.try_edit('set_skeleton', joints=joints, origins={})
        page.revision = answer.json()['revision']
        return found

    network = network_of(1, 1, 1)
    drafting = DraftSources({network.name: lambda: network}, network.name, look_long)  # type: ignore[arg-type]
    pages.append(open_page(drafts=drafting))
    (page,) = pages
    page.edit('set_skeleton', joints=[*SKELETON.keypoint_names])
    answer = page.post('/drafts', {'do': 'find', 'frame': 5})
    assert answer.status_code == 422
    assert answer.json()['error'].startswith('the joints were changed meanwhile')
    assert drafted(page) == []


# Planned frames.


def test_the_frames_of_the_plan_are_drafted(page_with):
    page = page_with(None, 0, 40)
    frames = [int(frame) for frame in ask(page, 'plan')['drafts']]
    assert frames == page.get('/guidance')['drafts']['frames']
    assert 1 <= len(frames) <= drafts.MAX_PLANNED
    # The people of all frames are the same two, once those of one frame are accepted.
    people = {accept(page, draft, frame) for frame in frames for draft in drafted(page, frame)}
    assert len(people) == 2


def test_with_labels_the_suggested_frames_are_drafted(page_with, two_people):
    page = page_with(two_people, 0, 40)
    page.wait_for_measurement(1)
    suggested = sorted(page.get('/timeline')['suggestions'])
    assert suggested
    assert [*map(int, ask(page, 'plan')['drafts'])] == suggested


def test_without_a_detector_the_first_frames_are_planned_by_motion(page_with):
    page = page_with(None, drafts=DraftSources())
    answer = ask(page, 'plan')
    places = page.get('/guidance')['suggestions']
    frames = [place['frame'] for place in places]
    assert (answer['drafts'], {place['person'] for place in places}) == ({}, {None})
    assert answer['message'].startswith(f'{len(frames)} frame')
    assert page.get('/timeline')['suggestions'] == frames == sorted({*frames})
    joints = {name: [5, 5, 2] for name in SKELETON.keypoint_names}
    person = page.edit('add_person', frame=frames[0], joints=joints)['person']
    # The planned frames come first, for everybody who is not labelled there.
    places = page.get('/guidance')['suggestions'][: len(frames) - 1]
    assert [(p['frame'], p['person']) for p in places] == [(frame, person) for frame in frames[1:]]


# Networks.


def test_a_network_is_chosen_for_drafts(page_with, monkeypatch):
    wide = Network(SKELETON, POSE * 1.1, (1, 1, 1))
    networks = {'net.onnx': lambda: network_of(1, 1, 1), 'wide.onnx': lambda: wide}
    page = page_with(None, drafts=DraftSources(networks, 'net.onnx'))
    state = page.get('/guidance')['drafts']
    assert (state['networks'], state['chosen']) == (['net.onnx', 'wide.onnx'], '')
    heights = []
    monkeypatch.setattr(VideoPosePropagator, 'learned_network', network_of(1, 1, 1))
    VideoPosePropagator.learned_network.record = SimpleNamespace(num_poses=9)  # type: ignore
    for name in ('', 'wide.onnx', 'net.onnx'):
        assert ask(page, 'choose', frame=5, network=name)['drafts'] == {}
        state = page.get('/guidance')['drafts']
        (draft,) = ask(page, 'box', frame=6, box=BOX)['drafts']['6']
        ask(page, 'discard', frame=6)
        heights.append((state['chosen'], state['source'][:9], draft['keypoints'][2][1] - 4))
    assert heights == [
        ('', 'network t', 20),
        ('wide.onnx', 'wide.onnx', 22),
        ('net.onnx', 'net.onnx,', 20),
    ]


def test_published_networks_on_this_disk_are_offered(monkeypatch, tmp_path: Path):
    (tmp_path / 'here.onnx').touch()
    published = [
        SimpleNamespace(
            names=names,
            path=tmp_path / f'{file}.onnx',
            load=Network,
            finds_people=names[0] == 'rtmo-s',
            name=names[0],
        )
        for names, file in (
            (('rtmo-s', 'rtmo'), 'here'),
            (('c',), 'gone'),
            (('human-s', 'human'), 'here'),
        )
    ]
    monkeypatch.setattr(drafts, 'PUBLISHED', {n: p for p in published for n in p.names})
    sources = DraftSources.choose([PoseNetworkFiles('human')])
    assert ([*sources.networks], sources.network_name) == (['human', 'rtmo-s'], 'human')
    assert sources.finder is None
    sources.chosen_network = 'rtmo-s'
    assert sources.finder is sources.networks['rtmo-s']
    assert DraftSources.choose([]).network_name == ''


# Calibration.


def test_scores_are_calibrated_on_enough_labels(page_with, monkeypatch):
    monkeypatch.setattr(drafts, 'CALIBRATED_FROM', 6)
    # The network is wrong by twice the pose wherever it is asked, however certain it is.
    network = network_of(0.9, 0.9, 0.9)
    page = page_with(labels_of(label(0, 1), label(39, 1)), 50, network=network)
    network.find = (
        lambda pictures, boxes: (  # type: ignore[method-assign]
            boxes[:, None, :2] + POSE - CORNER + 40,
            np.tile(network.scores, (len(boxes), 1)),
        )
    )
    assert 'recognises nobody' in refused(page, 'find', frame=5)
    assert 'calibrated on 6 labelled joints' in page.get('/guidance')['drafts']['source']


def test_the_network_that_has_learned_here_is_preferred_with_its_own_scores(page_with, monkeypatch):
    page = page_with(None, network=network_of(LEFT_OUT, LEFT_OUT, LEFT_OUT))
    learned = LearnedNetwork.__new__(LearnedNetwork)
    learned.name, learned.skeleton = 'learned.onnx', SKELETON
    # Scores of another network would count as probable from 0.18 on.
    learned.find = network_of(0.6, 0.6, 0.4).find  # type: ignore[method-assign]
    learned.record = SimpleNamespace(num_poses=9)  # type: ignore[assignment]
    monkeypatch.setattr(VideoPosePropagator, 'learned_network', learned)
    (draft,) = ask(page, 'box', frame=5, box=BOX)['drafts']['5']
    assert [joint[2] for joint in draft['keypoints']] == [2, 2, 0]
    assert 'learned from 9 labels' in page.get('/guidance')['drafts']['source']


# Poses of another program.


def estimates(
    folder: Path, *shifts: float, scores: Sequence[Sequence[float]] = ((0.9, 0.9, LEFT_OUT),)
) -> PoseResults:
    persons = [
        label(5, n, shift, source='propagated', scores=scores[min(n, len(scores) - 1)])
        for n, shift in enumerate(shifts)
    ]
    frames = tuple(VideoFrame(n) for n in range(NUM_FRAMES))
    write_labels(VideoLabels('clip', SKELETON, frames, tuple(persons)), folder / 'poses.json')
    return PoseResults(folder / 'poses.json')


def test_poses_of_another_program_are_drafts(page_with, tmp_path: Path):
    results = estimates(tmp_path, 0, 40)
    page = page_with(None, drafts=DraftSources(results=results))
    found = ask(page, 'find', frame=5)['drafts']['5']
    assert [joint[2] for joint in found[0]['keypoints']] == [2, 2, 0]
    assert found[1]['keypoints'][0][:2] == [50, 4]
    assert ask(page, 'find', frame=6)['message'] == 'nobody is found here'


def test_poses_of_other_joints_draft_nothing(page_with, tmp_path: Path):
    path = tmp_path / 'poses.json'
    estimates(tmp_path, 0)
    names = json.loads(path.read_text())
    for category in names['categories']:
        category['keypoints'] = ['wing', 'tail_base', 'antenna']
    path.write_text(json.dumps(names))
    page = page_with(None, drafts=DraftSources(results=PoseResults(path)))
    assert 'knows other joints' in refused(page, 'find', frame=5)


def test_a_network_that_finds_people_itself_needs_no_detector(page_with, tmp_path: Path):
    """It finds the white blocks of frame 5, the first and the third of eight."""
    names = [*SKELETON.keypoint_names]
    metadata = {'task': 'pose', 'kpt_shape': '[3, 3]', 'kpt_names': f'{{0: {names}}}'}
    (tmp_path / 'net.onnx').write_bytes(one_stage_network(joints=3, metadata=metadata))
    files = PoseNetworkFiles(str(tmp_path / 'net.onnx'))
    page = page_with(None, drafts=DraftSources.choose([files]))
    found = sorted(draft['keypoints'] for draft in find(page))
    places = np.array([[1, 0], [2, 2], [3, 4]])
    np.testing.assert_allclose(
        np.array(found)[..., :2], [places, np.add(places, [32, 0])], atol=1e-4
    )
    ask(page, 'discard', frame=5)
    assert len(ask(page, 'box', frame=5, box=[30.0, 0, 20, 32])['drafts']['5']) == 1
    ask(page, 'discard', frame=5)
    assert 'sees no person in this box' in refused(page, 'box', frame=5, box=[100.0, 0, 10, 20])
