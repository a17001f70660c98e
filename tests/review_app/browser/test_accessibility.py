"""Everything has a name, nothing overlaps, the keyboard comes everywhere and leaves again."""

import pytest

from support.review_browser import resize, set_scheme

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


def key(name):
    from selenium.webdriver.common.keys import Keys

    return getattr(Keys, name)


def test_every_control_has_a_name(page):
    nodes = page.browser.execute_cdp_cmd('Accessibility.getFullAXTree', {})['nodes']
    controls = [node for node in nodes if not node['ignored'] and node['role']['value'] in NAMED]
    assert len(controls) > 40
    assert [node for node in controls if not node.get('name', {}).get('value', '').strip()] == []


@pytest.mark.parametrize('size', [(1024, 640), (1280, 720), (1920, 1080)])
def test_bars_hold_what_is_in_them_and_the_page_does_not_scroll(page, size):
    resize(page.browser, *size)
    overfull = """
        const parts = [...document.querySelectorAll('.header, .guidance, .transport, body')];
        return parts
          .filter((part) => part.scrollWidth > part.clientWidth || part.scrollHeight > innerHeight)
          .map((part) => part.className || part.tagName);
        """
    # The canvases follow the size of the window a moment later.
    page.wait(lambda: page.run(overfull) == [], 'everything is as large as the window')
    covered = page.run(
        """
        const buttons = [...document.querySelectorAll('.header button, .guidance button, ' +
          '.guidance input, .transport button, .transport input, .tools button')];
        return buttons.filter((button) => {
          const box = button.getBoundingClientRect();
          const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
          return box.width && !button.contains(top);
        }).map((button) => button.id);
        """
    )
    resize(page.browser, 1280, 720)
    assert covered == []


def test_tab_goes_through_the_joints_and_then_on(page):
    page.run('document.getElementById("picture").focus()')
    page.press('1', key('TAB'))
    assert not page.is_hidden('#joint-hint')
    page.press(key('TAB'), key('TAB'), key('TAB'))
    assert page.run('return document.activeElement.id') == 'picture'
    page.press(key('TAB'))
    assert page.run('return document.activeElement.id') != 'picture'
    page.run('document.getElementById("picture").focus()')
    page.press(key('TAB'), key('ESCAPE'), key('TAB'))
    assert page.run('return document.activeElement.id') != 'picture'


def test_the_help_lists_the_keys_and_closes(page):
    page.run('document.getElementById("picture").focus()')
    page.press('?')
    page.wait(lambda: not page.is_hidden('#help'), 'the help is open')
    text = page.text('#help')
    assert all(
        word in text for word in ('next frame in doubt', 'undo', 'absent', 'middle of the gap')
    )
    page.press(key('ESCAPE'))
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
