"""Log of edits by page, against repeated edits and edits over unknown ones of other pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from stdpose_mm.errors import InputError


class StaleEditError(Exception):
    """An edit of a page that does not know of an edit to the same pose by another page."""


@dataclass(frozen=True)
class EditScope:
    """Hold the people and frames that an edit concerns.

    Args:
        people: Person ids.
        frames: Frames; None for all.
    """

    people: set[int]
    frames: range | None

    def meets(self, other: EditScope) -> bool:
        """Tell whether both scopes have a pose in common."""
        if self.frames is None or other.frames is None:
            return bool(self.people & other.people)
        first = max(self.frames.start, other.frames.start)
        return bool(self.people & other.people) and first < min(self.frames.stop, other.frames.stop)


@dataclass(frozen=True)
class EditRequest:
    """Hold a checked request for an edit.

    Args:
        id: Identifier of the edit, chosen by the page.
        page: Identifier of the page.
        revision: Number of edits that the page knows of.
        edit: The edit itself; checked by :class:`~.edits.EditReader`.
    """

    id: str
    page: str
    revision: int
    edit: Any

    @classmethod
    def from_json(cls, request: dict[str, Any]) -> EditRequest:
        """Check ``{"id", "page", "revision", "edit"}``.

        Raises:
            InputError: If a field is missing or cannot be used.
        """
        edit_id, page, revision = request.get('id'), request.get('page'), request.get('revision')
        if 'edit' not in request:
            raise InputError('an edit is missing: {"id", "page", "revision", "edit"} are needed')
        for name, value in (('id', edit_id), ('page', page)):
            if not isinstance(value, str) or not 1 <= len(value) <= 100:
                raise InputError(f'an edit needs {name}, a text of 1 to 100 characters')
        if isinstance(revision, bool) or not isinstance(revision, int) or revision < 0:
            raise InputError('an edit needs revision, the whole number that the page knows')
        assert isinstance(edit_id, str)
        assert isinstance(page, str)
        # Text that cannot be encoded cannot be written to the journal.
        json.dumps([edit_id, page]).encode()
        return cls(edit_id, page, revision, request['edit'])


class EditLog:
    """Count the edits of a video, and record the scope of each.

    Attributes:
        revision: Number of edits.
        clicks: Number of user actions in all edits.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.clicks = 0
        self._scopes: list[tuple[str, EditScope]] = []
        self._persons: dict[str, int | None] = {}

    def __contains__(self, edit_id: str) -> bool:
        return edit_id in self._persons

    def person_of(self, edit_id: str) -> int | None:
        """Return the person that an edit created; None if it created none."""
        return self._persons[edit_id]

    def add(
        self, edit_id: str, page: str, scope: EditScope, clicks: int, person: int | None
    ) -> None:
        """Record an edit that was done."""
        self.revision += 1
        self.clicks += clicks
        self._scopes.append((page, scope))
        self._persons[edit_id] = person

    def refuse_stale(self, request: EditRequest, kind: str, scope: EditScope) -> None:
        """Refuse an edit whose page does not know of another page's edit to the same pose.

        Undo and redo, and edits of the whole video, must know of all edits.

        Raises:
            StaleEditError: If the request is such an edit.
        """
        for page, other in self._scopes[request.revision :]:
            if page == request.page:
                continue
            of_video = kind in ('undo', 'redo') or not (scope.people or other.people)
            if of_video or scope.meets(other):
                raise StaleEditError(
                    'another page has changed this meanwhile, look at it and do it again'
                )
        if request.revision > self.revision:
            raise StaleEditError('the page is ahead of the project, load it again')
