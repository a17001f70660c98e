"""The one place where this package reaches into MMPose: its unified inferencer.

``MMPoseInferencer(pose2d=...)`` builds a ``Pose2DInferencer`` by the name that its module knows,
and offers no other way in. Here that name becomes a function that chooses by the config's model,
so that models of this package get :class:`~stdpose_mm.apis.stdpose_inferencer.STDPoseInferencer`
and all others MMPose's own class, untouched. And the function that turns instances into plain
dicts keeps their ``track_ids``, which no instance of MMPose has.

MMPose's inferencers take a second to import, which nothing but they need: they are not imported for
this, but changed when somebody does.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_INFERENCER = 'mmpose.apis.inferencers.mmpose_inferencer'
_BASE = 'mmpose.apis.inferencers.base_mmpose_inferencer'


def install() -> None:
    """Let ``MMPoseInferencer`` know the models of this package; once is enough."""
    if _INFERENCER in sys.modules:
        _change(sys.modules[_INFERENCER])
    elif not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())


class _Watcher(MetaPathFinder):
    """Finds nothing itself, but changes MMPose's module once it is loaded."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The spec that the other finders give for MMPose's module."""
        if fullname != _INFERENCER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_change(module: ModuleType) -> None:
                load(module)
                _change(module)

            spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def _change(module: Any) -> None:
    base: Any = sys.modules[_BASE]
    original, split_instances = module.Pose2DInferencer, base.split_instances
    if not isinstance(original, type):
        return

    def pose2d_inferencer(model: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The inferencer that the model needs, with the arguments of ``Pose2DInferencer``."""
        if not is_window_model(model):
            return original(model, *args, **kwargs)
        from stdpose_mm.apis import STDPoseInferencer

        return STDPoseInferencer(model, *args, **kwargs)

    def split_tracked_instances(instances: Any) -> list[dict[str, Any]]:
        """MMPose's instances as dicts, with the ``track_id`` of those that have one."""
        split: list[dict[str, Any]] = split_instances(instances)
        if instances is not None and 'track_ids' in instances:
            for person, track_id in zip(split, instances.track_ids.tolist(), strict=True):
                person['track_id'] = track_id
        return split

    module.Pose2DInferencer = pose2d_inferencer
    base.split_instances = split_tracked_instances


def is_window_model(model: Any) -> bool:
    """Whether a config (a file, a loaded one, or a name) is of a model of this package."""
    from mmengine.config import Config
    from mmpose.registry import MODELS

    from stdpose_mm.engine.model_names import find_model
    from stdpose_mm.models.pose_estimators import WindowPoseEstimator

    if isinstance(model, (str, Path)):
        if Path(model).is_file():
            model = Config.fromfile(model)
        else:
            return find_model(str(model)) is not None
    kind = (model or {}).get('model', {}).get('type')
    built = MODELS.get(kind) if isinstance(kind, str) else kind
    return isinstance(built, type) and issubclass(built, WindowPoseEstimator)
