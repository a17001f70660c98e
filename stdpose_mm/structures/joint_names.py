"""Joint names in different data sets: which names mean the same point of the body."""

from __future__ import annotations

import re

_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+')

_FULL_WORDS = {
    'l': 'left',
    'r': 'right',
    'f': 'front',
    'fore': 'front',
    'b': 'back',
    'h': 'back',
    'hind': 'back',
    'rear': 'back',
    'forefinger': 'index',
    'little': 'pinky',
    'middle': 'mid',
    'centre': 'mid',
    'center': 'mid',
    'earbase': 'ear base',
    'tailbase': 'tail base',
}
_SILENT = ('finger', 'of', 'joint', 'the')

_SIDES = ('left', 'right')

_NEIGHBOURS = {
    'ear base': ('ear',),
    'hand root': ('wrist',),
    'head bottom': ('upper neck', 'neck'),
    'head top': ('top head', 'head'),
    'hip': ('pelvis', 'mid hip', 'root'),
    'mid hip': ('pelvis', 'hip', 'root'),
    'neck': ('upper neck', 'head bottom', 'thorax', 'neck base'),
    'neck base': ('thorax', 'neck'),
    'pelvis': ('mid hip', 'hip', 'root'),
    'root': ('pelvis', 'mid hip', 'hip'),
    'root tail': ('tail base',),
    'tail base': ('root tail',),
    'thorax': ('neck base', 'neck'),
    'top head': ('head top', 'head'),
    'upper neck': ('head bottom', 'neck'),
    'wrist': ('hand root',),
}
"""Joint name without its side -> names of joints that data sets place at or near the same point,
the closest first. Covers COCO, MPII, Halpe, PoseTrack, AI Challenger, CrowdPose, Human3.6M,
OpenPose, hands, AP-10K and Animal-Pose."""


def spell_out(name: str) -> str:
    """Write a joint's name in full words, its side first: ``L_F_Paw`` is ``left front paw``.

    Words are separated by capital letters, digits and other characters, and abbreviations are
    expanded: ``LShoulder``, ``shoulder_l`` and ``left-shoulder`` give the same result.
    """
    words = []
    for word in _WORD.findall(name):
        words += _FULL_WORDS.get(word.lower(), word.lower()).split()
    words = [word for word in words if word not in _SILENT] or [name]
    return ' '.join(sorted(words, key=lambda word: word not in _SIDES))


def name_distance(name: str, other: str) -> int | None:
    """Compute the distance in meaning between two joint names.

    It is 0 for equal names, 1 for names that are equal in full words, more for joints that data
    sets place at or near the same point, and None for any other pair. Left never matches right.
    """
    if name == other:
        return 0
    spelled = spell_out(name)
    side, _, rest = spelled.partition(' ')
    side, rest = (f'{side} ', rest) if side in _SIDES else ('', spelled)
    wanted = [spelled, *(side + neighbour for neighbour in _NEIGHBOURS.get(rest, ()))]
    words = spell_out(other)
    return 1 + wanted.index(words) if words in wanted else None
