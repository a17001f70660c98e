"""What the bar above the picture says about quality, from the first label on."""

from __future__ import annotations

import pytest

from stdpose_mm.io.labels import write_coco
from support.review_browser import make_clip, poses_of_clip, serve

pytestmark = pytest.mark.slow


def test_nothing_is_good_enough_before_it_is_measured(page, tmp_path):
    """Even if half of the joints are enough, and a label is a click on a wall."""
    video, labels = make_clip(tmp_path)
    write_coco(poses_of_clip(video.stem, [20]), labels)
    with serve(video, labels) as server:
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
