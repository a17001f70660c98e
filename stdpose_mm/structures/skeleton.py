"""The joints of a subject: names, limbs, and which joints mirror each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Side = Literal['left', 'right', 'middle']

_SIDE_WORDS = (
    *(('left', 'right'), ('lef', 'rig'), ('links', 'rechts'), ('linke', 'rechte')),
    *(('gauche', 'droite'), ('gauche', 'droit'), ('izquierda', 'derecha')),
    *(('izquierdo', 'derecho'), ('izq', 'der'), ('esquerda', 'direita'), ('esquerdo', 'direito')),
    *(('esq', 'dir'), ('sinistra', 'destra'), ('sinistro', 'destro'), ('sx', 'dx'), ('左', '右')),
    *(('esquerra', 'dreta'), ('vänster', 'höger'), ('venstre', 'højre'), ('venstre', 'høyre')),
    *(('lewa', 'prawa'), ('lewy', 'prawy'), ('lewe', 'prawe'), ('levá', 'pravá')),
    *(('levý', 'pravý'), ('levé', 'pravé'), ('лев', 'прав'), ('sol', 'sağ'), ('왼', '오른')),
)
"""Words for left and right in English, German, Dutch, French, Spanish, Portuguese, Italian,
Chinese, Japanese, Catalan, Swedish, Danish, Norwegian, Polish, Czech, Russian, Turkish, Korean."""


def _both_ways(left: str, right: str) -> tuple[tuple[str, str, Side], tuple[str, str, Side]]:
    return (left, right, 'left'), (right, left, 'right')


_SWAPS: tuple[tuple[str, str, Side], ...] = tuple(
    (form(word), form(other), side)
    for form in (str.lower, str.capitalize, str.upper)
    for left, right in _SIDE_WORDS
    for word, other, side in _both_ways(left, right)
)

_LETTER = re.compile('[LR]|(?<![A-Za-z])[lr]|[lr](?![A-Za-z])')
_OTHER_SIDE = str.maketrans('lrLR', 'rlRL')

_SHORT_PARTS = {'', 'f', 'h', 'b', 'm', 'eye', 'ear', 'hip', 'paw', 'toe', 'arm', 'leg', 'fin'}
"""What may remain of a short word without its l or r: l_eye, leye and fl, not lip."""


@dataclass(frozen=True)
class Skeleton:
    """Joint names and limbs of one kind of subject (a person, a hand, an animal).

    Args:
        keypoint_names: K distinct, non-empty joint names.
        limbs: Pairs of 0-based joint indices that are drawn as a line.
        category: Name of the subject in files.

    Raises:
        ValueError: If a name is empty or repeated, or a limb names a joint that does not exist.
    """

    keypoint_names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...] = ()
    category: str = 'person'

    def __post_init__(self) -> None:
        if not self.keypoint_names:
            raise ValueError('a skeleton needs at least one keypoint name, got none')
        seen: set[str] = set()
        for name in self.keypoint_names:
            if not isinstance(name, str) or not name:
                raise ValueError(f'keypoint names must be non-empty strings, got {name!r}')
            if name in seen:
                raise ValueError(f'keypoint name {name!r} appears twice in the skeleton')
            seen.add(name)
        for limb in self.limbs:
            if len(limb) != 2 or not all(0 <= joint < self.num_keypoints for joint in limb):
                raise ValueError(
                    f'limb {limb} does not name two of the {self.num_keypoints} keypoints (0-based)'
                )

    @property
    def num_keypoints(self) -> int:
        return len(self.keypoint_names)

    @cached_property
    def flip_indices(self) -> tuple[int, ...]:
        """For every joint the index of its mirror image; its own index if it has none.

        The names of mirrored joints differ only in one word or letter, left or l in one name and
        right or r in the other: ``left_ear``, ``LEar``, ``ear_l``, ``FL_paw``, ``main_gauche``.
        """
        return tuple(index for index, _ in self._mirrored)

    @cached_property
    def sides(self) -> tuple[Side, ...]:
        """For every joint 'left' or 'right', or 'middle' if it has no mirror image."""
        return tuple(side for _, side in self._mirrored)

    @cached_property
    def _mirrored(self) -> tuple[tuple[int, Side], ...]:
        index = {name: i for i, name in enumerate(self.keypoint_names)}
        of_joints = (
            ((index[mirror], side) for mirror, side in _mirrors(name) if mirror in index)
            for name in self.keypoint_names
        )
        return tuple(next(pairs, (i, 'middle')) for i, pairs in enumerate(of_joints))

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """For every joint the index of its parent along the limbs, -1 for a root.

        Joints on a ring of limbs, such as shoulders and hips, are roots: their descendants are an
        arm or a leg. In a part without a ring, the root is the joint with the most limbs.
        """
        near: list[list[int]] = [[] for _ in range(self.num_keypoints)]
        for a, b in self.limbs:
            if a != b and b not in near[a]:
                near[a].append(b)
                near[b].append(a)
        in_ring = _on_rings(near)
        parents = [-1] * self.num_keypoints
        seen = set(in_ring)
        by_limbs = sorted(range(self.num_keypoints), key=lambda joint: (-len(near[joint]), joint))
        # Rings first, then the centre of each part that is not connected to a ring.
        for roots in [sorted(in_ring), *([joint] for joint in by_limbs)]:
            waiting = [joint for joint in roots if joint in in_ring or joint not in seen]
            seen.update(waiting)
            for joint in waiting:
                for other in near[joint]:
                    if other not in seen:
                        seen.add(other)
                        parents[other] = joint
                        waiting.append(other)
        return tuple(parents)

    def index_of(self, name: str) -> int:
        """Return the index of the joint ``name``; raise a ValueError if it does not exist."""
        if name not in self.keypoint_names:
            raise ValueError(f'no keypoint {name!r} in {list(self.keypoint_names)}')
        return self.keypoint_names.index(name)

    def to_metainfo(self, dataset_name: str) -> dict[str, Any]:
        """Convert to an MMPose ``metainfo`` dictionary (for ``parse_pose_metainfo``).

        MMPose needs OKS sigmas: every joint gets 0.05, the middle of COCO's range.
        """
        names = self.keypoint_names
        joints = {}
        for i, (name, mirror) in enumerate(zip(names, self.flip_indices, strict=True)):
            color = [255, 128, 0] if mirror > i else [0, 128, 255]
            swap = names[mirror] if mirror != i else ''
            joints[i] = dict(name=name, id=i, color=color, type='', swap=swap)
        limbs = {
            i: dict(link=(names[a], names[b]), id=i, color=[0, 200, 80])
            for i, (a, b) in enumerate(self.limbs)
        }
        return dict(
            dataset_name=dataset_name,
            keypoint_info=joints,
            skeleton_info=limbs,
            joint_weights=[1.0] * len(names),
            sigmas=[0.05] * len(names),
        )


def _on_rings(near: Sequence[Sequence[int]]) -> set[int]:
    """Find the joints that remain when joints with a single limb are removed repeatedly.

    Args:
        near: For each joint the joints that a limb connects it with.
    """
    left = {joint: set(others) for joint, others in enumerate(near) if others}
    while ends := [joint for joint, others in left.items() if len(others) < 2]:
        for joint in ends:
            for other in left.pop(joint):
                if other in left:
                    left[other].discard(joint)
    return set(left)


def _mirrors(name: str) -> Iterator[tuple[str, Side]]:
    """Yield the possible names of a joint's mirror image, and the side of the joint."""
    for word, other, side in _SWAPS:
        for match in re.finditer(word, name):
            yield name[: match.start()] + other + name[match.end() :], side
    for match in _LETTER.finditer(name):
        before, after = name[: match.start()], name[match.end() :]
        if re.match('(?:eft|ight)(?![a-z])', after):
            continue
        rest = re.findall('[A-Za-z]*$', before)[0] + re.match('[A-Za-z]*', after)[0]  # type: ignore[index]
        if match[0].isupper() or len(rest) > 3 or rest.lower() in _SHORT_PARTS:
            other = match[0].translate(_OTHER_SIDE)
            yield before + other + after, 'left' if match[0] in 'lL' else 'right'
