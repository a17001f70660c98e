"""What a hand does on the page, and which poses change by it."""

import numpy as np
import pytest
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.keys import Keys

from support.review_browser import (
    FRAMES,
    GIVEN,
    SKELETON,
    place_of,
    point_of,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('server')]


def joints_that_differ(before, after):
    """(frame, person, joint) of the joints that are elsewhere, or there in one only."""
    different = set()
    for frame in range(FRAMES):
        for person in before[frame].keys() | after[frame].keys():
            one, other = before[frame].get(person), after[frame].get(person)
            for index, joint in enumerate(SKELETON.keypoint_names):
                points = [
                    None
                    if pose is None or pose['source'] == 'absent'
                    else pose['keypoints'][index][:3]
                    for pose in (one, other)
                ]
                if points[0] is None or points[1] is None:
                    if points[0] is not points[1]:
                        different.add((frame, person, joint))
                elif not np.allclose(points[0], points[1], atol=0.01):
                    different.add((frame, person, joint))
    return different


def has_joints(pose):
    return any(visibility for *_, visibility, _ in pose['keypoints'] or ())


def drag(page, frame, person, joint, by, held=''):
    x, y = place_of(person, frame, joint)
    page.pointer((x, y), (x + by[0] / 2, y + by[1] / 2), (x + by[0], y + by[1]), held=held)


def test_a_dragged_joint_changes_itself_up_to_the_labels_beside_it_and_undo_takes_it_back(page):
    before = page.poses()
    page.go_to(5)
    with page.one_edit():
        drag(page, 5, 1, 'left_hand', (4, 3))
    after = page.poses()
    # Labels are at 0 and 10: with straight lines all frames between follow, and no other.
    assert joints_that_differ(before, after) == {(f, 1, 'left_hand') for f in range(1, 10)}
    x, y = place_of(1, 5, 'left_hand')
    assert point_of(after, 5, 1, 'left_hand') == pytest.approx([x + 4, y + 3], abs=1 / page.scale)
    # Half-way to the label that holds.
    dragged = np.array(point_of(after, 5, 1, 'left_hand')) - (x, y)
    moved = np.array(point_of(after, 3, 1, 'left_hand')) - place_of(1, 3, 'left_hand')
    assert moved == pytest.approx(dragged * 3 / 5, abs=0.02)
    page.go_to(6)
    moved = dragged * 4 / 5
    assert page.is_joint_at(*(np.array(place_of(1, 6, 'left_hand')) + moved))

    with page.one_edit():
        page.undo()
    assert joints_that_differ(before, page.poses()) == set()
    with page.one_edit():
        page.press('y', held=[Keys.CONTROL])
    assert joints_that_differ(after, page.poses()) == set()


def test_undo_goes_to_what_was_edited_and_stays_where_that_is_in_view(page):
    page.go_to(5)
    with page.one_edit():
        drag(page, 5, 1, 'left_hand', (4, 3))
    for key, said in (('z', 'Undone'), ('y', 'Redone')):
        page.go_to(30)
        page.press('2')
        with page.one_edit():
            page.press(key, held=[Keys.CONTROL])
        page.wait_for_frame(5)
        said += ': correction of left hand of person 1 in frame 5'
        page.wait(lambda said=said: said in page.text('#messages'), 'it says what was edited')
        page.wait(lambda: page.text('#actions-title') == 'Person 1 in frame 5', 'it is chosen')
    page.go_to(12)
    page.press('1', 's')
    page.wait(lambda: not page.is_hidden('#other'), 'the dialog asks for the other one')
    with page.one_edit():
        page.press(Keys.ENTER)
    page.go_to(25)
    with page.one_edit():
        page.undo()
    said = 'Undone: swap of person 1 and person 2 from frame 12'
    page.wait(lambda: said in page.text('#messages'), 'it says so')
    assert page.written_frame == 25


DRAGGED = (
    ('SHIFT', 'neck', {'neck', 'left_hand', 'right_hand'}),
    ('ALT', 'left_hand', set(SKELETON.keypoint_names)),
    ('CONTROL', 'left_hand', set(SKELETON.keypoint_names)),
)
"""A key that is held, the joint that is dragged, and those that follow it."""


def test_shift_drags_what_hangs_below_and_alt_the_whole_pose(page):
    before = page.poses()
    parents = page.fetch()['skeleton']['parents']
    is_head_below = parents[SKELETON.index_of('head')] == SKELETON.index_of('neck')
    page.go_to(15)
    for held, joint, moved in DRAGGED:
        expected = moved | {'head'} if is_head_below else moved
        with page.one_edit():
            drag(page, 15, 2, joint, (-5, 2), held=getattr(Keys, held))
        after = page.poses()
        assert {j for f, p, j in joints_that_differ(before, after) if f == 15} == expected, held
        for name in expected:
            x, y = place_of(2, 15, name)
            place = pytest.approx([x - 5, y + 2], abs=1 / page.scale)
            assert point_of(after, 15, 2, name) == place, held
        page.press(Keys.ESCAPE)
        with page.one_edit():
            page.undo()


def test_arrows_move_a_chosen_joint_and_are_one_edit(page):
    page.go_to(25)
    page.press('2', Keys.TAB)
    page.wait(lambda: not page.is_hidden('#joint-hint'), 'a joint is chosen')
    name = page.text('#joint-hint').split(':')[0].replace(' ', '_')
    with page.one_edit():
        ways = 'Right', 'Right', 'Down', 'Right'
        page.press_at_once(*({'key': f'Arrow{way}'} for way in ways))
    x, y = place_of(2, 25, name)
    assert point_of(page.poses(), 25, 2, name) == pytest.approx([x + 3, y + 1], abs=0.01)
    assert page.shown == 25
    page.press(Keys.ESCAPE, Keys.ARROW_RIGHT)
    page.wait_for_frame(26)


def test_visibility_goes_round_and_a_click_places_the_joint_again(page):
    page.go_to(5)
    x, y = place_of(1, 5, 'right_hand')
    page.pointer((x, y))
    index = SKELETON.index_of('right_hand')
    seen = []
    for _ in range(5):
        with page.one_edit():
            page.press('v')
        seen.append(page.poses()[5][1]['keypoints'][index][2])
    assert seen == [1, 0, 2, 1, 0]
    with page.one_edit():
        page.pointer((x + 3, y - 2))
    assert page.poses()[5][1]['keypoints'][index][:3] == pytest.approx(
        [x + 3, y - 2, 2], abs=1 / page.scale
    )


def test_absent_from_here_until_the_next_label_and_present_again(page):
    before = page.poses()
    page.go_to(12)
    page.press('1')
    with page.one_edit():
        page.press('x')
    after = page.poses()
    gone = {f for f in range(FRAMES) if not has_joints(after[f][1])}
    assert gone == set(range(12, 20))
    assert {person for _, person, _ in joints_that_differ(before, after)} == {1}
    page.wait(lambda: page.text('#do-absent span') == 'Present again', 'the button has turned')
    with page.one_edit():
        page.press('x')
    assert page.poses()[12][1]['source'] == 'given'


def test_accept_makes_the_shown_pose_a_label_and_delete_takes_it_back(page):
    """The request names the pose: the server may have computed another one that has not come."""
    before = page.poses()
    page.go_to(5)
    page.run(
        'const fetched = window.fetch; window.sent = [];'
        'window.fetch = (url, options) => {'
        '  if (String(url).includes("/edits")) sent.push(JSON.parse(options.body).edit);'
        '  return fetched(url, options); }'
    )
    page.press('1')
    with page.one_edit():
        page.press('a')
    after = page.poses()
    assert joints_that_differ(before, after) == set()
    assert after[5][1]['sources'] == 'gggg'
    (edit,) = page.run('return window.sent')
    shown = (joint[:3] for joint in before[5][1]['keypoints'])
    joints = dict(zip(SKELETON.keypoint_names, shown, strict=True))
    assert edit == {'type': 'accept', 'person': 1, 'frame': 5, 'joints': joints}
    with page.one_edit():
        page.press(Keys.DELETE)
    assert page.poses()[5][1]['sources'] == 'pppp'


VERDICTS = (
    ('right: null, labels_needed: null, measuring: true', 'Being measured…'),
    ('right: null, labels_needed: null, labels_to_measure: 4', 'Not known yet · label 4 more'),
    # All labels that can be hidden are hidden already.
    ('right: null, labels_needed: null', 'Not known yet · label 1 more'),
    ('labels_needed: [0, 6]', '97.0 % right · up to 6 more labels'),
    ('labels_needed: [3, 9], right: [0.88, .9, .95]', '88–95 % right · 3–9 more labels'),
    ('labels_needed: [1, 1]', '97.0 % right · 1 more label'),
    ('labels_needed: [4, null]', '97.0 % · many more, or learn'),
    ('labels_needed: [5, 9]', '97.0 % · 5–9 more, or learn'),
    ('labels_needed: [4, 9]', '97.0 % right · 4–9 more labels'),
    ('labels_needed: [0, 0], good_enough: true', 'Good enough: 97.0 % right'),
)
"""Changes of an answer on guidance, and what the bar says of it."""


def test_the_verdict_is_a_range_once_it_is_known(page):
    page.run(
        'window.change = {}; const fetched = window.fetch; window.fetch = async (url, ...more) => {'
        '  const found = await fetched(url, ...more);'
        '  if (!String(url).includes("/guidance")) return found;'
        '  const begin = {expected_wrong: 0.02, right: [0.95, 0.97, 0.98], labels_to_measure: 0,'
        '    measuring: false, good_enough: false, learning: {refused: null, worthwhile: true}};'
        '  const told = {...await found.json(), ...begin, computing: false, ...window.change};'
        '  return new Response(JSON.stringify(told), {headers: found.headers}); }'
    )
    for change, verdict in VERDICTS:
        page.run(
            f'window.change = {{{change}}}; const field = document.getElementById("target");'
            'field.value = field.value === "90" ? 91 : 90; field.dispatchEvent(new Event("change"))'
        )
        page.wait(lambda verdict=verdict: page.text('#verdict') == verdict, f'it says {verdict}')
        is_advised = page.run('return document.querySelector("#learn-button").matches(".advised")')
        assert is_advised is verdict.endswith('or learn')


def test_a_swap_begins_and_ends_in_the_frames_that_are_named(page):
    """Without a last frame it goes on to the end; labels are at and beside the frames."""
    before = page.poses()
    for frame, last in ((20, None), (25, None), (12, 28), (10, 20)):
        page.go_to(frame)
        page.press('1', 's')
        page.wait(lambda: not page.is_hidden('#other'), 'the dialog asks for the other one')
        assert page.run('return document.getElementById("other-last").value') == str(FRAMES - 1)
        with page.one_edit():
            if last is None:
                page.press(Keys.ENTER)
            else:
                page.run('document.getElementById("other-last").value = arguments[0]', last)
                page.click('#other-confirm')
        expected = {
            n: {1: poses[2], 2: poses[1]} if frame <= n <= (last or FRAMES) else poses
            for n, poses in before.items()
        }
        assert joints_that_differ(expected, page.poses()) == set(), (frame, last)
        with page.one_edit():
            page.undo()
    assert joints_that_differ(before, page.poses()) == set()


def sides_exchanged(poses):
    """The poses of frames with left and right of person 1 exchanged."""
    flip = list(SKELETON.flip_indices)
    exchanged = {**poses[1], 'keypoints': np.array(poses[1]['keypoints'])[flip].tolist()}
    return {**poses, 1: exchanged}


def test_left_and_right_are_exchanged_by_key_here_or_from_here_on(page):
    before = page.poses()
    page.go_to(10)
    page.press('1')
    with page.one_edit():
        page.press('q')
    here = {n: poses if n == 10 else before[n] for n, poses in page.poses().items()}
    assert joints_that_differ({**before, 10: sides_exchanged(before[10])}, here) == set()
    with page.one_edit():
        page.undo()
    page.go_to(25)
    with page.one_edit():
        page.click('#do-exchange-on')
    expected = {n: sides_exchanged(poses) if n >= 25 else poses for n, poses in before.items()}
    assert joints_that_differ(expected, page.poses()) == set()
    with page.one_edit():
        page.undo()
    said = 'undone: exchange of left and right of person 1 from frame 25'
    page.wait(lambda: page.text('#announcer').lower() == said, 'it is announced')
    assert joints_that_differ(before, page.poses()) == set()
    x, y = place_of(1, 25, 'left_hand')
    page.pointer((x, y))
    with page.one_edit():
        page.press('q')
    differ = joints_that_differ(before, page.poses())
    assert {joint for _, _, joint in differ} == {'left_hand', 'right_hand'}


def test_a_click_on_a_place_in_a_warning_goes_there(page):
    for person, other in ((1, 2), (2, 1)):
        joints = {name: [*place_of(other, 20, name), 2] for name in SKELETON.keypoint_names}
        page.edit_as_another_page(
            {'type': 'accept', 'person': person, 'frame': 20, 'joints': joints}
        )
    for frame, person in ((10, 1), (30, 2)):
        outside = {'person': person, 'frame': frame, 'joints': {'head': [-5, 3, 2]}}
        page.edit_as_another_page({'type': 'set_joints', **outside})
    places = 'return [...document.querySelectorAll("#states button")].map((b) => b.textContent)'
    named = ['person 1 in frame 10', 'person 2 in frame 30', 'person 1 and person 2 in frame 20']
    page.wait(lambda: page.run(places) == named, 'the warnings name the labels')
    sentence = 'head of person 1 in frame 10, head of person 2 in frame 30. person 1 and person 2'
    assert sentence in page.text('#states')
    for frame, person in ((30, 2), (20, 1), (10, 1)):
        page.run(
            '[...document.querySelectorAll("#states button")]'
            '.find((b) => b.textContent.endsWith(arguments[0])).click()',
            f'frame {frame}',
        )
        page.wait_for_frame(frame)
        title = f'Person {person} in frame {frame}'
        page.wait(lambda title=title: page.text('#actions-title') == title, 'it is chosen')


def test_split_and_merge_are_each_others_opposite(page):
    before = page.poses()
    page.go_to(20)
    page.press('2')
    with page.one_edit():
        page.press('k')
    assert len(page.fetch()['persons']) == 3
    page.go_to(20)
    page.press('3', 'e')
    page.wait(lambda: not page.is_hidden('#other'), 'the dialog asks for the other one')
    page.run('document.getElementById("other-choice").selectedIndex = 1')
    with page.one_edit():
        page.click('#other-confirm')
    assert joints_that_differ(before, page.poses()) == set()


def test_a_trembling_hand_moves_nothing_nor_is_a_hidden_or_locked_person_changed(page):
    x, y = place_of(1, 0, 'left_hand')
    page.pointer((x, y), (x + 1 / page.scale, y))
    assert page.text('#joint-hint').startswith('left hand')
    assert page.revision() == 0, 'a hand that trembles moves nothing'
    page.press(Keys.ESCAPE)

    x, y = place_of(1, 0, 'head')
    page.press('1', 'h', held=[Keys.SHIFT])
    assert not page.is_joint_at(x, y)
    page.click('[data-key="hide 1"]')
    assert page.is_joint_at(x, y)
    page.point_at(*np.add(page.box('#people .row')[:2], 5))
    page.click('[data-key="lock 1"]')
    assert not page.is_joint_at(x, y)
    page.press('x')
    page.wait(lambda: 'Person 1 is locked' in page.text('#messages'), 'the page says so')
    page.press('k', held=[Keys.SHIFT])
    assert page.is_joint_at(x, y)
    assert page.revision() == 0


def test_a_file_gives_keys_of_ones_own(page, tmp_path):
    keys = tmp_path / 'keys.json'
    keys.write_text('{"g": ".", "Shift+x": "End"}')
    page.press('?')
    page.browser.find_element('id', 'own-keys').send_keys(str(keys))
    page.press(Keys.ESCAPE)
    page.press('g')
    page.wait_for_frame(1)
    page.press('x', held=[Keys.SHIFT])
    page.wait_for_frame(FRAMES - 1)
    page.press('?')
    wrong = tmp_path / 'wrong.json'
    wrong.write_text('{"g": "no key"}')
    page.browser.find_element('id', 'own-keys').send_keys(str(wrong))
    page.wait(lambda: 'the keys have no no key' in page.text('#messages'), 'the page says so')


def test_people_are_added_named_and_swapped_by_keyboard_alone(page):
    with page.one_edit():
        page.press('i', ' ', ' ')
        for way in (Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
            page.press(way, way, way, ' ')
    page.wait(lambda: len(page.fetch()['persons']) == 3, 'there are three people')

    page.press('1', Keys.F2)
    prompt = page.wait(lambda: page.browser.switch_to.alert, 'the page asks for the name')
    prompt.send_keys('Ann')
    prompt.accept()
    page.wait(lambda: 'Ann' in page.text('#people'), 'the name is shown')
    page.press('s')
    page.run('document.getElementById("other-choice").focus()')
    with page.one_edit():
        page.press(Keys.ENTER)
    assert page.is_hidden('#other')


def test_a_press_on_a_row_that_is_drawn_anew_meanwhile_counts(page):
    left, top, width, height = page.box('#people li:nth-child(2) .row-main')
    hand = ActionBuilder(page.browser, duration=0)
    hand.pointer_action.move_to_location(round(left + width / 2), round(top + height / 2))
    hand.pointer_action.pointer_down()
    hand.perform()
    page.edit_as_another_page({'type': 'forget', 'person': 2, 'frame': 0})
    page.wait(lambda: 'given' not in page.text('#people li:nth-child(2)'), 'the row has changed')
    hand = ActionBuilder(page.browser, duration=0)
    hand.pointer_action.pointer_up()
    hand.perform()
    page.wait(lambda: page.text('#actions-title').startswith('Person 2'), 'the person is chosen')


def test_space_goes_to_the_frames_in_doubt_and_m_to_the_middle_of_the_gap(page):
    assert page.text('#doubt-count') == '0'
    page.wait(lambda: '%' in page.text('#verdict'), 'the poses are judged')
    assert page.fetch('/guidance?target=0.95')['doubtful'] == []
    # A gap of forty frames has frames that are more likely wrong than right.
    for frame in GIVEN[1:-1]:
        page.go_to(frame)
        page.press('2')
        with page.one_edit():
            page.press(Keys.DELETE)
    page.wait(lambda: page.text('#doubt-count') not in ('', '0'), 'frames are in doubt')
    doubtful = page.fetch('/guidance?target=0.95')['doubtful']
    page.press(' ')
    page.wait_for_frame(doubtful[0]['frame'])
    page.press('1', Keys.HOME)
    page.wait_for_frame(0)
    page.press('m')
    page.wait_for_frame(5)
    page.press(']')
    page.wait_for_frame(10)
    page.press('[')
    page.wait_for_frame(0)
    assert GIVEN[1] == 10


def test_the_zoomed_timeline_tells_the_scores_of_the_frames_it_shows(page):
    page.go_to(20)
    page.press('>', '>')
    arrived = (
        'return performance.getEntriesByType("resource")'
        '.some((one) => one.name.includes("first=15&last=25") && one.responseEnd)'
    )
    page.wait(lambda: page.run(arrived), 'the part that is shown has been fetched')

    def tip_of_frame_24():
        x, top = page.timeline_place('#lanes', 24, 15, 25)
        page.point_at(x, top + 5)
        return page.text('#timeline-tip')

    def expected():
        score = page.fetch(f'/timeline?columns={FRAMES}')['persons'][0]['heat'][24]
        return f'frame 24 · person 1 propagated · lowest score {score:.2f}'

    page.wait(lambda: tip_of_frame_24() == expected(), 'the score is that of the frame')


def test_good_enough_is_announced_once_and_what_was_measured_stays_below(page):
    def aim_at(percent):
        page.run(
            """
            const field = document.getElementById('target');
            field.value = arguments[0];
            field.dispatchEvent(new Event('change'));
            """,
            percent,
        )

    # Both people move on straight lines, which the method draws.
    measured = f'100.0 % right in {2 * (len(GIVEN) - 2)} hidden labels ·'
    page.wait(lambda: page.text('#measured') == measured, 'accuracy is measured')
    assert page.run("return document.getElementById('measured').title").startswith('of the labels ')
    aim_at(100)
    page.wait(lambda: 'Good enough' not in page.text('#verdict'), 'more is wanted')
    aim_at(50)
    page.wait(lambda: page.text('#messages').count('Good enough') == 1, 'it is announced')
    with page.one_edit():
        page.press('1', 'a')
    page.wait_until_settled(1)
    page.wait(lambda: 'Good enough' in page.text('#verdict'), 'it is good enough as before')
    assert page.text('#messages') == ''
