"""All that importing this package changes in OpenMMLab: models and configs of ours are found.

MMPose takes seconds to import, and much of this package works without it. Therefore MMPose is not
imported here, but changed when other code imports it, which an import hook observes. Models of
others are not affected, and :func:`uninstall` undoes everything.

- MMPose's registries learn where the classes of this package are, by the list from which they
  import MMPose's own at the first request for a class. MMPose's way, ``custom_imports`` in a
  config, is enough for training and testing, but ``MMPoseInferencer`` looks up classes earlier.
- ``MMPoseInferencer(pose2d=...)`` builds a ``Pose2DInferencer`` by the name in its module, and does
  not ask the registry of inferencers. The name is replaced by a function that looks at the config's
  model: models of this package get :class:`~stdpose_mm.apis.stdpose_inferencer.STDPoseInferencer`,
  which also makes their results (MMPose's would drop the track ids); all others get MMPose's own
  class. A program that builds ``STDPoseInferencer`` itself needs neither.
- ``_base_ = 'stdpose_mm::NAME.py'`` in a config names a config of this package, wherever it is
  installed. MMEngine knows OpenMMLab's packages by name from a table, to which this one is added
  for ``list_models('stdpose_mm')``; but MMEngine would look for the configs of an editable
  installation in the wrong folder, and for classes in registries of this package, which has none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import InputError

PACKAGE = 'stdpose_mm'

LOCATIONS = {
    'DATASETS': ('stdpose_mm.datasets.base', 'stdpose_mm.datasets.body'),
    'DATA_SAMPLERS': ('stdpose_mm.engine.seeding',),
    'HOOKS': ('stdpose_mm.engine',),
    'INFERENCERS': ('stdpose_mm.apis.stdpose_inferencer',),
    'KEYPOINT_CODECS': ('stdpose_mm.codecs',),
    'METRICS': ('stdpose_mm.evaluation.metrics',),
    'MODELS': ('stdpose_mm.models',),
    'OPTIM_WRAPPER_CONSTRUCTORS': ('stdpose_mm.engine.optim_wrappers',),
    'OPTIM_WRAPPERS': ('stdpose_mm.engine.optim_wrappers',),
    'TRANSFORMS': ('stdpose_mm.datasets.transforms', 'stdpose_mm.engine.seeding'),
}
"""Registry of MMPose -> modules whose import registers classes in it."""


LIBRARY_NOTES = (
    'Could not import OneDL.',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)
"""Beginnings of messages about MMDetection and MMEngine themselves that no user can act on: a part
for their authors' platform is missing, and MMEngine calls its own old functions."""

_undo: list[Callable[[], object]] = []
"""What undoes the changes that have been made, in their order."""


def install() -> None:
    """Change OpenMMLab's modules as described above, now or as soon as they are imported."""
    if any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Watcher())
    for name, change in _CHANGES.items():
        if name in sys.modules:
            change(sys.modules[name])


def uninstall() -> None:
    """Undo :func:`install`; classes that are registered already stay registered."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Watcher)]
    while _undo:
        _undo.pop()()


def hide_library_notes() -> None:
    """Let those packages of OpenMMLab that are imported later not print :data:`LIBRARY_NOTES`.

    The commands call this, importing this package does not: other programs see all messages.
    """
    name = 'mmengine.logging'
    if name not in _CHANGES:
        _CHANGES[name] = _change_logging
        if name in sys.modules:
            _change_logging(sys.modules[name])


class _Watcher:
    """Import hook that changes modules of OpenMMLab after they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find a module that has to be changed; None for all others."""
        if fullname not in _CHANGES:
            return None
        finders = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(fullname, path, target) for finder in finders)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_change(module: ModuleType) -> None:
                load(module)
                _CHANGES[fullname](module)

            spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def _change_logging(module: Any) -> None:
    print_log = module.print_log

    def print_others(msg: Any, *args: Any, **kwargs: Any) -> None:
        if not str(msg).startswith(LIBRARY_NOTES):
            print_log(msg, *args, **kwargs)

    module.print_log = print_others
    _undo.append(partial(setattr, module, 'print_log', print_log))


def _change_registries(module: Any) -> None:
    for name, locations in LOCATIONS.items():
        registry = getattr(module, name)
        registry._locations.extend(locations)
        for location in locations:
            _undo.append(partial(registry._locations.remove, location))
        # A registry that has imported its locations does so again, which is cheap.
        registry._imported = False


def _change_inferencer(module: Any) -> None:
    unified, original = module.MMPoseInferencer, module.Pose2DInferencer

    def pose2d_inferencer(model: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Build the inferencer that the model needs, with ``Pose2DInferencer``'s arguments."""
        ours = _our_inferencer()
        return (ours if ours.can_run(model) else original)(model, *args, **kwargs)

    def postprocess(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Make the results as the inferencer of the model does."""
        is_ours = isinstance(getattr(self, 'inferencer', None), _our_inferencer())
        maker: Any = self.inferencer if is_ours else super(unified, self)
        return maker.postprocess(*args, **kwargs)

    module.Pose2DInferencer = pose2d_inferencer
    unified.postprocess = postprocess
    _undo.append(partial(setattr, module, 'Pose2DInferencer', original))
    # MMPose's class inherits it.
    _undo.append(partial(delattr, unified, 'postprocess'))


def _our_inferencer() -> Any:
    from mmpose.registry import INFERENCERS

    return INFERENCERS.get('STDPoseInferencer')


def config_folder() -> Path:
    """Return the folder that holds ``configs``: the repository, or the package's ``.mim``."""
    package = Path(__file__).parent
    installed = package / '.mim'
    return installed if installed.is_dir() else package.parent


def _change_config(module: Any) -> None:
    find = getattr(module.Config, '_get_cfg_path', None)
    # Another version of MMEngine may lack it; configs must then name their base by its path.
    if find is None:
        return

    def find_base(cfg_path: str, filename: str) -> tuple[str, str | None]:
        """Find a file of ``_base_`` and the scope of its classes."""
        package, _, name = cfg_path.partition('::')
        if package != PACKAGE:
            path_and_scope: tuple[str, str | None] = find(cfg_path, filename)
            return path_and_scope
        # There is no scope: the classes are in MMPose's registries.
        return str(_find_base_config(name)), None

    module.Config._get_cfg_path = staticmethod(find_base)
    _undo.append(partial(setattr, module.Config, '_get_cfg_path', staticmethod(find)))
    packages = sys.modules['mmengine.config.utils'].MODULE2PACKAGE
    packages[PACKAGE] = PACKAGE.replace('_', '-')
    _undo.append(partial(packages.pop, PACKAGE))


def _find_base_config(name: str) -> Path:
    """Return the config of a path in ``configs``, or of a file name in any of its folders.

    Raises:
        InputError: If there is none, but one with a similar name.
    """
    root = config_folder() / 'configs'
    if (root / name).is_file():
        return root / name
    files = {path.stem: path for path in root.rglob('*.py')}
    stem = Path(name).stem
    similar = get_close_matches(stem, files, 1)
    if similar and stem not in files:
        meant = files[similar[0]].relative_to(root).as_posix()
        raise InputError(
            f'_base_ {PACKAGE}::{name} does not exist, did you mean {PACKAGE}::{meant}?'
        )
    return files.get(stem, root / name)


_CHANGES: dict[str, Callable[[Any], None]] = {
    'mmengine.config.config': _change_config,
    'mmpose.registry': _change_registries,
    'mmpose.apis.inferencers.mmpose_inferencer': _change_inferencer,
}
