"""The button that learns from the labels: what it says before, during and after."""

from __future__ import annotations

from functools import partial

import pytest
from selenium.webdriver.common.keys import Keys

from support import fake_learning
from support.fake_learning import FakeLearning
from support.review_browser import FRAMES, make_clip, serve
from support.straight_auto import use_straight_auto

pytestmark = pytest.mark.slow

HOLD_GUIDANCE = """
const answered = window.fetch;
const now = new Promise((wake) => { window.answerNow = wake; });
window.asked = false;
window.fetch = async (url, ...more) => {
    const answer = await answered(url, ...more);
    if (String(url).includes('/guidance')) {
        window.asked = true;
        await now;
    }
    return answer;
};
window.shown = [];
const button = document.getElementById('learn-button');
let last = button.textContent;
new MutationObserver(() => {
    if (button.textContent === last) return;
    last = button.textContent;
    shown.push(last);
}).observe(button, { childList: true, characterData: true, subtree: true });
"""


@pytest.fixture
def fake(tmp_path):
    """Learning that goes on until it is stopped."""
    network = tmp_path / 'network.onnx'
    network.touch()
    fake = FakeLearning(tmp_path, network)
    fake.answer('learned; it is not used')
    return fake


def is_disabled(page):
    return page.run('return document.getElementById("learn-button").disabled')


@pytest.fixture
def learning(page, fake, tmp_path):
    """A server of a clip with labels enough, which is open."""
    learn = partial(fake_learning.learn, fake.plan_file)
    clip = make_clip(tmp_path, given=range(0, FRAMES, 4))
    with serve(*clip, method='auto', learn=learn, prepare=use_straight_auto) as server:
        page.open(server)
        page.wait(lambda: not is_disabled(page), 'there are labels enough')
        yield server


def told(page):
    """Return what the page says about the end of learning."""
    return page.run('return document.querySelector("[data-state=learned]")?.title')


def title(page):
    return page.run('return document.getElementById("learn-button").title')


@pytest.mark.usefixtures('learning')
def test_learning_shows_how_far_it_is_and_ends_when_it_is_told(page):
    assert page.text('#learn-button') == 'Learn from labels'
    assert page.is_hidden('#learn-progress')
    # Guidance tells of learning, too; here what was asked before it began is answered late.
    page.run(HOLD_GUIDANCE)
    page.go_to(1)
    with page.one_edit():
        page.press('1', 'a')
    page.wait(lambda: page.run('return asked'), 'guidance follows the edit')
    page.press('L', held=[Keys.SHIFT])
    page.wait(lambda: page.text('#learn-button') == 'Stop learning', 'it learns')
    assert not page.is_hidden('#learn-progress')
    page.wait(lambda: page.text('#learn-found').startswith('50 %'), 'it gets on')
    page.run('answerNow()')
    # The person goes on meanwhile.
    page.go_to(2)
    with page.one_edit():
        page.press('1', 'a')
    # The answer to an edit takes away what was said of learning.
    page.wait(lambda: 'Sending' not in page.text('#status'), 'the page has the answer')
    page.click('#learn-button')
    assert 'Stopping…' in page.run('return shown')
    said = page.wait(lambda: told(page), 'it says what it brought')
    assert said == 'stopped: learned; it is not used'
    page.wait(lambda: page.text('#learn-button') == 'Learn from labels', 'it has stopped')
    assert page.is_hidden('#learn-progress')
    assert f'Last time: {said}' in title(page)
    page.wait_until_settled()
    page.go_to(3)
    with page.one_edit():
        page.press('a')
    assert not told(page)
    shown = [text for text in page.run('return shown') if text != 'Stopping…']
    assert shown == ['Stop learning', 'Learn from labels']
    assert page.complaints() == []


@pytest.mark.usefixtures('server')
def test_the_button_says_why_it_cannot_be_pressed(page):
    page.wait(lambda: 'learning needs the method auto' in title(page), 'it says so')
    assert is_disabled(page)
    page.press('L', held=[Keys.SHIFT])
    page.wait(
        lambda: 'learning needs the method auto' in page.text('#messages'), 'keys say so, too'
    )


def test_a_page_that_is_opened_after_the_end_says_what_happened(page, learning, fake):
    page.click('#learn-button')
    page.wait(lambda: page.text('#learn-found').startswith('50 %'), 'it gets on')
    fake.go_on()
    sentence = 'learned; it is not used'
    page.wait(lambda: told(page) == sentence, 'it ends')
    page.open(learning)
    page.wait(lambda: told(page) == sentence, 'it says what happened')
    page.click('[data-state=learned] button')
    page.wait(lambda: not told(page), 'it was read')
    page.open(learning)
    page.wait(lambda: f'Last time: {sentence}' in title(page), 'it can still be looked up')
    assert not told(page)


@pytest.mark.usefixtures('learning')
def test_each_press_says_something_and_the_second_stop_ends_it_at_once(page, fake):
    fake.answer('never stops')
    for number, text in enumerate(
        (
            'Learning begins: go on labelling meanwhile',
            'Learning stops; the network so far is compared',
            'Learning ends now; no network is kept',
        )
    ):
        page.click('#learn-button')
        assert text in page.text('#messages')
        if number == 0:
            page.wait(lambda: page.text('#learn-found').startswith('50 %'), 'it gets on')
    nothing = 'stopped before there was a network worth keeping'
    page.wait(lambda: told(page) == nothing, 'it has ended')


def test_learning_is_advised_though_no_share_is_known(page, learning):
    advised = "return document.getElementById('learn-button').classList.contains('advised')"
    page.wait(lambda: page.fetch('/guidance')['right'], 'the labels are judged')
    assert not page.run(advised)
    page.run(
        """
        const answered = window.fetch;
        window.fetch = async (url, ...more) => {
            const answer = await answered(url, ...more);
            if (!String(url).includes('/guidance')) return answer;
            const unknown = { expected_wrong: null, right: null, labels_needed: null };
            const body = { ...await answer.json(), ...unknown };
            Object.assign(body, { good_enough: false, computing: true });
            return { ok: true, json: async () => body };
        };
        """
    )
    for frame in range(1, 21, 4):
        page.go_to(frame)
        page.press('1', 'a')
    page.wait(lambda: page.text('#verdict') == 'Judging…, or learn', 'it is advised')
    assert page.run(advised)
