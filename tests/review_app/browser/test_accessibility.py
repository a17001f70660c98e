"""Everything has a name, the keyboard comes everywhere and leaves again."""

import pytest
from selenium.webdriver.common.keys import Keys

from support.review_browser import set_scheme

pytestmark = pytest.mark.slow

NAMED = {
    'button',
    'slider',
    'spinbutton',
    'combobox',
    'radio',
    'checkbox',
    'meter',
    'toolbar',
    'application',
    'dialog',
}


@pytest.fixture(scope='module', autouse=True)
def opened(page, unused_clips):
    """Nothing is edited here: one clip for all."""
    server, video = next(unused_clips)
    page.open(server, video=video)


def test_every_control_has_a_name(page):
    nodes = page.browser.execute_cdp_cmd('Accessibility.getFullAXTree', {})['nodes']
    controls = [node for node in nodes if not node['ignored'] and node['role']['value'] in NAMED]
    assert len(controls) > 40
    assert [node for node in controls if not node.get('name', {}).get('value', '').strip()] == []


def test_the_page_has_a_heading(page):
    assert page.run('return document.querySelectorAll("h1").length') == 1


def test_tab_goes_through_the_joints_and_then_on(page):
    page.run('document.getElementById("picture").focus()')
    page.press('1', Keys.TAB)
    assert not page.is_hidden('#joint-hint')
    page.press(Keys.TAB, Keys.TAB, Keys.TAB)
    assert page.run('return document.activeElement.id') == 'picture'
    page.press(Keys.TAB)
    assert page.run('return document.activeElement.id') != 'picture'
    page.run('document.getElementById("picture").focus()')
    page.press(Keys.TAB, Keys.ESCAPE, Keys.TAB)
    assert page.run('return document.activeElement.id') != 'picture'


def test_the_help_lists_the_keys_and_closes(page):
    page.run('document.getElementById("picture").focus()')
    page.press('?')
    page.wait(lambda: not page.is_hidden('#help'), 'the help is open')
    text = page.text('#help')
    assert all(
        word in text for word in ('next frame in doubt', 'undo', 'absent', 'middle of the gap')
    )
    page.press(Keys.ESCAPE)
    page.wait(lambda: page.is_hidden('#help'), 'the help is closed')


def test_the_colours_follow_the_system_and_the_choice(page):
    def ground():
        return page.run(
            'return getComputedStyle(document.querySelector(".header")).backgroundColor'
        )

    set_scheme(page.browser, 'light')
    light = ground()
    set_scheme(page.browser, 'dark')
    dark = ground()
    assert light != dark
    page.run(
        'const t = document.getElementById("theme"); t.value = "light";'
        't.dispatchEvent(new Event("change"))'
    )
    assert ground() == light
    page.run(
        'const t = document.getElementById("theme"); t.value = "auto";'
        't.dispatchEvent(new Event("change"))'
    )
    assert page.complaints() == []
