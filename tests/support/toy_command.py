"""A config of a toy model that ``stdpose train`` and ``test`` can run, and the parts it names."""

from __future__ import annotations

TOY_PARTS = """
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmpose.registry import DATASETS, METRICS, MODELS
from torch import nn

from stdpose_mm.errors import InputError


@DATASETS.register_module(force=True)
class CommandToyDataset(BaseDataset):
    def __init__(self, broken=None, **kwargs):
        self.broken = broken
        super().__init__(**kwargs)

    def load_data_list(self):
        if self.broken == 'file':
            raise InputError('labels.json does not exist, expected a label file')
        return [{'inputs': torch.full((2,), float(i))} for i in range(4)]

    def prepare_data(self, idx):
        if self.broken == 'sample':
            raise InputError('clip.mp4: frame 3 cannot be decoded')
        return super().prepare_data(idx)


@MODELS.register_module(force=True)
class CommandToyModel(BaseModel):
    dtypes = set()

    def __init__(self, test_cfg=None, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        self.layer = nn.Linear(2, 1)
        self.test_cfg = test_cfg or {}

    def forward(self, inputs, mode='tensor', **kwargs):
        output = self.layer(torch.stack(inputs))
        self.dtypes.add((mode, output.dtype))
        if mode == 'loss':
            return {'loss': output.float().square().mean()}
        flipped = self.test_cfg.get('flip_test', False)
        return [{'value': value.item(), 'flipped': flipped} for value in output]


@METRICS.register_module(force=True)
class CommandToyMetric(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results.extend(1.0 for _ in data_samples)

    def compute_metrics(self, results):
        return {'count': sum(results), 'undefined': float('nan')}


@METRICS.register_module(force=True)
class CommandToyFlipMetric(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results.extend(sample['flipped'] for sample in data_samples)

    def compute_metrics(self, results):
        return {'flipped': sum(results)}
"""

CONFIG = """
import time

# MMEngine names a run to the second and shares state between runs of one name.
experiment_name = f'toy_{time.time_ns()}'
default_scope = 'mmpose'
custom_imports = dict(imports=['stdpose_mm', 'command_toy_parts'])
model = dict(type='CommandToyModel')
data = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CommandToyDataset'),
)
train_dataloader = data
val_dataloader = data
test_dataloader = data
val_evaluator = dict(type='CommandToyMetric')
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
auto_scale_lr = dict(base_batch_size=8)
log_level = 'ERROR'
"""
