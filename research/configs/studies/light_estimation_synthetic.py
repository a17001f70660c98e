# Loss of accuracy in the light form: tiny models on generated clips, trained with equal steps, pose
# estimation with the boxes of the labels.
_base_ = 'light_propagation_synthetic.py'

title = 'Full and light form, pose estimation on generated clips'
entries = [
    dict(
        entry,
        config=entry['config'].replace('propagation_synthetic_appearance', 'estimation_synthetic'),
    )
    for entry in _base_.entries
]
