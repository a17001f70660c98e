# The second system, tiny, pose propagation, with the data, crops and schedule of the tiny STDPose
# beyond the paper.
_base_ = [
    '../../configs/_base_/tiny_runtime.py',
    '../../configs/_base_/schedules/tiny_cpu.py',
    '../../configs/_base_/datasets/synthetic_segments.py',
    '../../configs/_base_/models/semantic_motion_tiny.py',
]

model = dict(
    neck=dict(
        pose_embed=dict(
            type='STDPoseGivenPoseEmbedding',
            num_joints={{_base_.num_joints}},
            embed_dims={{_base_.embed_dims}},
            use_prior=True,
            init_std=0.3,
        )
    ),
    head=dict(decoder={{_base_.codec}}),
)
