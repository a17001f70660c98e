"""Print the messages of the review page as TypeScript declarations, for ``make lint-page``.

python -m tools.misc.page_types > work_dirs/page_types/messages.d.ts
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from stdpose_mm.review_app import messages

NAMES = {
    str: 'string',
    int: 'number',
    float: 'number',
    bool: 'boolean',
    NoneType: 'null',
    Any: 'any',
}


def declare_messages() -> str:
    """Declare an interface for each TypedDict of ``messages.py``."""
    return '\n'.join(
        f'export interface {name} {{ {_fields(value)} }}'
        for name, value in vars(messages).items()
        if is_typeddict(value)
    )


def _fields(message: Any) -> str:
    optional = message.__optional_keys__
    return ' '.join(
        f'{name}{"?" if name in optional else ""}: {_type(hint)};'
        for name, hint in get_type_hints(message).items()
    )


def _type(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return str(hint.__name__)
    if origin is Literal:
        return ' | '.join(map(repr, arguments))
    if origin in (Union, UnionType):
        return ' | '.join(map(_type, arguments))
    if origin in (list, Sequence):
        return f'({_type(*arguments)})[]'
    if origin is tuple:
        return f'[{", ".join(map(_type, arguments))}]'
    if origin is dict:
        return f'Record<string, {_type(arguments[1])}>'
    if hasattr(hint, '_fields'):
        return f'[{", ".join(map(_type, get_type_hints(hint).values()))}]'
    return NAMES[hint]


if __name__ == '__main__':
    print(declare_messages())
