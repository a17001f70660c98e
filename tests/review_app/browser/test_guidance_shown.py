"""What the bar above the picture says about quality, from the first label on."""

from __future__ import annotations

import pytest

from stdpose_mm.io.labels import write_labels
from support.review_browser import FRAMES, make_clip, make_clips, poses_of_clip, serve

pytestmark = pytest.mark.slow


def test_nothing_is_good_enough_before_it_is_measured(page, tmp_path):
    """Even if half of the joints are enough, and a label is a click on a wall."""
    with serve(*make_clip(tmp_path, given=[20])) as server:
        page.open(server)
        page.run(
            """
            window.said = [];
            const verdict = document.getElementById('verdict');
            new MutationObserver(() => said.push(verdict.textContent)).observe(verdict, {
                childList: true, characterData: true, subtree: true,
            });
            const field = document.getElementById('target');
            field.value = 50;
            field.dispatchEvent(new Event('change'));
            """
        )
        no_meter = "return document.getElementById('right-meter').hidden"
        # Four joints are hidden with each label but the first and the last; 20 are needed.
        for frame, more in ((0, 3), (40, 4), (10, 3), (30, 2), (5, 1)):
            page.go_to(frame)
            with page.one_edit():
                page.press('1', 'a')
            text = f'Not known yet · label {more} more'
            page.wait(lambda text=text: page.text('#verdict') == text, f'it says {text}')
        assert 'label 1 more pose to measure it.' in page.run(
            "return document.getElementById('verdict-whole').textContent"
        )
        assert page.run(no_meter)
        assert not [text for text in page.run('return said') if 'right' in text]
        page.go_to(35)
        with page.one_edit():
            page.press('1', 'a')
        page.wait(lambda: page.text('#verdict').startswith('Good enough: '), 'it was measured')
        assert not page.run(no_meter)


def test_the_page_says_that_poses_of_another_program_are_of_no_use(page, tmp_path):
    videos, labels = make_clips(tmp_path / 'project', 2)
    results = tmp_path / 'results'
    results.mkdir()
    for number, offset in enumerate((5.0, 0.0)):
        name = f'clip_{number:02d}'
        poses = poses_of_clip(name, range(FRAMES), offset)
        write_labels(poses, results / f'{name}.json', 'coco')
    options = ('--pose-results', results, '--no-stdpose')
    with serve(videos, labels, *options, method='auto') as server:
        page.open(server)
        said = 'results: used in 0 of 8 gaps; in 8 it misses the labels (are they poses of'
        page.wait(lambda: said in page.text('#states'), 'it says so')
        page.open(server, video=1)
        page.wait(lambda: not page.fetch('/guidance?target=0.95')['computing'], 'all is done')
        assert page.text('#states') == ''
