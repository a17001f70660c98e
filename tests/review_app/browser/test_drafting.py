"""Poses that a network proposes: a person accepts, corrects or discards them on the page."""

from functools import partial

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from support.bare_onnx import one_stage_network
from support.fake_drafts import Network, sources
from support.review_browser import FRAMES, POSE, SKELETON, make_clip, make_clips, serve

pytestmark = pytest.mark.slow

CLIPS = 13
HIGH, LOW = 1.0, 0.01
CORNERS = [(10.0, 8.0), (60.0, 8.0), (95.0, 8.0)]
BOXES = [[*corner, 14.0, 12.0] for corner in CORNERS]


def point(number, joint):
    """Return where the joint of a draft is: the pose of the clip, in the corner of its box."""
    return tuple(np.add(CORNERS[number], (POSE - POSE.min(axis=0))[SKELETON.index_of(joint)]))


@pytest.fixture(scope='module')
def networks(tmp_path_factory):
    """Return the next of some unlabelled clips of a server, of which there is one a network."""

    def clips_of(scores):
        videos, labels = make_clips(tmp_path_factory.mktemp('drafts'), CLIPS)
        drafts = partial(sources, Network(SKELETON, POSE, scores), BOXES)
        with serve(videos, '--skeleton', next(labels.iterdir()), drafts=drafts) as server:
            yield from ((server, video) for video in range(CLIPS))

    clips = {}
    yield lambda *scores: next(clips.setdefault(scores, clips_of(scores)))
    for of_network in clips.values():
        of_network.close()


@pytest.fixture
def drafting(page, networks):
    """Open an unlabelled clip with three people, of whom a network places some joints."""

    def start(*scores):
        server, video = networks(*scores)
        page.open(server, video=video)
        page.wait(lambda: page.fetch('/guidance')['drafts']['source'], 'the page knows the network')
        page.wait(lambda: 'Judging' not in page.text('#verdict'), 'the guidance is here')
        return page

    return start


def find(page):
    page.press('i', held=[Keys.SHIFT])
    page.wait(lambda: len(rows(page)) == 3, 'three people are drafted')
    # The drafts may be shown before the answer, which chooses one.
    page.wait(lambda: 'Draft of' in page.text('#joint-hint'), 'a draft is chosen')


def rows(page):
    return page.run(
        'return [...document.querySelectorAll("#drafts .row")].map((r) => r.textContent)'
    )


def middle(number):
    """Return a place in the box of a draft, away from its joints."""
    return CORNERS[number][0] + 2, CORNERS[number][1] + 4


def drafts_of_frame(page, frame=0):
    return page.fetch(f'/poses?first={frame}&last={frame}')['drafts'].get(str(frame), [])


def given(page, person, frame=0):
    pose = page.poses()[frame][person]
    return np.array(pose['keypoints'])[:, :2], pose['sources']


def test_a_box_gets_joints_from_the_network_and_the_empty_ones_are_asked_for(drafting):
    page = drafting(HIGH, LOW, HIGH, HIGH)
    page.press('i')
    page.pointer((60, 8), (66, 14), (74, 20))
    page.wait(lambda: '3 of 4' in page.text('#joint-hint'), 'the draft is chosen')
    assert page.revision() == 0
    with page.one_edit():
        page.press('a')
    page.wait(lambda: 'neck (1 of 1)' in page.text('#hint-what'), 'the empty joint is asked for')
    with page.one_edit():
        page.pointer((67, 12))
    points, sources = given(page, 1)
    expected = [point(1, 'head'), (67, 12), point(1, 'left_hand'), point(1, 'right_hand')]
    assert points == pytest.approx(np.array(expected, float), abs=1 / page.scale)
    assert sources == 'gggg'
    assert page.is_hidden('#hint')
    assert page.complaints() == []


def test_found_people_are_accepted_one_by_one_by_key(drafting):
    page = drafting(HIGH, HIGH, HIGH, HIGH)
    find(page)
    assert page.run('return document.getElementById("picture").ariaLabel').endswith(', 3 drafts')
    for left in (2, 1, 0):
        with page.one_edit():
            page.press('a')
        assert len(rows(page)) == left
    assert page.fetch()['persons'] == [1, 2, 3]
    assert page.fetch('/guidance')['clicks'] == 3


def test_a_click_chooses_a_draft_and_a_second_one_accepts_it(drafting):
    page = drafting(HIGH, HIGH, HIGH, HIGH)
    find(page)
    page.pointer(middle(1))
    page.wait(
        lambda: (
            'chosen' in page.run('return document.querySelectorAll("#drafts .row")[1].className')
        ),
        'it is chosen',
    )
    page.pointer(middle(1))
    assert page.revision() == 0
    with page.one_edit():
        page.pointer(point(1, 'neck'))
    assert given(page, 1)[0][0] == pytest.approx(point(1, 'head'), abs=0.01)


def test_a_draft_is_accepted_on_its_name(drafting):
    page = drafting(*4 * [HIGH])
    find(page)
    x, y = page.screen_place(*CORNERS[1])
    page.point_at(x + 4, y - 12, clicks=1)
    page.wait(lambda: page.text('#joint-hint').startswith('Draft'), 'it is chosen')
    with page.one_edit():
        page.point_at(x + 4, y - 12, clicks=1)
    assert given(page, 1)[0][0] == pytest.approx(point(1, 'head'), abs=0.01)


def test_a_labelled_joint_in_the_box_of_a_draft_is_clicked_and_dragged(drafting):
    page = drafting(*4 * [HIGH])
    with page.one_edit():
        x, y = middle(1)
        page.press('i')
        page.pointer((x, y))
        page.press(Keys.ENTER)
    find(page)
    for _ in range(2):
        page.pointer((x, y))
    page.wait(lambda: 'head' in page.text('#joint-hint'), 'the joint is chosen')
    assert page.revision() == 1
    with page.one_edit():
        page.pointer((x, y), (x + 1, y), (x + 2, y + 1))
    points, sources = given(page, 1)
    assert (sources[0], page.fetch()['persons']) == ('g', [1])
    assert points[0] == pytest.approx((x + 2, y + 1), abs=1 / page.scale)


def test_fast_keys_discard_a_draft_each_and_one_more_deletes_nothing(drafting):
    page = drafting(*4 * [HIGH])
    with page.one_edit():
        page.press('i')
        page.pointer((40, 4))
        page.press(Keys.ENTER)
    find(page)
    page.press(*3 * [Keys.DELETE])
    assert rows(page) == []
    page.press(Keys.DELETE)
    assert 'No draft is left' in page.text('#messages')
    page.wait(lambda: drafts_of_frame(page) == [], 'all three are discarded')
    assert page.revision() == 1
    with page.one_edit():
        page.press(Keys.DELETE)
    page.wait(lambda: 'Person 1 was removed' in page.text('#messages'), 'the page says so')


def test_while_one_is_added_a_click_in_a_draft_accepts_it_and_any_other_places_a_joint(drafting):
    page = drafting(HIGH, HIGH, HIGH, HIGH)
    find(page)
    page.press('i')
    with page.one_edit():
        page.pointer(point(2, 'head'))
    assert page.is_hidden('#hint')
    assert given(page, 1)[0][0] == pytest.approx(point(2, 'head'), abs=0.01)
    page.press('i')
    page.pointer((40, 4))
    assert 'neck (2 of 4)' in page.text('#hint-what')


def test_all_are_accepted_or_discarded_at_once(drafting):
    page = drafting(HIGH, LOW, HIGH, HIGH)
    find(page)
    page.press('a', held=[Keys.SHIFT])
    page.wait(lambda: page.revision() == 3, 'all are accepted')
    page.wait(
        lambda: '3 joints are empty' in page.text('#messages'), 'the page says what is missing'
    )
    assert rows(page) == []
    for _ in range(2):
        with page.one_edit():
            page.undo()
    page.wait(lambda: len(rows(page)) == 2, 'two drafts are back')
    page.press(Keys.DELETE, held=[Keys.SHIFT])
    page.wait(lambda: rows(page) == [], 'the others are discarded')
    page.wait(lambda: drafts_of_frame(page) == [], 'the server knows')
    assert page.fetch()['persons'] == [1]


def test_a_drag_of_a_joint_accepts_the_others_and_undo_brings_the_draft_back(drafting):
    page = drafting(HIGH, LOW, HIGH, HIGH)
    find(page)
    x, y = point(0, 'left_hand')
    with page.one_edit():
        page.pointer((x, y), (x + 2, y), (x + 3, y - 2))
    page.wait(lambda: 'other 2 joints' in page.text('#messages'), 'the page says what it accepted')
    points, sources = given(page, 1)
    assert points[2] == pytest.approx((x + 3, y - 2), abs=1 / page.scale)
    assert points[[0, 3]] == pytest.approx(np.array([point(0, 'head'), point(0, 'right_hand')]))
    assert sources[0] + sources[2:] == 'ggg'
    # The page asks for the empty joint now; undo means the draft nevertheless.
    page.wait(lambda: 'neck' in page.text('#hint-what'), 'the empty joint is asked for')
    with page.one_edit():
        page.undo()
    page.wait(lambda: len(rows(page)) == 3, 'the draft is back')
    assert page.fetch()['persons'] == []
    assert page.complaints() == []


def test_planned_frames_are_drafted_and_visited(drafting):
    page = drafting(HIGH, HIGH, HIGH, HIGH)
    page.press('n', held=[Keys.SHIFT])
    page.wait(lambda: 'Y goes' in page.text('#messages'), 'the frames are drafted')
    frames = page.fetch('/guidance')['drafts']['frames']
    assert 1 <= len(frames) < FRAMES
    page.wait_for_frame(frames[0])
    page.wait(lambda: '4 of 4 joints' in page.text('#joint-hint'), 'a draft is chosen')
    _, top, _, height = page.box('.message')
    assert top + height <= page.box('#joint-hint')[1]


def test_drafts_that_are_discarded_are_offered_to_be_switched_off(drafting):
    page = drafting(HIGH, HIGH, HIGH, HIGH)
    for times in (3, 2):
        find(page)
        for _ in range(times):
            assert page.is_hidden('[data-state="drafts-off"]')
            page.press(Keys.DELETE)
    page.wait(lambda: '5 of the last 5 drafts' in page.text('#states'), 'the page asks')
    page.press(Keys.DELETE)
    page.click('[data-state="drafts-off"] button')
    # A box now gets joints without the network.
    page.press('i')
    with page.one_edit():
        page.pointer((60, 8), (66, 14), (74, 20))


LATE_ANSWER = """
const answerTo = window.fetch;
window.discarded = 0;
window.fetch = async (address, options) => {
  const answer = await answerTo(address, options);
  if (!String(options?.body).includes('discard') || ++window.discarded < 3) return answer;
  await new Promise((resolve) => setTimeout(resolve, 500));
  window.isLate = true;
  return answer;
};
"""
"""Holds back the answer to the third discarding."""


def test_what_is_found_before_the_answer_to_a_discarding_stays(drafting):
    page = drafting(HIGH, HIGH, HIGH, HIGH)
    find(page)
    page.run(LATE_ANSWER)
    for _ in range(3):
        page.press(Keys.DELETE)
    page.wait(lambda: page.run('return window.discarded') == 3, 'the server has discarded them')
    page.press('i', held=[Keys.SHIFT])
    page.wait(lambda: page.run('return window.isLate'), 'the page is told')
    page.wait(lambda: len(rows(page)) == 3, 'three people are drafted again')
    assert page.complaints() == []


def test_without_a_network_a_box_lays_a_skeleton_and_the_page_says_what_is_missing(page, tmp_path):
    video, labels = make_clip(tmp_path)
    with serve(video, '--skeleton', labels) as server:
        page.open(server)
        page.press('i')
        with page.one_edit():
            page.pointer((60, 8), (66, 14), (74, 20))
        assert given(page, 1)[1] == 'gggg'
        page.press('i', held=[Keys.SHIFT])
        page.wait(lambda: '--detector' in page.text('#messages'), 'the page says which option')
        page.undo()
        page.wait(lambda: not page.fetch()['persons'], 'nobody is labelled')
        page.press('n', held=[Keys.SHIFT])
        page.wait(lambda: 'to label first' in page.text('#messages'), 'frames are planned')
        places = page.fetch('/guidance')['suggestions']
        (frame,) = {place['frame'] for place in places[:1]}
        page.wait(lambda: page.text('#next-what') == f'frame {frame}', 'the button names it')
        page.press('n')
        page.wait_for_frame(frame)


def test_a_draft_is_given_to_somebody_and_joined_with_another(drafting):
    page = drafting(*4 * [HIGH])
    find(page)
    page.press('e')
    page.wait(lambda: 'Draft 1: whose is it?' in page.text('#other'), 'the page asks')
    # The first choice is another draft, since there is nobody yet.
    page.press(Keys.ENTER)
    page.wait(lambda: len(rows(page)) == 2, 'two are joined')
    page.press('a')
    page.wait(lambda: page.fetch()['persons'] == [1], 'somebody is labelled')
    page.go_to(3)
    page.wait_until_settled(1)
    find(page)
    page.run('document.querySelectorAll("#drafts .row-main")[2].click()')
    page.run('document.querySelectorAll("#drafts .row")[2].lastChild.click()')
    page.wait(lambda: 'Draft 3: whose is it?' in page.text('#other'), 'the page asks')
    assert page.text('#other-choice option') == 'Person 1'
    page.click('#other-confirm')
    page.wait(lambda: 'Person 1' in rows(page)[2], 'it is of person 1')
    assert [draft['person'] for draft in drafts_of_frame(page, 3)] == [None, None, 1]


def test_the_network_of_drafts_is_chosen(drafting):
    page = drafting(*4 * [HIGH])
    page.click('#guidance .verdict')
    page.run(
        'const c = document.getElementById("draft-network"); c.value = "net.onnx";'
        'c.dispatchEvent(new Event("change"))'
    )
    page.wait(lambda: page.fetch('/guidance')['drafts']['chosen'] == 'net.onnx', 'it is chosen')


def test_drafts_are_chosen_and_discarded_in_the_list_by_keyboard(drafting):
    page = drafting(HIGH, HIGH, HIGH, HIGH)
    find(page)
    page.run('document.querySelectorAll("#drafts .row-main")[1].focus()')
    page.press(Keys.ENTER)
    pressed = 'return document.activeElement.ariaPressed'
    # The list is drawn again, but the focus stays.
    page.wait(lambda: page.run(pressed) == 'true', 'the focused draft is chosen')
    page.press(Keys.TAB, Keys.TAB, Keys.ENTER)
    page.wait(lambda: len(rows(page)) == 2, 'it is discarded')
    page.wait(lambda: len(drafts_of_frame(page)) == 2, 'the server knows')
    assert [draft['box'][0] for draft in drafts_of_frame(page)] == [CORNERS[0][0], CORNERS[2][0]]


def test_enter_accepts_the_drafts_of_a_frame_one_by_one_and_then_goes_on(drafting):
    page = drafting(*4 * [HIGH])
    find(page)
    for number in (1, 2, 3):
        assert (page.shown, page.revision()) == (0, number - 1)
        page.wait(lambda: page.text('#joint-hint').startswith('Draft'), 'a draft is chosen')
        page.press(Keys.ENTER)
        page.wait(lambda number=number: page.revision() == number, 'it is accepted')
    page.wait(lambda: page.shown > 0, 'the page goes on once there is advice')


def test_a_one_stage_network_drafts_everybody_without_a_detector(page, tmp_path):
    """It finds the white blocks of a picture: in frame 5 the first and the third."""
    (video,), (labels,) = (folder.iterdir() for folder in make_clips(tmp_path, 1))
    names = [*SKELETON.keypoint_names]
    metadata = {'task': 'pose', 'kpt_shape': '[4, 3]', 'kpt_names': f'{{0: {names}}}'}
    (tmp_path / 'net.onnx').write_bytes(one_stage_network(joints=4, metadata=metadata))
    network = ('--pose-onnx', tmp_path / 'net.onnx')
    with serve(video, '--skeleton', labels, *network, '--no-stdpose', method='auto') as server:
        page.open(server)
        page.wait(lambda: page.fetch('/guidance')['drafts']['source'], 'the network is known')
        page.go_to(5)
        page.press('i', held=[Keys.SHIFT])
        page.wait(lambda: len(rows(page)) == 2, 'two people are drafted')
        with page.one_edit():
            page.press('a')
        assert given(page, 1, frame=5)[0][0].tolist() in ([1, 0], [33, 0])
        # Without its server the page complains.
        assert page.complaints() == []
