"""Categories of COCO-like files: which labels are read, with which skeleton."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stdpose_mm.errors import InputError, note
from stdpose_mm.structures import Skeleton

from .fields import Record, errors_of, quote
from .joints import choose_categories, classes_of, joint_order, possible_limbs

WHOLE_BODY_FIELDS = {'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts'}
"""Fields of annotations of COCO-WholeBody with further joints."""


@dataclass(frozen=True)
class Categories:
    """The categories of a file whose labels are read.

    Args:
        skeleton: The joints, in the order of the first of these categories.
        fields: Other fields of the first category.
        names: Id of each category, as text -> its name; '' if it is the only one.
        orders: Id of each category, as text -> positions of the joints in its labels.
        left_out: Id of each other category, as text -> its name; '' if the user chose another one.
    """

    skeleton: Skeleton
    fields: Mapping[str, Any]
    names: Mapping[str, str]
    orders: Mapping[str, Sequence[int]]
    left_out: Mapping[str, str]

    def class_of(self, annotation: Record) -> str:
        """Return the name of the category of a label; '' if there is only one."""
        return self.names.get(_id(annotation, 'category_id'), '')

    def order_of(self, annotation: Record) -> Sequence[int]:
        """Return the positions of the joints of the skeleton in a label, [K]."""
        return self.orders.get(_id(annotation, 'category_id'), range(self.skeleton.num_keypoints))

    def select(self, annotations: Sequence[Record]) -> list[Record]:
        """Select the annotations of these categories and of unknown ones, with notes."""
        ids = {**self.names, **self.left_out}
        unknown = [
            annotation
            for annotation in annotations
            if 'category_id' in annotation and _id(annotation, 'category_id') not in ids
        ]
        if ids and unknown:
            first = quote(unknown[0].peek('category_id'))
            note(
                f'{unknown[0].file}: {len(unknown)} of {len(annotations)} annotations have a '
                f'category_id that no category has ({unknown[0].where} has {first}, the categories '
                f'have {", ".join(ids)}); they are read as labels of the category with joints'
            )
        others = [self.left_out.get(_id(a, 'category_id')) for a in annotations]
        counts = Counter(name for name in others if name)
        if counts:
            names = ', '.join(f'{number} of {name!r}' for name, number in counts.items())
            what = 'annotations of categories without joints are left out'
            note(f'{annotations[0].file}: {what} ({names})')
        pairs = zip(annotations, others, strict=True)
        return [annotation for annotation, name in pairs if name is None]


def read_categories(record: Record, category: str | None, default: Skeleton | None) -> Categories:
    """Read the categories of a file whose labels are to be read.

    Categories without labels do not count, unless there are no labels.

    Args:
        record: The file.
        category: Name of the category to read, None for all with the same joints.
        default: Skeleton of a file without joint names.

    Raises:
        InputError: If no category has joints and there is no ``default``, or see
            :func:`choose_categories`.
    """
    categories = {_id(c, 'id'): c for c in record.records('categories', [])}
    # CVAT writes an empty list for categories without joints.
    with_joints = {k: c for k, c in categories.items() if c.peek('keypoints') not in (None, [])}
    others = {k: c.text('name', '') for k, c in categories.items() if k not in with_joints}
    if not with_joints:
        if default is None:
            listing = ', '.join(map(quote, others.values())) or 'none'
            raise InputError(
                f'{record.file}: no category has keypoint names (categories: {listing}), add the '
                'list "keypoints" with the names of the joints to the category'
            )
        return Categories(default, {}, dict.fromkeys(others, ''), {}, {})
    annotations = record.peek('annotations')
    labels = annotations if isinstance(annotations, list) and len(with_joints) > 1 else []
    used = {_as_text(label.get('category_id')) for label in labels if _holds_label(label)}
    candidates = {k: c for k, c in with_joints.items() if k in used} or with_joints
    id_of = {c.text('name', f'category {k}'): k for k, c in candidates.items()}
    if len(id_of) < len(candidates):
        id_of = {f'{c.text("name", "")} {k}': k for k, c in candidates.items()}
    joints_of = {name: candidates[key].texts('keypoints') for name, key in id_of.items()}
    names = choose_categories(record.file, joints_of, category)
    first = candidates[id_of[names[0]]]
    joints = joints_of[names[0]]
    with errors_of(f'{record.file}: {first.where}'):
        skeleton = Skeleton(
            tuple(joints), _read_limbs(first, len(joints)), first.text('name', 'person')
        )
    orders = {
        id_of[name]: joint_order(joints_of[name], joints) or range(len(joints)) for name in names
    }
    class_names = {id_of[name]: of_people for name, of_people in classes_of(names).items()}
    unchosen = dict.fromkeys(with_joints.keys() - class_names.keys(), '')
    return Categories(skeleton, first.extra(), class_names, orders, {**others, **unchosen})


def _read_limbs(category: Record, count: int) -> tuple[tuple[int, int], ...]:
    """Read the limbs of ``count`` joints; COCO numbers joints from 1, some tools from 0."""
    limbs = [limb.tolist() for limb in category.number_lists('skeleton', count=2)]
    first = 0 if any(0 in limb for limb in limbs) else 1
    pairs = [[joint - first for joint in limb] for limb in limbs]
    return possible_limbs(f'{category.file}: {category.where}', pairs, count)


def _holds_label(annotation: Any) -> bool:
    """Tell whether an annotation has a joint or a box, and is no crowd; others are left out."""
    if not isinstance(annotation, dict) or annotation.get('iscrowd') == 1:
        return False
    values = (annotation.get(name) for name in ('keypoints', 'bbox'))
    items = (item for value in values if isinstance(value, list) for item in value)
    return any(item not in (0, -1, None) for item in items)


def _id(record: Record, field: str) -> str:
    return _as_text(record.peek(field))


def _as_text(value: Any) -> str:
    """Return an id as text: 1 and 1.0 are one id."""
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return str(int(value)) if is_whole else quote(value)
