"""The joints of a project, where one was, and questions before labels are lost."""

import json
import shutil

import pytest
from selenium.webdriver.common.keys import Keys

from support.ports import held_port
from support.review_browser import FRAMES, make_clips, serve

pytestmark = pytest.mark.slow


@pytest.fixture
def unlabelled(tmp_path):
    """A server of two videos without labels."""
    videos, _ = make_clips(tmp_path, 2)
    with serve(videos) as server:
        yield server


def open_dialog(page):
    page.wait(lambda: not page.is_hidden('#skeleton'), 'the page asks for the joints')
    page.click('#skeleton summary')


def type_joints(page, *lines):
    page.run('document.getElementById("skeleton-text").value = arguments[0]', '\n'.join(lines))
    page.run('document.getElementById("skeleton-text").dispatchEvent(new Event("input"))')


def test_the_joints_are_chosen_once_for_all_videos(page, unlabelled):
    page.open(unlabelled)
    open_dialog(page)
    type_joints(page, 'top', 'end', 'top - end')
    page.run('document.getElementById("skeleton-category").value = "fish"')
    page.click('#skeleton-own')
    page.wait(lambda: page.is_hidden('#no-skeleton'), 'the joints are taken')
    page.open(unlabelled, video=1)
    page.wait(lambda: page.fetch()['skeleton'], 'the other video has joints')
    skeleton = page.fetch()['skeleton']
    assert (skeleton['joints'], skeleton['limbs']) == (['top', 'end'], [[0, 1]])
    assert skeleton['category'] == 'fish'
    assert page.is_hidden('#skeleton')
    page.wait(lambda: 'This video gets the 2 joints' in page.text('#messages'), 'the page says so')
    page.undo()
    page.wait(lambda: not page.is_hidden('#no-skeleton'), 'the choice is free')


def test_an_unlabelled_video_asks_for_joints_and_takes_the_first_person(page, unlabelled, tmp_path):
    page.open(unlabelled)
    open_dialog(page)
    categories = [
        {'id': 1, 'name': 'ball', 'keypoints': [], 'skeleton': []},
        {'id': 2, 'name': 'fish', 'keypoints': ['head', 'tail'], 'skeleton': [[1, 2]]},
    ]
    path = tmp_path / 'coco.json'
    path.write_text(json.dumps({'categories': categories}))
    page.browser.find_element('css selector', '#skeleton-file').send_keys(str(path))
    typed = 'return document.getElementById("skeleton-text").value'
    page.wait(lambda: page.run(typed) == 'head\ntail\nhead - tail', 'the file is read')
    type_joints(page, 'top', 'end', 'top - end')
    page.click('#skeleton-own')
    page.wait(lambda: page.is_hidden('#no-skeleton'), 'the joints are taken')
    assert page.fetch()['skeleton']['limbs'] == [[0, 1]]
    page.press('i')
    page.pointer((50, 10))
    page.pointer((60, 20))
    page.wait(lambda: len(page.fetch()['persons']) == 1, 'there is a person')
    page.wait_until_settled(2)
    (pose,) = page.poses()[FRAMES - 1].values()
    point = pose['keypoints'][1]
    assert point[:2] == pytest.approx([60, 20], abs=1 / page.scale)


def inked(page, selector):
    return page.run(
        'const c = document.querySelector(arguments[0]);'
        'const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;'
        'return data.filter((value, index) => index % 4 === 3 && value).length',
        selector,
    )


def test_typed_joints_are_a_figure_a_dash_is_a_limb_and_any_other_one_a_question(page, unlabelled):
    page.open(unlabelled)
    open_dialog(page)
    assert inked(page, '#skeleton-presets canvas') > 100, 'skeletons are shown as figures'
    type_joints(page, 'head')
    alone = inked(page, '#skeleton-figure')
    type_joints(page, 'head', 'neck', 'head-neck')
    assert 0 < alone < inked(page, '#skeleton-figure')

    type_joints(page, 'head', 'neck-end', 'head-neck')
    page.click('#skeleton-own')
    page.wait(lambda: 'Is neck-end one joint?' in page.text('#skeleton-problem'), 'it asks')
    type_joints(page, 'head', 'neck', 'mid-hip', 'head-neck', 'neck-mid-hip')
    page.click('#skeleton-own')
    page.wait(lambda: 'Is mid-hip one joint?' in page.text('#skeleton-problem'), 'it asks')
    page.click('#skeleton-own')
    page.wait(lambda: page.is_hidden('#no-skeleton'), 'the joints are taken')
    skeleton = page.fetch()['skeleton']
    assert skeleton['joints'] == ['head', 'neck', 'mid-hip']
    assert skeleton['limbs'] == [[0, 1], [1, 2]]


def test_a_joint_is_renamed_when_there_are_labels(page, server):
    before = page.poses()[10][1]['keypoints']
    page.click('#more-button')
    page.click('#change-skeleton')
    text = page.run('return document.getElementById("skeleton-text").value').split('\n')
    assert text[:4] == ['head', 'neck', 'left_hand', 'right_hand']
    type_joints(page, 'tail', 'skull', *text[1:4], 'skull - neck', 'neck - tail')
    assert page.text('#skeleton-origins label') == 'tail is a new jointhas the labels of head'
    page.click('#skeleton-own')
    assert 'head has labels: choose the joint' in page.text('#skeleton-problem')
    page.click('[data-joint=skull] option[value=head]')
    with page.one_edit():
        page.click('#skeleton-own')
    assert page.fetch()['skeleton']['joints'] == ['tail', 'skull', *text[1:4]]
    assert page.poses()[10][1]['keypoints'][1:] == before
    page.wait(lambda: 'skull' in page.text('#joints'), 'the list of joints is new')


def test_a_start_goes_to_where_one_was(page, tmp_path):
    videos, labels = make_clips(tmp_path, 2)
    with held_port() as port:
        with serve(videos, labels, port=port) as server:
            page.open(server, video=1)
            page.go_to(23)
            page.wait(lambda: 'frame=23' in page.browser.current_url, 'the page remembers it')
        page.browser.get('about:blank')
        with serve(videos, labels, port=port) as server:
            page.browser.get(server.address)
            page.wait_for_frame(23)
            assert page.text('#video-name') == 'clip_01'


def test_a_video_that_is_put_into_the_folder_is_opened_in_the_page(page, tmp_path):
    videos, labels = make_clips(tmp_path, 2)
    with serve(videos, labels) as server:
        page.open(server)
        before = page.revision()
        page.press('x')
        shutil.copy(videos / 'clip_00.mp4', videos / 'new.mp4')
        page.press('l')
        page.wait(lambda: 'new' in page.text('#messages'), 'the page says that labels are missing')
        page.wait(lambda: not page.is_hidden('#project'), 'the videos are listed')
        assert 'new' not in page.text('#videos')
        page.press(Keys.ESCAPE)
        shutil.copy(labels / 'clip_00.json', labels / 'new.json')
        page.press('l')
        page.wait(lambda: 'new' in page.text('#videos'), 'it is listed')
        page.run('[...document.querySelectorAll("#videos button")].at(-1).click()')
        page.wait(lambda: page.text('#video-name') == 'new', 'it is shown')
        # The edit of the video before is in its project.
        page.open(server)
        assert page.revision() == before + 1


def test_a_person_with_labels_is_removed_only_after_a_question(page, server):
    page.press('2')
    page.wait(lambda: page.text('#actions-title').startswith('Person 2'), 'it is chosen')
    before = page.revision()
    page.click('#do-remove')
    page.wait(lambda: 'Remove person 2 and 5 labels?' in page.text('#ask'), 'the page asks')
    page.press(Keys.ESCAPE)
    page.wait(lambda: page.is_hidden('#ask'), 'nothing is removed')
    assert page.revision() == before
    page.click('#do-remove')
    with page.one_edit():
        page.click('#ask-confirm')
    assert page.fetch()['persons'] == [1]
    assert len(page.poses()) == FRAMES
