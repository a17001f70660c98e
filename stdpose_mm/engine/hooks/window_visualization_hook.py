from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.runner import Runner
from mmpose.engine.hooks import PoseVisualizationHook
from mmpose.registry import HOOKS
from mmpose.structures import PoseDataSample

from stdpose_mm.io.video import read_frame, write_picture
from stdpose_mm.registration import register


@register(HOOKS)
class WindowVisualizationHook(PoseVisualizationHook):
    """Hook that draws predictions on key frames, also of video files.

    MMPose's hook reads ``img_path`` as a picture. For a video, this hook passes it the key frame as
    ``<name of the video>_<frame>.png``, and the drawn pictures have that name.
    """

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[PoseDataSample]
    ) -> None:
        """Draw the first prediction of every ``interval``-th batch."""
        if self.enable:
            with _with_pictures(outputs[:1]) as drawn:
                data_batch = {**data_batch, 'data_samples': drawn}
                super().after_val_iter(runner, batch_idx, data_batch, drawn)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[PoseDataSample]
    ) -> None:
        """Draw all predictions."""
        if self.enable:
            with _with_pictures(outputs) as drawn:
                super().after_test_iter(runner, batch_idx, data_batch, drawn)


@contextmanager
def _with_pictures(samples: Sequence[PoseDataSample]) -> Iterator[list[PoseDataSample]]:
    """Copy samples; those of videos get a picture of the key frame that exists in the context."""
    drawn = []
    with TemporaryDirectory() as folder:
        for number, sample in enumerate(samples):
            video, index = sample.img_path, sample.get('img_index')
            if index is not None:
                # Videos in different folders may have the same name.
                picture = Path(folder, str(number), f'{Path(video).stem}_{index:06d}.png')
                picture.parent.mkdir()
                write_picture(picture, read_frame(video, index))
                sample = copy.copy(sample)
                sample.set_metainfo({'img_path': str(picture)})
            drawn.append(sample)
        yield drawn
