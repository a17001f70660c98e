"""napari-deeplabcut: open a folder of labelled pictures of a project, and save the points."""

from __future__ import annotations

import sys
from pathlib import Path

from napari.components import ViewerModel
from napari.layers import Points
from npe2 import PluginManager


def main(folder: Path) -> None:
    PluginManager.instance().discover()
    viewer = ViewerModel()
    viewer.open(str(folder), plugin='napari-deeplabcut')
    (points,) = (layer for layer in viewer.layers if isinstance(layer, Points))
    print(points.data.shape, points.properties.keys())
    print(points.save('__dlc__.h5', plugin='napari-deeplabcut'))


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:]))
