"""``proofread_result``: a simulated person at the page, in Chromium."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from stdpose_mm.io.labels import write_coco, write_labels
from support.review_browser import FRAMES, SKELETON, make_clip, poses_of_clip

pytestmark = pytest.mark.slow


@pytest.mark.skipif(shutil.which('chromedriver') is None, reason='needs chromium and chromedriver')
def test_what_is_wrong_is_mended_by_keys_and_mouse(run_main, tmp_path):
    from research.tools import proofread_result

    video, _ = make_clip(tmp_path)
    right = poses_of_clip('clip', range(FRAMES))
    labels, result = tmp_path / 'right.json', tmp_path / 'result.json'
    write_coco(right, labels)
    persons = [person.with_source('propagated') for person in right.persons]
    # The neck of the first person jumps down.
    keypoints = persons[16].keypoints.copy()
    keypoints[SKELETON.index_of('neck')] += (0, 12)
    persons[16] = replace(persons[16], keypoints=keypoints)
    write_labels(right.with_persons(persons), result, 'mmpose')
    code, printed, _ = run_main(
        proofread_result.main, video, result, labels, '--method', 'linear', '--answers', 1
    )
    assert code == 0
    assert printed.splitlines()[-1].startswith('1 joints wrong before, 0 after 1 answers')
    assert printed.rstrip().endswith(
        '1 joints in the list of changes, 1 with other digits in the file'
    )
