"""Training, validation and its metric share out the videos of one folder."""

from __future__ import annotations

from stdpose_mm.datasets.body import PoseTrack18WindowDataset

# Video 'b' is held out, 'a' is not, see tests/io/labels/test_label_files.py.
SHARE = 0.25


def names(dataset: PoseTrack18WindowDataset) -> set[str]:
    return {video.name for video in dataset.videos}


def test_training_and_validation_have_no_video_in_common(tiny_set):
    train = PoseTrack18WindowDataset(**tiny_set.args, interval=4, held_out_share=SHARE)
    val = PoseTrack18WindowDataset(
        **tiny_set.args, interval=4, held_out_share=SHARE, held_out='only', test_mode=True
    )
    assert (names(train), names(val)) == ({'a'}, {'b'})
