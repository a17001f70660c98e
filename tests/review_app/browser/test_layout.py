"""Nothing is cut or covered in windows of usual sizes, whatever the project holds."""

from dataclasses import replace

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from stdpose_mm.io.labels import write_coco
from support.review_browser import (
    FRAMES,
    STARTS,
    make_clip,
    place_of,
    poses_of_clip,
    resize,
    serve,
    set_scheme,
)

pytestmark = pytest.mark.slow

PEOPLE = 20

CUT = """
    // The tooltips and lists of these say the rest.
    const shortened = '#video-name, #verdict, #measured';
    const parts = document.querySelectorAll('.header *, .transport *, .tools, .tools *, .side *');
    return [...parts]
      .filter((part) => part.checkVisibility() && !part.closest('svg, select, .visually-hidden'))
      .filter((part) => !part.matches(shortened) && !part.closest('.joints'))
      .filter((part) => {
        const box = part.getBoundingClientRect();
        const isCut = part.clientWidth && part.scrollWidth > part.clientWidth;
        const isOut = box.width && (box.right > innerWidth || box.left < 0);
        const isTwoLines = part.matches('button, span') && box.height > 40;
        return isCut || isOut || isTwoLines;
      })
      .map((part) => `${part.tagName} ${part.id} ${part.className}: ${part.textContent.trim()}`);
"""

OVERFULL = """
    const parts = [...document.querySelectorAll('.header, .guidance, .transport, body')];
    return parts
      .filter((part) => part.scrollWidth > part.clientWidth || part.scrollHeight > innerHeight)
      .map((part) => part.className || part.tagName);
"""

COVERED = """
    const bars = ['.header', '.guidance', '.transport', '.tools'];
    const controls = document.querySelectorAll(
      bars.flatMap((bar) => [`${bar} button`, `${bar} input`]).join(','));
    return [...controls].filter((control) => {
      const box = control.getBoundingClientRect();
      if (!control.checkVisibility() || !box.width) return false;
      const [left, right] = [box.x + 3, box.right - 3];
      const [top, bottom] = [box.y + 3, box.bottom - 3];
      return [[left, top], [right, bottom]].some(([x, y]) => {
        const seen = document.elementFromPoint(x, y);
        return !(control.contains(seen) || control.parentElement.contains(seen));
      });
    }).map((control) => control.id || control.title);
"""

WRAPPED = """
    return [...document.querySelectorAll('#project thead th, #videos button, #videos td')]
      .filter((cell) => !cell.matches('.reason') && cell.textContent)
      .filter((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return new Set([...range.getClientRects()].map((line) => line.top)).size > 1;
      })
      .map((cell) => cell.textContent);
"""


@pytest.fixture(scope='module')
def crowded(tmp_path_factory):
    """A server of a video of many people with a long name, beside a file that is no video."""
    folder = tmp_path_factory.mktemp('crowded')
    videos, labels = folder / 'videos', folder / 'labels'
    videos.mkdir()
    labels.mkdir()
    video, _ = make_clip(videos, 'a_long_name_of_a_video_of_many_people.mp4')
    (videos / 'labels.json').unlink()
    poses = poses_of_clip(video.stem, (0, 20, 40))
    crowd = [
        replace(person, track_id=10 * n + person.track_id)
        for n in range(PEOPLE // len(STARTS))
        for person in poses.persons
    ]
    write_coco(poses.with_persons(crowd), labels / f'{video.stem}.json')
    (videos / 'broken.mp4').write_bytes(b'no video' * 100)
    write_coco(poses, labels / 'broken.json')
    with serve(videos, labels) as server:
        yield server


@pytest.fixture(scope='module')
def crowd(page, crowded):
    """The page of the video, for the tests beside each other that change nothing of it."""
    page.open(crowded)
    page.wait(lambda: 'person' in page.text('#next-what'), 'a label is suggested')
    return page


WINDOWS = (
    ((853, 480), 1.5, 'dark'),
    ((1024, 640), 1, 'light'),
    ((1280, 720), 1, 'dark'),
    ((1280, 720), 2, 'light'),
    ((1920, 1080), 1, 'light'),
)
"""Size in pixels of CSS, pixels of the screen in one of them, colours."""


def test_nothing_is_cut_or_covered(crowd):
    crowd.run(
        "document.getElementById('frame-field').value = '53999';"
        "document.getElementById('last-frame').textContent = '/ 53999'"
    )
    for size, density, scheme in WINDOWS:
        resize(crowd.browser, *size, density)
        set_scheme(crowd.browser, scheme)
        # The canvases follow the size of the window a moment later.
        crowd.wait(lambda: crowd.run(OVERFULL) == [], 'everything is as large as the window')
        assert crowd.run(CUT) == [], size
        assert crowd.run(COVERED) == [], size


def test_tools_do_not_lie_on_each_other_beside_traces_in_a_low_window(crowd):
    resize(crowd.browser, 853, 480, 1.5)
    crowd.press('t', held=[Keys.SHIFT])
    crowd.wait(lambda: not crowd.is_hidden('#traces'), 'the traces are shown')
    lowest = crowd.run(
        "const tools = [...document.querySelectorAll('.tools > .tool')];"
        'return Math.min(...tools.map((tool) => tool.offsetHeight))'
    )
    crowd.press('t', held=[Keys.SHIFT])
    assert lowest >= 21


def test_a_broken_file_leaves_the_columns_of_the_list_their_width(crowd):
    crowd.press('l')
    crowd.wait(lambda: 'unavailable' in crowd.text('#videos'), 'the file is listed as broken')
    for size in ((853, 480), (1280, 720)):
        resize(crowd.browser, *size)
        assert crowd.run(WRAPPED) == [], size
    assert 'broken.mp4' in crowd.text('#videos .reason')


def test_a_row_keeps_its_name_and_colour_while_its_pose_is_recomputed(page, crowded):
    script = page.browser.execute_cdp_cmd(
        'Page.addScriptToEvaluateOnNewDocument',
        {
            'source': """
                const answered = window.fetch;
                window.fetch = async (url, ...more) => {
                    const answer = await answered(url, ...more);
                    if (!String(url).includes('/poses')) return answer;
                    const text = await answer.text();
                    const poses = text.replaceAll('"pending":false', '"pending":true');
                    return new Response(poses, answer);
                };
            """
        },
    )
    page.open(crowded, frame=10)
    page.browser.execute_cdp_cmd('Page.removeScriptToEvaluateOnNewDocument', script)
    page.wait(lambda: 'recomput' in page.text('#people .source'), 'poses are recomputed')
    widths = page.run(
        "const row = document.querySelector('#people .row');"
        "const name = row.querySelector('.row-name');"
        "const swatch = row.querySelector('.swatch');"
        'return [name.scrollWidth - name.clientWidth, swatch.getBoundingClientRect().width]'
    )
    assert widths == [0, 12]


@pytest.mark.parametrize(('name', 'is_cut'), [('Person 12', False), (20 * 'Anna ', True)])
def test_a_name_is_cut_only_if_it_has_the_whole_row(crowd, name, is_cut):
    row = crowd.run(
        "const row = document.querySelector('#people .row');"
        "row.querySelector('.row-name').textContent = arguments[0];"
        "row.querySelector('.source').textContent = '○ straight line so far';"
        "const name = row.querySelector('.row-name');"
        'return [name.scrollWidth > name.clientWidth, row.scrollWidth - row.clientWidth]',
        name,
    )
    assert row == [is_cut, 0]


def test_a_message_spares_the_chosen_person_and_ends_with_the_next_action(page, crowded):
    page.open(crowded, frame=FRAMES - 1)
    page.press('2')
    neck = page.screen_place(*place_of(2, FRAMES - 1, 'neck'))
    corner = page.run(
        "const b = document.querySelector('.stage').getBoundingClientRect();"
        'return [b.right - 90, b.bottom - 40]'
    )
    actions = ActionChains(page.browser, duration=0)
    mouse = actions.w3c_actions.pointer_action
    # The ground beside the picture is dragged until the person stands in the corner.
    ground = [neck[0], neck[1] - 150]
    mouse.move_to_location(*ground)
    mouse.pointer_down()
    for share in (0.5, 1):
        mouse.move_to_location(
            *(round(a + share * (b - c)) for a, b, c in zip(ground, corner, neck, strict=True))
        )
    mouse.pointer_up()
    actions.perform()
    page.press(']')
    page.wait(lambda: 'No given frame' in page.text('#messages'), 'it says that there is none')
    box = page.run(
        "const b = document.querySelector('.message').getBoundingClientRect();"
        'return [b.left, b.top, b.right, b.bottom]'
    )
    for joint in ('head', 'neck', 'left_hand', 'right_hand'):
        x, y = page.screen_place(*place_of(2, FRAMES - 1, joint))
        assert not (box[0] <= x <= box[2] and box[1] <= y <= box[3])
    page.press('h')
    assert page.text('#messages') == ''
