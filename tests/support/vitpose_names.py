"""Parameter names and shapes of released ViTPose checkpoints, written down by hand."""

from __future__ import annotations

# width, depth, heads
ARCHITECTURES = {
    'small': (384, 12, 12),
    'base': (768, 12, 12),
    'large': (1024, 24, 16),
    'huge': (1280, 32, 16),
}


def vitpose_backbone(arch: str, num_tokens: int) -> dict[str, tuple[int, ...]]:
    """Return the names of MMPose 1.x: the backbone of ``td-hm_ViTPose-*``."""
    dims, depth, _ = ARCHITECTURES[arch]
    shapes: dict[str, tuple[int, ...]] = {
        'pos_embed': (1, num_tokens, dims),
        'patch_embed.projection.weight': (dims, 3, 16, 16),
        'patch_embed.projection.bias': (dims,),
        'ln1.weight': (dims,),
        'ln1.bias': (dims,),
    }
    for index in range(depth):
        block = {
            'ln1.weight': (dims,),
            'ln1.bias': (dims,),
            'attn.qkv.weight': (3 * dims, dims),
            'attn.qkv.bias': (3 * dims,),
            'attn.proj.weight': (dims, dims),
            'attn.proj.bias': (dims,),
            'ln2.weight': (dims,),
            'ln2.bias': (dims,),
            'ffn.layers.0.0.weight': (4 * dims, dims),
            'ffn.layers.0.0.bias': (4 * dims,),
            'ffn.layers.1.weight': (dims, 4 * dims),
            'ffn.layers.1.bias': (dims,),
        }
        shapes.update({f'layers.{index}.{name}': shape for name, shape in block.items()})
    return shapes


def vitpose_head(arch: str, num_joints: int = 17) -> dict[str, tuple[int, ...]]:
    """Return the classic head's: two deconvolutions with batch normalisation, a 1x1 convolution."""
    dims = ARCHITECTURES[arch][0]
    shapes: dict[str, tuple[int, ...]] = {
        'deconv_layers.0.weight': (dims, 256, 4, 4),
        'deconv_layers.3.weight': (256, 256, 4, 4),
        'final_layer.weight': (num_joints, 256, 1, 1),
        'final_layer.bias': (num_joints,),
    }
    for index in (1, 4):
        for name in ('weight', 'bias', 'running_mean', 'running_var'):
            shapes[f'deconv_layers.{index}.{name}'] = (256,)
        shapes[f'deconv_layers.{index}.num_batches_tracked'] = ()
    return shapes


def vitpose_checkpoint(arch: str) -> dict[str, tuple[int, ...]]:
    """Return the names of MMPose 1.x, 256x192."""
    backbone = {f'backbone.{n}': s for n, s in vitpose_backbone(arch, 192).items()}
    return backbone | {f'head.{n}': s for n, s in vitpose_head(arch).items()}


def original_vitpose_checkpoint(arch: str) -> dict[str, tuple[int, ...]]:
    """Return the original repository (MMPose 0.x, timm names, class-token slot), 256x192."""
    dims, depth, _ = ARCHITECTURES[arch]
    backbone = plain_vit(dims, depth, num_positions=193, last_norm='last_norm')
    return {f'backbone.{name}': shape for name, shape in backbone.items()} | {
        f'keypoint_head.{name}': shape for name, shape in vitpose_head(arch).items()
    }


def simple_vitpose_checkpoint(arch: str) -> dict[str, tuple[int, ...]]:
    """Return those of MMPose 1.x, 256x192, with the simple decoder: ``td-hm_ViTPose-*-simple``."""
    backbone = {f'backbone.{n}': s for n, s in vitpose_backbone(arch, 192).items()}
    return backbone | {f'head.{name}': shape for name, shape in _simple_head(arch).items()}


def original_simple_vitpose_checkpoint(arch: str) -> dict[str, tuple[int, ...]]:
    """Return those of the original repository with the simple decoder, 256x192."""
    classic = original_vitpose_checkpoint(arch).items()
    backbone = {name: shape for name, shape in classic if name.startswith('backbone.')}
    return backbone | {f'keypoint_head.{n}': s for n, s in _simple_head(arch).items()}


def _simple_head(arch: str, num_joints: int = 17) -> dict[str, tuple[int, ...]]:
    """Return the names of one 3x3 convolution; upsampling has no parameters."""
    dims = ARCHITECTURES[arch][0]
    return {'final_layer.weight': (num_joints, dims, 3, 3), 'final_layer.bias': (num_joints,)}


def plain_vit(
    dims: int, depth: int, num_positions: int, last_norm: str = 'norm'
) -> dict[str, tuple[int, ...]]:
    """Return timm's names, which MAE, DINO and the original ViTPose share; no class token."""
    shapes: dict[str, tuple[int, ...]] = {
        'pos_embed': (1, num_positions, dims),
        'patch_embed.proj.weight': (dims, 3, 16, 16),
        'patch_embed.proj.bias': (dims,),
        f'{last_norm}.weight': (dims,),
        f'{last_norm}.bias': (dims,),
    }
    for index in range(depth):
        block = {
            'norm1.weight': (dims,),
            'norm1.bias': (dims,),
            'attn.qkv.weight': (3 * dims, dims),
            'attn.qkv.bias': (3 * dims,),
            'attn.proj.weight': (dims, dims),
            'attn.proj.bias': (dims,),
            'norm2.weight': (dims,),
            'norm2.bias': (dims,),
            'mlp.fc1.weight': (4 * dims, dims),
            'mlp.fc1.bias': (4 * dims,),
            'mlp.fc2.weight': (dims, 4 * dims),
            'mlp.fc2.bias': (dims,),
        }
        shapes.update({f'blocks.{index}.{name}': shape for name, shape in block.items()})
    return shapes
