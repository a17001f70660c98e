# For training in minutes: lengths and intervals are in steps, not epochs.
_base_ = 'default_runtime.py'

default_hooks = dict(
    logger=dict(interval=25, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=600, save_best='posetrack/AP', rule='greater'),
)
log_processor = dict(by_epoch=False)
