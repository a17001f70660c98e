"""A person proofreads a result by keys and mouse, and it is written back in its format."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from support.review_browser import FRAMES, SKELETON, Page, make_clip, place_of, serve

pytestmark = pytest.mark.slow

JUMP, EXCHANGED, UNSURE = 8, range(20, 25), 33


def make_result(path: Path) -> None:
    """Write predictions of the person at the left, with mistakes in seven frames."""
    names = SKELETON.keypoint_names
    rows = [
        ['scorer', *(3 * len(names) * ['net'])],
        ['bodyparts', *(name for name in names for _ in range(3))],
        ['coords', *(len(names) * ['x', 'y', 'likelihood'])],
    ]
    for frame in range(FRAMES):
        points = {name: list(place_of(1, frame, name)) for name in names}
        if frame == JUMP:
            points['neck'][1] += 12
        if frame in EXCHANGED:
            left, right = points['left_hand'], points['right_hand']
            points |= {'left_hand': right, 'right_hand': left}
        score = '0.10' if frame == UNSURE else '0.90'
        rows.append([frame, *(v for x, y in points.values() for v in (f'{x:.4f}', y, score))])
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows(rows)


def reason(page: Page) -> str:
    return page.text('#joint-hint')


# How much wider a row of the list of doubts is than its place beside the picture.
ROW_EXCESS = """
    const [row] = document.querySelectorAll('#drafts .chosen .row-main');
    return row.scrollWidth - row.clientWidth;
"""


def test_a_result_is_proofread_by_keys_and_mouse(page: Page, tmp_path: Path) -> None:
    video, _ = make_clip(tmp_path)
    result = tmp_path / 'clipnet.csv'
    make_result(result)
    before = result.read_text().splitlines()
    with serve(video, result, '--proofread') as server:
        page.open(server)
        page.wait(lambda: 'doubts left' in page.text('#verdict'), 'the doubts are counted')
        answers = {'sides exchanged': 'a', 'low score': 'y', 'jump': ''}
        while answers:
            page.press(' ')
            page.wait(lambda: any(f': {r}' in reason(page) for r in answers), 'a doubt is chosen')
            asked = next(r for r in answers if f': {r}' in reason(page))
            assert page.run(ROW_EXCESS) == 0
            number = int(page.text('#doubt-count'))
            with page.one_edit():
                if key := answers.pop(asked):
                    page.press(key)
                else:
                    x, y = place_of(1, JUMP, 'neck')
                    page.pointer((x, y + 12), (x + 4, y + 6), (x, y))
            page.wait(lambda n=number: int(page.text('#doubt-count')) < n, f'{asked} is answered')
        page.press('s', held=['\ue009'])
        file = tmp_path / 'clipnet_proofread.csv'
        page.wait(file.exists, 'the result is written')
        assert page.complaints() == []
    after = file.read_text().splitlines()
    changed = [n - 3 for n, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert changed == [JUMP, *EXCHANGED]
    x, y = map(float, after[3 + JUMP].split(',')[4:6])
    assert (x, y) == pytest.approx(place_of(1, JUMP, 'neck'), abs=1)
    assert after[3 + JUMP].split(',')[7:] == before[3 + JUMP].split(',')[7:]
    changes = [
        *csv.DictReader((tmp_path / 'clipnet_proofread_changes.csv').read_text().split('\n'))
    ]
    assert [row['why'] for row in changes] == [
        'corrected by hand',
        *(10 * ['accepted proposal: sides exchanged']),
    ]
