"""Training of networks on few labels, some of which are hidden from each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from stdpose_mm.bfloat16 import is_bfloat16_faster
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import CORRECT_WITHIN
from stdpose_mm.labelling.evidence.learned_network import SIGMA, decode_maps

from .pose_crops import CropSampler
from .small_unet import STRIDE, SmallUNet, gaussians

BATCH_SIZE = 16

LEARNING_RATE = 2e-3

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""

_LEAST_RATE = 0.01
"""Minimum of the learning rate, as a share of its maximum."""

AVERAGED_STEPS = 50
"""Number of last steps whose weights the result averages, roughly; at first, a tenth of all."""

ROUNDS = 8
"""Number of validations on hidden labels, for display."""


@dataclass(frozen=True)
class HiddenPoses:
    """Crops of N labelled poses that a network is not trained on.

    Args:
        crops: [N, 3, h, w] float32, normalised.
        keypoints: [N, K, 2] pixels of the crops; NaN where there is no label.
        prior: [N, K, 2] prior estimates of them; NaN without one.
        sizes: [N] sizes of the poses in pixels of the crops.
    """

    crops: np.ndarray
    keypoints: np.ndarray
    prior: np.ndarray
    sizes: np.ndarray


class NetworkTrainer:
    """Trainer of a network on poses.

    The loss is the cross entropy between the softmax over all places of a joint and a Gaussian
    around its label. It treats the places of a joint as one distribution and therefore works with
    few labels, unlike a sum of squares over mostly empty maps.

    The result is the moving average of the weights after all steps. Hidden labels choose nothing,
    so that they can tell how accurate the network is.

    Args:
        network: The network to train, on the device of its weights.
        sampler: Draws its crops.
        hidden: Poses that it is not trained on.
    """

    def __init__(self, network: SmallUNet, sampler: CropSampler, hidden: HiddenPoses) -> None:
        self.network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._device = next(network.parameters()).device
        # Measured here and not in the threads that train, since it needs a single thread.
        self._in_bfloat16 = is_bfloat16_faster(self._device.type)
        self.hidden = hidden
        self._sampler = sampler
        self._optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
        self._averaged = AveragedModel(network, avg_fn=_average, use_buffers=True).eval()
        self.certainty, self.right = np.zeros((2, 0))

    @property
    def result(self) -> nn.Module:
        """Return the network with the averaged weights."""
        network: nn.Module = self._averaged.module
        return network

    def step(self, done: float) -> None:
        """Train on one batch; ``done`` is the share of the training that is done."""
        warm_up, decay = done / WARM_UP, 0.5 + 0.5 * math.cos(math.pi * done)
        for group in self._optimizer.param_groups:
            group['lr'] = LEARNING_RATE * max(min(warm_up, decay), _LEAST_RATE)
        drawn = self._sampler.draw(BATCH_SIZE)
        crops, keypoints, prior = (torch.from_numpy(values).to(self._device) for values in drawn)
        # This shortens a step to two thirds of the time.
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._in_bfloat16):
            logits = self.network(crops.contiguous(memory_format=torch.channels_last), prior)
        loss = heatmap_loss(logits.float(), keypoints)
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimizer.step()
        self._averaged.update_parameters(self.network)

    def validate(self) -> None:
        """Find the joints of hidden labels.

        Raises:
            InputError: If the training has diverged.
        """
        probabilities = _probabilities(self.result, self.hidden)
        if not probabilities.isfinite().all():
            raise InputError(
                'the training has diverged, learn again without continuing from a network'
            )
        places, certainty = decode_maps(probabilities.numpy())
        distance = np.linalg.norm(
            places * STRIDE + (STRIDE - 1) / 2 - self.hidden.keypoints, axis=-1
        )
        labelled = ~np.isnan(self.hidden.keypoints[..., 0])
        self.certainty = certainty[labelled]
        self.right = (distance <= CORRECT_WITHIN * self.hidden.sizes[:, None])[labelled]


def _average(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
    """Move the average of a weight over earlier steps towards its current value."""
    return averaged + (current - averaged) * max(1 / AVERAGED_STEPS, 10 / (10 + int(steps)))


def train_together(
    trainers: Sequence[NetworkTrainer],
    steps: int,
    seconds: float,
    listener: Callable[[float, float | None], None],
) -> None:
    """Train networks side by side, step by step; their ``result`` is what was learned.

    Each has a share of the threads that PyTorch may use, since a step of such a small network
    leaves some of them without work.

    The learning rate follows the steps or the time, whichever is further ahead. A fast machine
    therefore gives the same networks each time, and a slow or busy one finishes in time.

    Args:
        trainers: The networks.
        steps: Maximum number of steps of each network.
        seconds: Time for training.
        listener: Receives the share of the training that is done, 0..1, and the share of hidden
            labels' joints that the networks find, or None before the first validation. A
            KeyboardInterrupt, from it or from the keyboard, ends the training with the networks as
            they are.

    Raises:
        InputError: If the training has diverged.
        KeyboardInterrupt: If it came before the first validation.
    """
    started = time.monotonic()
    step, done, validated = 0, 0.0, 0
    right: float | None = None
    threads = torch.get_num_threads()
    at_once = min(threads, len(trainers))
    torch.set_num_threads(threads // at_once)
    try:
        with ThreadPoolExecutor(at_once, thread_name_prefix='learning') as pool:
            while done < 1:
                list(pool.map(partial(NetworkTrainer.step, done=done), trainers))
                step += 1
                done = min(max(step / steps, (time.monotonic() - started) / seconds), 1.0)
                if int(done * ROUNDS) > validated:
                    validated = int(done * ROUNDS)
                    list(pool.map(NetworkTrainer.validate, trainers))
                    right = float(np.concatenate([trainer.right for trainer in trainers]).mean())
                listener(done, right)
    except KeyboardInterrupt:
        if right is None:
            raise
        for trainer in trainers:
            trainer.validate()
    finally:
        torch.set_num_threads(threads)


def heatmap_loss(logits: Tensor, keypoints: Tensor) -> Tensor:
    """Compute the mean cross entropy between maps and Gaussians around labels.

    Args:
        logits: [N, K, h, w].
        keypoints: [N, K, 2] pixels of the crops; NaN where there is no label. Joints without a
            label, or outside of the crop, do not count.
    """
    height, width = logits.shape[2:]
    places = torch.nan_to_num(keypoints)
    cells = (places - (STRIDE - 1) / 2) / STRIDE
    inside = ((cells > -1) & (cells < cells.new_tensor([width, height]))).all(-1)
    counts = inside & ~torch.isnan(keypoints).any(-1)
    target = gaussians(places, (height, width), STRIDE, SIGMA * STRIDE).flatten(2)
    target = target / target.sum(-1, keepdim=True).clamp_min(1e-6)
    entropy = -(target * F.log_softmax(logits.flatten(2), dim=-1)).sum(-1)
    return (entropy * counts).sum() / counts.sum().clamp_min(1)


@torch.no_grad()
def _probabilities(network: nn.Module, poses: HiddenPoses) -> Tensor:
    """Return the probabilities [N, K, h, w] of the joints' places, computed in batches."""
    probabilities, device = [], next(network.parameters()).device
    inputs = (torch.from_numpy(values).split(BATCH_SIZE) for values in (poses.crops, poses.prior))
    for crops, prior in zip(*inputs, strict=True):
        logits = network(crops.to(device, memory_format=torch.channels_last), prior.to(device))
        probabilities.append(torch.softmax(logits.flatten(2), dim=-1).view_as(logits).cpu())
    return torch.cat(probabilities)
