"""Files of person detectors, and those that the authors of RTMPose publish, by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stdpose_mm.constants import DEFAULT_DETECTOR
from stdpose_mm.errors import require_choice
from stdpose_mm.io.downloads import PublishedFile

DETECTOR_KINDS = ('rtmdet', 'yolox')
"""Architectures of ONNX files, which differ in how they take pictures: RTMDet normalised RGB, YOLOX
BGR in 0..255. MMDeploy gives both the same outputs, so that a file does not tell."""


class PublishedDetector(PublishedFile):
    """A published person detector."""

    dataset: ClassVar = 'person'
    """What it finds, in the place of a pose network's joint set."""


def _yolox(
    names: tuple[str, ...], file: str, side: int, sha256: str | None = None
) -> PublishedDetector:
    """Make the row of a YOLOX, for square inputs with this side in pixels."""
    path = f'rtmposev1/onnx_sdk/yolox_{file}.zip'
    return PublishedDetector(names, path, (side, side), 'Human-Art, COCO', sha256=sha256)


# The SHA-256 of the ONNX file is stated where several projects that use it state the same one.
_TABLE = (
    _yolox(
        ('person-nano',),
        'nano_8xb8-300e_humanart-40f6f0d0',
        416,
        '1450966de24902b18aada1a78913d7efd8fc8dcd51bd4d0d5591476bd4a38821',
    ),
    _yolox(
        ('person-t',),
        'tiny_8xb8-300e_humanart-6f3252f9',
        416,
        'ceb11c07298f95c50d7c5abeb906d03340c85f23aa79e3e66966e7fb6c307250',
    ),
    _yolox(
        ('person-s',),
        's_8xb8-300e_humanart-3ef259a7',
        640,
        '332e09ea9696e3401049b6c5314851db020b6430f85da159e65f37034ab3aee8',
    ),
    _yolox(
        ('person-m', DEFAULT_DETECTOR),
        'm_8xb8-300e_humanart-c2c7a14a',
        640,
        '3dea6513388889f0fff4b77bf7a26013600321b9eb9ceb0e9a400a82572f5f23',
    ),
    _yolox(('person-l',), 'l_8xb8-300e_humanart-ce1d7a62', 640),
    _yolox(
        ('person-x',),
        'x_8xb8-300e_humanart-a39d44ed',
        640,
        '8e9ea96a176bd48501eaaa77216e49ee30794d2f8ba80c7b9862beca4ea972da',
    ),
)
PUBLISHED_DETECTORS = {name: detector for detector in _TABLE for name in detector.names}
"""Detectors by name and alias; all are YOLOX, trained by the authors of MMPose."""


@dataclass(frozen=True)
class DetectorFile:
    """File or name of a detector.

    Args:
        name: Path of an ONNX file or a config, or the name of a config or a published detector.
        kind: One of ``DETECTOR_KINDS``; None if it is not given.
    """

    name: str
    kind: str | None = None

    @classmethod
    def parse(cls, detector: str | os.PathLike[str]) -> DetectorFile:
        """Read ``NAME``, ``FILE`` or ``FILE.onnx=KIND``.

        Raises:
            InputError: If the kind is unknown.
        """
        text = os.fspath(detector)
        file, equals, kind = text.rpartition('=')
        if os.path.isfile(text) or not equals or not file.endswith('.onnx'):
            return cls(text)
        require_choice(f'the kind of {file}', kind, DETECTOR_KINDS)
        return cls(file, kind)

    @property
    def is_published(self) -> bool:
        """Whether it is the name of a published detector, and not that of a file here."""
        return self.name in PUBLISHED_DETECTORS and not os.path.isfile(self.name)

    @property
    def is_onnx(self) -> bool:
        """Whether it is a network in an ONNX file."""
        return self.is_published or self.name.endswith('.onnx')

    def fetch(self) -> Path:
        """Return its path; a published detector is fetched first if it is missing.

        Raises:
            InputError: See :meth:`~stdpose_mm.io.downloads.PublishedFile.fetch`.
        """
        return PUBLISHED_DETECTORS[self.name].fetch() if self.is_published else Path(self.name)
