# Pose estimation on generated videos: no label is given. In training, single frames are blurred or
# covered, as in bad video. In testing no frame is, unless the fourth step of the pipeline gets
# a probability:
#   --cfg-options test_dataloader.dataset.pipeline.3.prob=1.0
_base_ = 'synthetic.py'

# After the crop, which is the fourth step from the end in training and the third step in testing.
train_pipeline = [
    *_base_.train_pipeline[:-3],
    dict(type='WindowDegradation', prob=0.5),
    *_base_.train_pipeline[-3:],
]
val_pipeline = [
    *_base_.val_pipeline[:3],
    dict(type='WindowDegradation', prob=0.0, test_mode=True),
    *_base_.val_pipeline[3:],
]

train_dataloader = dict(
    dataset=dict(task='estimation', random_offset=False, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(task='estimation', boxes='gt', pipeline=val_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(given_interval=None, boxes='gt')
test_evaluator = val_evaluator
