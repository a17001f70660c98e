# Loss of accuracy by each part of the light form: tiny models on generated clips, trained with
# equal steps, pose propagation at T = 7.
title = 'Parts of the light form, pose propagation on generated clips'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP', 'posetrack/error_percent']
reference = 'full'

_full = 'configs/stdpose_tiny_propagation_synthetic_appearance.py'
_light = 'research/configs/light/stdpose_tiny_propagation_synthetic_appearance_light.py'
_classic = dict(
    deconv_out_channels=(64, 32), deconv_kernel_sizes=(4, 4), upsample=None, shuffle_channels=None
)
_simple = dict(
    deconv_out_channels=None, deconv_kernel_sizes=None, upsample=4, shuffle_channels=None
)
_subpixel = dict(_simple, shuffle_channels=32)


def _options(part, **values):
    return {f'model.{part}.{name}': value for name, value in values.items()}


entries = [
    dict(name='full', config=_full),
    dict(
        name='simple decoder of single frames',
        config=_full,
        cfg_options=_options('frame_head', **_simple),
    ),
    dict(
        name='sub-pixel decoder at the end',
        config=_full,
        cfg_options=_options('head', **_subpixel),
    ),
    dict(
        name='KeyFrameFusion',
        config=_light,
        cfg_options={
            **_options('frame_head', **_classic),
            **_options('head', **_classic, feedforward_channels=None),
        },
    ),
    dict(
        name='all of these',
        config=_light,
        cfg_options={**_options('frame_head', **_simple), **_options('head', **_subpixel)},
    ),
    dict(name='light', config=_light),
]
