"""All changes of this package to OpenMMLab: registries, inferencer, configs and checkpoints.

MMPose takes seconds to import, and much of this package works without it. Therefore MMPose is not
imported here, but changed when other code imports it:

- Its registries learn where the classes of this package are. They import those modules at the first
  request for a class, as they import MMPose's own.
- ``MMPoseInferencer(pose2d=...)`` builds a ``Pose2DInferencer`` by the name in its module; there is
  no other hook. The name is replaced by a function that looks at the config's model: models of this
  package get :class:`~stdpose_mm.apis.stdpose_inferencer.STDPoseInferencer`, all others MMPose's
  own class, unchanged. The function that turns instances into plain dicts keeps ``track_ids``,
  which MMPose's instances do not have.
- ``Pose2DInferencer`` itself refuses models of this package. It would get them if a config imports
  this package only while MMPose's class is already reading the config.
- ``_base_ = 'stdpose_mm::light/NAME.py'`` in a config names a config of this package, wherever it
  is installed; MMEngine knows only OpenMMLab's packages by name.
- MMEngine reads checkpoints by :mod:`stdpose_mm.checkpoint_files`, which runs no code from them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from .checkpoint_files import change_mmengine
from .errors import InputError

LOCATIONS = {
    'DATASETS': ('stdpose_mm.datasets',),
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


def install() -> None:
    """Change OpenMMLab's modules as described above, now or as soon as they are imported."""
    for name, change in _CHANGES.items():
        if name in sys.modules:
            change(sys.modules[name])
    if not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())


class _Watcher:
    """Import hook that changes modules of OpenMMLab after they are loaded."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find a module that has to be changed; return None for all others."""
        if fullname not in _CHANGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_change(module: ModuleType) -> None:
                load(module)
                _CHANGES[fullname](module)

            spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def _change_registries(module: Any) -> None:
    for name, locations in LOCATIONS.items():
        registry = getattr(module, name)
        if not set(locations) <= set(registry._locations):
            registry._locations.extend(locations)
            # A registry that has imported its locations does so again, which is cheap.
            registry._imported = False


def _change_inferencer(module: Any) -> None:
    base: Any = sys.modules['mmpose.apis.inferencers.base_mmpose_inferencer']
    original, split_instances = module.Pose2DInferencer, base.split_instances
    if not isinstance(original, type):
        return

    def pose2d_inferencer(model: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Build the inferencer that the model needs, with ``Pose2DInferencer``'s arguments."""
        ours = _our_inferencer()
        return (ours if ours.can_run(model) else original)(model, *args, **kwargs)

    def split_tracked_instances(instances: Any) -> list[dict[str, Any]]:
        """Split MMPose's instances into dicts, with ``track_id`` if they have one."""
        split: list[dict[str, Any]] = split_instances(instances)
        if instances is not None and 'track_ids' in instances:
            for person, track_id in zip(split, instances.track_ids.tolist(), strict=True):
                person['track_id'] = track_id
        return split

    module.Pose2DInferencer = pose2d_inferencer
    base.split_instances = split_tracked_instances


def _change_pose2d(module: Any) -> None:
    original = module.Pose2DInferencer
    load = original._init_model
    if load.__module__ == __name__:
        return

    def init_model(self: Any, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        """Load a model, unless MMPose's own inferencer cannot run it."""
        # Models without data_mode fail later, without an understandable reason.
        if 'data_mode' not in cfg and _our_inferencer().can_run(cfg):
            raise InputError(
                "MMPose's Pose2DInferencer cannot run this model of stdpose_mm, "
                'import stdpose_mm before you build MMPoseInferencer, or use STDPoseInferencer of '
                'stdpose_mm.apis'
            )
        return load(self, cfg, *args, **kwargs)

    original._init_model = init_model


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
    if find is None or find.__module__ == __name__:
        return

    def find_base(cfg_path: str, filename: str) -> tuple[str, str | None]:
        """Find a file of ``_base_`` and the scope of its classes."""
        package, _, name = cfg_path.partition('::')
        if package != 'stdpose_mm':
            found: tuple[str, str | None] = find(cfg_path, filename)
            return found
        # There is no scope: the classes are in MMPose's registries.
        return str(config_folder() / 'configs' / name), None

    module.Config._get_cfg_path = staticmethod(find_base)


_CHANGES = {
    'mmengine.config.config': _change_config,
    'mmengine.runner.checkpoint': change_mmengine,
    'mmpose.registry': _change_registries,
    'mmpose.apis.inferencers.mmpose_inferencer': _change_inferencer,
    'mmpose.apis.inferencers.pose2d_inferencer': _change_pose2d,
}
