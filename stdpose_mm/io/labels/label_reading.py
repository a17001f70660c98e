"""How the label files of a command are read, in one place for all commands and the review page."""

from __future__ import annotations

from dataclasses import dataclass

from stdpose_mm.io.video import FrameSource
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.structures import VideoLabels

from .formats import read_labels
from .frame_numbers import NO_FRAME_OPTIONS, FrameOptions
from .matching import match_labels


@dataclass(frozen=True)
class LabelReading:
    """What the user says about label files where they leave it open.

    Args:
        frame_options: Mapping of labels to frames.
        labels_size: (width, height) of the pictures that were labelled, if the video has another
            size.
        visible_as_1: See :func:`~stdpose_mm.io.labels.read_labels`.
        category: See :func:`~stdpose_mm.io.labels.read_labels`.
    """

    frame_options: FrameOptions = NO_FRAME_OPTIONS
    labels_size: tuple[int, int] | None = None
    visible_as_1: bool = False
    category: str | None = None

    def read(self, files: VideoFiles, frames: FrameSource) -> VideoLabels:
        """Read the labels of a video, on its frames.

        Raises:
            InputError: If they cannot be read, or do not fit these frames.
        """
        return self.match(self.load(files, frames), frames)

    def load(self, files: VideoFiles, frames: FrameSource) -> VideoLabels:
        """Read the labels of a video as its file has them.

        Raises:
            InputError: If they cannot be read.
        """
        assert files.labels is not None
        return read_labels(
            files.labels,
            video=files.labels_video,
            size=frames.size,
            loaded_into_cvat=files.loaded_into_cvat,
            visible_as_1=self.visible_as_1,
            category=self.category,
        )

    def match(self, labels: VideoLabels, frames: FrameSource) -> VideoLabels:
        """Match labels with the frames and the size of a video.

        Raises:
            InputError: See :func:`~stdpose_mm.io.labels.match_labels`.
        """
        return match_labels(labels, frames, self.frame_options, self.labels_size)
