# The tiny second system for pose propagation on generated videos, with given labels. Their
# heatmaps, and that of the pose interpolated between them, are embedded into the tokens of their
# frames. The embeddings are initially as large as the features.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic.py',
    '_base_/models/semantic_motion_tiny.py',
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
