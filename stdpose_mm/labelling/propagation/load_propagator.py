"""Loading of propagators from the user's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork

from .base import PROPAGATORS, BasePropagator, require_method
from .learned_propagator import LearnedPropagator

if TYPE_CHECKING:
    from mmengine.config import Config

    from stdpose_mm.inference.window_model import WindowModel


def load_propagator(
    method: str = 'auto',
    config: str | Path | Config | None = None,
    checkpoint: str | Path | None = None,
    device: str = 'cpu',
    batch_size: int = 8,
    fuser: str | Path | None = None,
    flow_weights: str | Path | None = None,
    precision: str = 'float32',
    window_model: WindowModel | None = None,
    pose_networks: Sequence[PoseNetworkFiles] = (),
    use_stdpose: bool = True,
) -> BasePropagator:
    """Load the propagator of a method with its model.

    See :class:`~stdpose_mm.apis.VideoPosePropagator` for the arguments. A ``window_model`` replaces
    ``config`` and ``checkpoint``.

    Raises:
        InputError: If the method is unknown, lacks its config or checkpoint, or does not use
            something that was given, or if a file cannot be used.
    """
    propagator_class = require_method(method)
    if not propagator_class.uses_fuser:
        for is_given, what in (
            (fuser is not None, 'a fuser was given'),
            (not use_stdpose, "the package's STDPose was left out"),
            (bool(pose_networks), 'a pose network was given as evidence'),
        ):
            if is_given:
                raise InputError(f"{what}, which method {method!r} does not use, choose 'auto'")
    if flow_weights is not None and not propagator_class.uses_flow:
        raise InputError(
            f'weights of optical flow were given, which method {method!r} does not use, '
            "choose 'auto' or 'flow'"
        )
    options: dict[str, Any] = {}
    if flow_weights is not None:
        require_packages('RAFT', 'torch', 'torchvision')
        from stdpose_mm.tracking.optical_flow import RAFTFlow

        options['estimator'] = RAFTFlow(flow_weights, device=device)
    networks = [load_pose_network(files, device) for files in pose_networks]
    learned = [network for network in networks if isinstance(network, LearnedNetwork)]
    model = window_model or _window_model(method, config, checkpoint, device, precision)
    if model is not None:
        options.update(window_model=model, batch_size=batch_size)
    if propagator_class.uses_fuser:
        evidence = [source for source in networks if source not in learned]
        options.update(
            weights=fuser, batch_size=batch_size, pose_networks=evidence, use_stdpose=use_stdpose
        )
    propagator = propagator_class(**options)
    for network in learned:
        propagator = LearnedPropagator(propagator, network)
    return propagator


def _window_model(
    method: str,
    config: str | Path | Config | None,
    checkpoint: str | Path | None,
    device: str,
    precision: str,
) -> WindowModel | None:
    """Load the pose network that a method uses, if any."""
    propagator_class = PROPAGATORS[method]
    use = propagator_class.uses_model
    if config is None and checkpoint is None and use != 'required':
        if precision != 'float32':
            raise InputError(
                f'the precision {precision!r} was given without a model, add the config and '
                'checkpoint of one or leave the precision out'
            )
        return None
    if use == 'none':
        raise InputError(
            f'a config or checkpoint of a model was given, which method {method!r} does not use, '
            "choose 'auto' or 'stdpose'"
        )
    if config is None or checkpoint is None:
        raise InputError(
            f'method {method!r} needs a config and a checkpoint of a trained model, give both or '
            "choose a method without a model, such as 'flow'"
        )
    require_packages('a pose network', 'torch', 'mmpose')
    from stdpose_mm.inference.window_model import WindowModel

    test_cfg = {'use_frame_head': propagator_class.uses_frame_head}
    model = WindowModel.from_config(config, checkpoint, device, test_cfg, precision)
    model.optimize_for_cpu()
    return model
