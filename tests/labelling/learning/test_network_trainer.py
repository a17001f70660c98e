"""The loss, and training by steps, by time and until it is interrupted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from stdpose_mm.labelling.learning import network_trainer
from stdpose_mm.labelling.learning.network_trainer import (
    HiddenPoses,
    NetworkTrainer,
    heatmap_loss,
    train_together,
)
from stdpose_mm.labelling.learning.small_unet import SmallUNet


class Sampler:
    """Give the same crops of noise again and again."""

    def draw(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng(0)
        crops = random.normal(size=(number, 3, 32, 32)).astype(np.float32)
        places = np.full((number, 2, 2), 16, np.float32)
        return crops, places, places + 2


def make_trainer(seed: int = 0) -> NetworkTrainer:
    crops, keypoints, prior = Sampler().draw(3)
    keypoints[2, 1] = np.nan
    torch.manual_seed(seed)
    hidden = HiddenPoses(crops, keypoints, prior, np.full(3, 20.0))
    return NetworkTrainer(SmallUNet(2), Sampler(), hidden)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_trainer, 'BATCH_SIZE', 2)


@pytest.fixture
def trainer(small_batches: None) -> NetworkTrainer:
    return make_trainer()


def test_equal_logits_cost_the_logarithm_of_the_number_of_places() -> None:
    logits = torch.zeros(1, 1, 12, 10)
    loss = heatmap_loss(logits, torch.tensor([[[8.5, 10.5]]]))
    assert float(loss) == pytest.approx(math.log(120))


def test_the_least_loss_is_the_entropy_of_the_gaussian_around_the_label() -> None:
    """Cell (4, 5) has its centre at pixel 2 * cell + 0.5."""
    rows, columns = np.mgrid[:12, :10]
    gaussian = np.exp(-((columns - 4) ** 2 + (rows - 5) ** 2) / (2 * 1.5**2))
    share = gaussian / gaussian.sum()
    logits = torch.from_numpy(np.log(share)).float()[None, None]
    loss = heatmap_loss(logits, torch.tensor([[[8.5, 10.5]]]))
    assert float(loss) == pytest.approx(-(share * np.log(share)).sum(), rel=1e-5)


@pytest.mark.parametrize(('is_there', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_step_is_in_bfloat16_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, is_there: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(network_trainer, 'is_bfloat16_faster', lambda _: is_there)
    trainer = make_trainer()
    found: list[torch.dtype] = []
    for network in (trainer.network, trainer.result):
        head: Any = network.head
        head.register_forward_hook(lambda module, given, logits: found.append(logits.dtype))
    before = trainer.network.head.weight.detach().clone()
    trainer.step(0.5)
    trainer.validate()
    assert found == [dtype, torch.float32, torch.float32]
    assert trainer.network.head.weight.dtype == torch.float32
    assert not torch.equal(trainer.network.head.weight, before)


def test_a_step_is_on_the_device_of_the_network(
    trainer: NetworkTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch refuses to compute with tensors of two devices; those of this one have no values."""
    monkeypatch.setattr(torch, 'autocast', lambda *args, **kwargs: nullcontext())
    elsewhere = NetworkTrainer(SmallUNet(2).to('meta'), Sampler(), trainer.hidden)  # type: ignore[arg-type]
    elsewhere.step(0.5)
    assert {one.grad.device.type for one in elsewhere.network.parameters()} == {'meta'}


def test_joints_without_label_or_place_in_the_crop_do_not_count() -> None:
    logits = torch.randn(1, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([[[8.5, 10.5], [float('nan')] * 2, [8.5, 40]]])
    alone = heatmap_loss(logits[:, :1], places[:, :1])
    assert float(heatmap_loss(logits, places)) == pytest.approx(float(alone))
    assert float(heatmap_loss(logits, places[:, [1, 1, 1]])) == 0


def test_training_ends_after_the_steps(trainer: NetworkTrainer) -> None:
    heard: list[tuple[float, float | None]] = []
    train_together([trainer], 16, 1000, lambda done, right: heard.append((done, right)))
    assert [done for done, _ in heard] == [step / 16 for step in range(1, 17)]
    assert heard[0][1] is None
    assert heard[1][1] is not None
    assert len(trainer.certainty) == len(trainer.right) == 5


def test_training_ends_in_time(trainer: NetworkTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(network_trainer.time, 'monotonic', lambda: float(next(clock)))
    heard: list[float] = []
    train_together([trainer], 1000, 4, lambda done, right: heard.append(done))
    assert heard == [0.25, 0.5, 0.75, 1.0]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Set the number of threads that PyTorch may use."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(('allowed', 'share'), [(1, 1), (2, 1), (5, 2)])
def test_networks_share_the_threads(
    trainer: NetworkTrainer,
    threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    allowed: int,
    share: int,
) -> None:
    used: set[int] = set()
    monkeypatch.setattr(
        NetworkTrainer, 'step', lambda trainer, done: used.add(torch.get_num_threads())
    )
    threads(allowed)
    train_together([trainer, make_trainer()], 4, 1000, lambda done, right: None)
    assert used == {share}
    assert torch.get_num_threads() == allowed


def test_networks_learn_side_by_side_as_each_alone(
    trainer: NetworkTrainer, threads: Callable[[int], None]
) -> None:
    threads(2)
    together = trainer, make_trainer(1)
    train_together(together, 4, 1000, lambda done, right: None)
    threads(1)
    for seed, network in enumerate(together):
        alone = make_trainer(seed)
        train_together([alone], 4, 1000, lambda done, right: None)
        torch.testing.assert_close(alone.result.state_dict(), network.result.state_dict())


def test_ctrl_c_keeps_the_network_so_far_and_before_that_ends_everything(
    trainer: NetworkTrainer,
) -> None:
    def interrupt(done: float, right: float | None) -> None:
        if done >= limit:
            raise KeyboardInterrupt

    limit = 0.5
    train_together([trainer], 16, 1000, interrupt)
    assert len(trainer.right) == 5
    limit = 0.01
    with pytest.raises(KeyboardInterrupt):
        train_together([trainer], 16, 1000, interrupt)


def test_the_result_is_the_mean_of_the_last_weights(trainer: NetworkTrainer) -> None:
    """The second of two steps counts 10 / 11."""
    weights = []
    for _ in range(2):
        trainer.step(0.5)
        weights.append(trainer.network.head.weight.detach().clone())
    expected = weights[0] / 11 + weights[1] * 10 / 11
    result = trainer.result
    assert isinstance(result, SmallUNet)
    torch.testing.assert_close(result.head.weight, expected)


def test_hidden_labels_choose_nothing(trainer: NetworkTrainer) -> None:
    """Other hidden labels give the same network."""
    torch.manual_seed(0)
    crops, keypoints, prior = Sampler().draw(3)
    hidden = HiddenPoses(crops[::-1].copy(), keypoints + 3, prior, np.full(3, 20.0))
    other = NetworkTrainer(SmallUNet(2), Sampler(), hidden)  # type: ignore[arg-type]
    for each in (trainer, other):
        train_together([each], 4, 1000, lambda done, right: None)
    torch.testing.assert_close(other.result.state_dict(), trainer.result.state_dict())
