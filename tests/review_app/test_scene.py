"""Several calibrated views of a scene: what labels in some of them say about the others."""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from stdpose_mm.review_app.scene import Scene
from stdpose_mm.structures import PersonLabel
from stdpose_mm.structures.camera import Camera
from support.review_page import HERE, SKELETON, Page, access_to
from support.video_files import HEIGHT, WIDTH

JOINTS = np.array([(0.0, -0.2, 0.1), (-0.3, 0.1, 0.0), (0.3, 0.2, -0.1)])
"""Head and hands in space; three cameras look at the origin from a distance of 4."""


def camera(name: str, degrees: float, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Camera:
    rotation, _ = cv2.Rodrigues(np.array([0.0, np.radians(degrees), 0.0]))
    matrix = np.array([(150.0, 0, size[0] / 2), (0, 150.0, size[1] / 2), (0, 0, 1)])
    distortions = np.array([-0.1, 0.0, 0.0, 0.0])
    return Camera(name, size, matrix, distortions, rotation, np.array([0.0, 0.0, 4.0]))


CAMERAS = [camera(name, degrees) for name, degrees in (('clip', -40), ('clip1', 0), ('clip2', 50))]


def test_videos_that_are_looked_for_again_keep_the_sizes_of_their_pictures(start):
    """The coder has filled the pictures up to a multiple of 16 pixels."""
    cameras = [replace(camera, size=(WIDTH, HEIGHT - 2)) for camera in CAMERAS[:2]]
    project = start(num_videos=2, cameras=cameras)
    page = Page(access_to(project))
    for _ in range(2):
        while page.client.get('/api/videos/1').status_code == 503:
            time.sleep(0.01)
        sizes = [camera.size for camera in project[1].scene.cameras.values()]
        assert sizes == 2 * [(WIDTH, HEIGHT)]
        assert page.client.post('/api/project', headers={'Origin': HERE}).status_code == 200


def seen(view: int, frame: int = 0, shift: float = 0.0, person: int = 1) -> PersonLabel:
    """A label of the person in a view, as OpenCV projects its joints."""
    camera = CAMERAS[view]
    lens = camera.rotation, camera.translation, camera.matrix, camera.distortions
    points = cv2.projectPoints(np.add(JOINTS, (shift, 0, 0)), *lens)[0][:, 0]
    return PersonLabel(frame, points, np.full(3, 2), person)


NUM_FRAMES = 10


def scene_of(*labels: list[PersonLabel], starts: tuple[int, ...] = (0, 0, 0)) -> Scene:
    scene = Scene(dict(enumerate(CAMERAS)), dict(enumerate(starts)))
    for number, of_view in enumerate(labels):
        tracks: dict[int, dict[int, PersonLabel]] = {}
        for label in of_view:
            tracks.setdefault(label.track_id, {})[label.frame_index] = label
        scene.publish(number, SKELETON, tracks, NUM_FRAMES)
    return scene


def drafts_of(scene: Scene, view: int, frame: int = 0) -> list[tuple[int | None, list[int]]]:
    """Return the person and the joints of each draft."""
    return [
        (draft.person, np.flatnonzero(draft.pose.labelled).tolist())
        for draft in scene.drafts(view).get(frame, [])
    ]


def distance_from(line: list[list[float]], point: np.ndarray) -> float:
    """Compute the distance of a point from a line of several straight parts."""
    start, end = np.array(line)[:-1], np.array(line)[1:]
    along = end - start
    share = ((point - start) * along).sum(axis=1) / (along**2).sum(axis=1)
    nearest = start + share.clip(0, 1)[:, None] * along
    return float(np.linalg.norm(nearest - point, axis=1).min())


def only(label: PersonLabel, *joints: int) -> PersonLabel:
    """Leave the other joints of a label to propagation."""
    is_given = np.isin(range(3), joints)
    sources = np.where(is_given, 'given', 'propagated')
    return replace(label, visibility=2 * is_given, keypoint_sources=sources)


def exchanged(label: PersonLabel) -> PersonLabel:
    return replace(label, keypoints=label.keypoints[[*SKELETON.flip_indices]])


def test_a_joint_of_two_views_is_drafted_in_the_third_where_it_is():
    scene = scene_of([only(seen(0), 1)], [seen(1)], [])
    assert drafts_of(scene, 2) == [(None, [1])]
    (draft,) = scene.drafts(2)[0]
    np.testing.assert_allclose(draft.pose.keypoints[1], seen(2).keypoints[1], atol=0.01)


def test_only_missing_joints_are_drafted_for_a_person_who_has_others():
    scene = scene_of([seen(0)], [seen(1)], [only(seen(2, person=7), 0)])
    assert drafts_of(scene, 2) == [(7, [1, 2])]


@pytest.mark.parametrize(
    'labels',
    [
        ([seen(0)], [], []),
        ([seen(0)], [seen(1, frame=1)], []),
        # Their rays do not meet.
        ([seen(0)], [replace(seen(1), keypoints=np.add(seen(1).keypoints, (0, 30)))], []),
        # The user says that they are not to be labelled.
        ([seen(0)], [seen(1)], [replace(only(seen(2), 0), keypoint_sources=None)]),
    ],
    ids=['one view', 'other times', 'contradiction', 'left out'],
)
def test_nothing_is_drafted_from(labels):
    assert drafts_of(scene_of(*labels), 2) == []


def test_cameras_that_start_late_are_compared_at_the_same_time():
    labels = [seen(0, frame=6), seen(0, frame=2)], [seen(1, frame=4), seen(1, frame=0)], []
    scene = scene_of(*labels, starts=(0, 2, 5))
    assert drafts_of(scene, 2, frame=1) == [(None, [0, 1, 2])]
    # The other time is before its first frame.
    assert [*scene.drafts(2)] == [1]
    assert [view['later'] for view in scene.others(1)] == [2, -3]
    assert scene.lines(0, 1, (6, 1, 0), (30.0, 20.0))['back']
    assert not scene.lines(0, 1, (4, 1, 0), (30.0, 20.0))['back']


def test_people_are_paired_by_where_they_are():
    near, far = [seen(0, shift=s, person=p) for s, p in ((-0.5, 1), (0.5, 2))], []
    far = [seen(1, shift=s, person=p) for s, p in ((0.5, 1), (-0.5, 2))]
    scene = scene_of(near, far, [seen(2, shift=0.5, person=5)])
    assert scene.lines(2, 0, (0, 5, 0), None)['person'] == 2
    assert scene.lines(2, 1, (0, 5, 0), None)['person'] == 1
    assert drafts_of(scene, 2) == [(None, [0, 1, 2])]


def test_lines_run_through_the_joint_in_the_other_view():
    scene = scene_of([seen(0)], [seen(1)], [])
    lines = scene.lines(0, 1, (0, 1, 2), tuple(seen(0).keypoints[2]))
    for line, view in ((lines['line'], 1), (lines['back'], 0)):
        assert distance_from(line, seen(view).keypoints[2]) < 0.05


def test_labels_that_are_removed_while_they_are_reported_have_no_warnings(monkeypatch):
    scene = scene_of([seen(0)], [seen(1)], [exchanged(seen(2))])
    find = Scene._find

    def find_and_remove(self: Scene):
        findings = find(self)
        self.publish(2, None, {}, NUM_FRAMES)
        return findings

    monkeypatch.setattr(Scene, '_find', find_and_remove)
    assert scene.warnings(2) == []


def test_exchanged_sides_are_named_in_their_view_or_in_both_of_two():
    three = scene_of([seen(0)], [seen(1)], [exchanged(seen(2))])
    assert [len(three.warnings(view)) for view in range(3)] == [0, 0, 1]
    (warning,) = three.warnings(2)
    assert str(warning) == 'left and right are exchanged, by the other cameras: person 1 in frame 0'
    assert warning.places == [('person 1 in frame 0', 0, 1)]
    two = scene_of([seen(0)], [exchanged(seen(1))], [])
    assert str(two.warnings(0)[0]).endswith(': person 1 in frame 0, or there in clip1')
    assert two.warnings(2) == []


def test_right_sides_are_not_doubted():
    assert scene_of([seen(0)], [seen(1)], [seen(2)]).warnings(0) == []


def test_a_wrong_calibration_is_said_and_the_page_uses_the_corrected_one():
    # The person moves, or few places in the picture would decide.
    labels = [
        [seen(view, frame, shift=0.1 * frame) for frame in range(0, 10, 2)] for view in range(3)
    ]
    wrong = {**dict(enumerate(CAMERAS)), 1: CAMERAS[1].turned(np.radians([2.0, 0, 0]))}
    scene = Scene(wrong)
    for number, of_view in enumerate(labels):
        tracks = {1: {label.frame_index: label for label in of_view}}
        scene.publish(number, SKELETON, tracks, NUM_FRAMES)
    for view in range(3):
        (warning,) = scene.warnings(view)
        assert str(warning).startswith('the calibration of the camera clip1 seems to be wrong')
    lines = scene.lines(0, 1, (0, 1, 2), tuple(seen(0).keypoints[2]))
    assert distance_from(lines['line'], seen(1).keypoints[2]) < 0.2


# The page.


@pytest.fixture
def page(start):
    """A page of three views without labels."""
    page = Page(access_to(start(num_videos=3, cameras=CAMERAS, skeleton=SKELETON)))
    while any(
        listed['state'] == 'loading' for listed in page.client.get('/api/project').json()['videos']
    ):
        time.sleep(0.01)
    return page


def joints_of(label: PersonLabel) -> dict[str, list[float]]:
    points = zip(SKELETON.keypoint_names, label.keypoints.tolist(), strict=True)
    return {name: [*point, 2] for name, point in points}


def put(page: Page, view: int, type: str, **edit) -> None:
    """Send an edit to one of the videos."""
    revision = page.get(video=view)['revision']
    body = {'id': f'{view} {revision}', 'page': 'page', 'revision': revision}
    response = page.post('/edits', {**body, 'edit': {'type': type, **edit}}, video=view)
    assert response.status_code == 200, response.text


def drafts_shown(page: Page, view: int) -> list[dict]:
    return page.get('/poses', video=view, first=0, last=0)['drafts'].get('0', [])


def label_two_views(page: Page) -> None:
    for view in (0, 1):
        put(page, view, 'add_person', frame=0, joints=joints_of(seen(view)))


def test_a_draft_of_two_views_is_accepted_and_comes_back_with_an_undo(page):
    label_two_views(page)
    (draft,) = drafts_shown(page, 2)
    assert draft['person'] is None
    assert page.get('/guidance', video=2)['drafts']['frames'] == [0]
    points = [point[:2] for point in draft['keypoints']]
    np.testing.assert_allclose(points, seen(2).keypoints, atol=0.02)
    put(page, 2, 'add_person', frame=0, joints=joints_of(seen(2)), draft=draft['id'])
    assert drafts_shown(page, 2) == []
    put(page, 2, 'undo')
    assert len(drafts_shown(page, 2)) == 1
    put(page, 0, 'remove_person', person=1)
    assert drafts_shown(page, 2) == []


def test_a_discarded_draft_of_two_views_stays_away(page):
    label_two_views(page)
    (draft,) = drafts_shown(page, 2)
    page.post('/drafts', {'do': 'discard', 'frame': 0, 'id': draft['id']}, video=2)
    assert drafts_shown(page, 2) == []


def test_a_draft_of_two_views_can_be_given_to_another_person(page):
    label_two_views(page)
    put(page, 2, 'add_person', frame=9, joints=joints_of(seen(2, shift=3.0)))
    (draft,) = drafts_shown(page, 2)
    body = {'do': 'give', 'frame': 0, 'id': draft['id'], 'person': 1}
    assert page.post('/drafts', body, video=2).status_code == 200
    assert [d['person'] for d in drafts_shown(page, 2)] == [1]


def test_views_and_lines_are_described_for_the_page(page):
    label_two_views(page)
    others = [{'id': 0, 'name': 'clip', 'later': 0}, {'id': 2, 'name': 'clip2', 'later': 0}]
    assert page.get(video=1)['views'] == others
    place = {'frame': 0, 'person': 1, 'joint': 0}
    lines = page.get('/lines', video=1, other=0, **place, x=30, y=20)
    assert lines['person'] == 1
    assert len(lines['line']) > 10
    assert len(lines['back']) > 10


def test_the_page_knows_how_much_later_a_camera_started(start):
    page = Page(access_to(start(num_videos=2, cameras=CAMERAS[:2], starts={'clip1': 3})))
    answer = page.client.get('/api/videos/1')
    while answer.status_code == 503:
        time.sleep(0.01)
        answer = page.client.get('/api/videos/1')
    assert answer.json()['views'] == [{'id': 0, 'name': 'clip', 'later': 3}]


def test_lines_of_nothing_are_refused(page):
    nowhere = 'x and y must be a place in the picture, in pixels'
    for change, message in (
        ({'other': 1}, "other must be one of 0, 2, got '1'"),
        ({'joint': 3}, 'there is no joint 3'),
        ({'x': 'nan', 'y': 2}, nowhere),
        ({'x': 5}, nowhere),
    ):
        params = {'other': 0, 'frame': 0, 'person': 1, 'joint': 0, **change}
        answer = page.client.get('/api/videos/1/lines', params=params)
        assert (answer.status_code, answer.json()['error']) == (422, message)


def test_a_video_of_another_size_than_its_camera_cannot_be_opened(start):
    cameras = [CAMERAS[0], camera('clip1', 0, (32, 24))]
    page = Page(access_to(start(num_videos=2, cameras=cameras)))
    answer = page.client.get('/api/videos/1')
    while answer.status_code == 503:
        time.sleep(0.01)
        answer = page.client.get('/api/videos/1')
    assert 'but the camera clip1 was calibrated with 32x24' in answer.json()['error']
