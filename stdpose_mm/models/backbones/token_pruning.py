from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stdpose_mm.errors import InputError


class TokenPruning(nn.Module):
    """Selection of the tokens of a crop that later layers of a backbone compute: the person's.

    A linear layer scores every token, and the tokens with the highest scores are kept. The scores
    learn from the target heatmaps which tokens contain a joint; their gradient does not reach the
    backbone. The number of kept tokens is the same for every crop, so that crops form batches.

    Args:
        embed_dims: Width D of the tokens.
        grid: Rows h' and columns w' of the tokens.
        after: Number of layers that compute all tokens.
        keep: Share of the tokens to keep, above 0 and below 1.

    Raises:
        InputError: If no token or every token would be kept.
    """

    def __init__(self, embed_dims: int, grid: Sequence[int], after: int, keep: float) -> None:
        super().__init__()
        self.after = after
        self.grid = (grid[0], grid[1])
        num_tokens = grid[0] * grid[1]
        self.num_kept = round(keep * num_tokens)
        if not 0 < self.num_kept < num_tokens:
            raise InputError(
                f'keep of the pruning must keep some of the {num_tokens} tokens and drop some, '
                f'got {keep}'
            )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6, elementwise_affine=False)
        # nn.Linear would compute in bfloat16 under autocast, in which many tokens have the same
        # score.
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(embed_dims), std=0.02))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Score tokens [N, L, D], float32 [N, L]; above 0 a joint is more likely than none."""
        normed = self.norm(tokens.detach().float())
        return (normed * self.weight).sum(-1) + self.bias

    def places(self, scores: Tensor) -> Tensor:
        """Find the tokens to keep: [N, L] -> indices [N, L']."""
        return scores.topk(self.num_kept, dim=1).indices

    def losses(self, scores: Tensor, targets: Tensor, weights: Tensor) -> dict[str, Tensor]:
        """Compute the loss of the scores, and a measure for the log.

        Args:
            scores: [N, L].
            targets: Target heatmaps [N, K, h, w]; a joint lies where its map is highest.
            weights: Weights of the joints [N, K]; crops without any label do not count.

        Returns:
            ``loss_tokens``: binary cross-entropy between the scores and, for every token, the
            maximum of all joints' target heatmaps in its patch. ``kept_joints``: share of the
            labelled joints whose token is kept.
        """
        labelled = weights > 0
        maps = targets.clamp(0, 1) * labelled[..., None, None]
        wanted = F.adaptive_max_pool2d(maps, self.grid).flatten(2)
        errors = F.binary_cross_entropy_with_logits(
            scores, wanted.amax(dim=1).to(scores), reduction='none'
        ).mean(dim=1)
        counts = labelled.any(dim=1).to(errors)
        with torch.no_grad():
            selected = torch.zeros_like(scores).scatter(1, self.places(scores), 1)
            hits = selected.gather(1, wanted.argmax(dim=2)) * labelled
        return {
            'loss_tokens': (errors * counts).sum() / counts.sum().clamp(min=1),
            'kept_joints': hits.sum() / labelled.sum().clamp(min=1),
        }
