"""A page of a review server in this process, and labels of 40 frames."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from stdpose_mm.review_app.access import LocalAccess
from stdpose_mm.review_app.project import ReviewProject
from stdpose_mm.review_app.server import ReviewServer
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

NUM_FRAMES = 40
SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), ((0, 1), (0, 2)))
POSE = np.array([[10.0, 4.0], [14.0, 20.0], [18.0, 24.0]])
PORT = 8123
TOKEN = 'the-token'
HERE = f'http://127.0.0.1:{PORT}'


def label(frame: int, person: int, shift: float = 0.0, **fields: Any) -> PersonLabel:
    return PersonLabel(frame, POSE + np.array([shift, 0.0]), np.full(3, 2), person, **fields)


def labels_of(*persons: PersonLabel) -> VideoLabels:
    frames = sorted({person.frame_index for person in persons})
    return VideoLabels('clip', SKELETON, tuple(VideoFrame(n) for n in frames), persons)


class Page:
    """Send a browser's requests to a server in this process."""

    numbers = itertools.count()
    opened: list[Page] = []
    project: ReviewProject

    def __init__(self, app: LocalAccess, name: str = 'page') -> None:
        self.name = name
        self.client = TestClient(app, base_url=HERE, raise_server_exceptions=False)
        # One event loop for all requests, not one for each.
        self.client.__enter__()
        self.opened.append(self)
        self.client.get('/', params={'token': TOKEN})
        self.revision = 0

    @classmethod
    def close_all(cls, but: int = 0) -> None:
        """Close all pages but the first ones."""
        while len(cls.opened) > but:
            cls.opened.pop().client.__exit__(None, None, None)

    def get(self, path: str = '', video: int = 0, **params: Any) -> Any:
        answer = self.client.get(f'/api/videos/{video}{path}', params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, video: int = 0, **options: Any) -> Any:
        headers = {'Origin': HERE}
        return self.client.post(f'/api/videos/{video}{path}', json=body, headers=headers, **options)

    def try_edit(self, type: str, revision: int | None = None, id: str = '', **edit: Any) -> Any:
        """Send an edit and return the response, whatever its status."""
        body = {
            'id': id or f'edit-{next(self.numbers)}',
            'page': self.name,
            'revision': self.revision if revision is None else revision,
            'edit': {'type': type, **edit},
        }
        return self.post('/edits', body)

    def wait_for_measurement(self, labels: int, right: float | None = None) -> Any:
        """Wait until accuracy was measured on a number of hidden labels; return the guidance.

        Args:
            labels: The number; 0 to wait until nothing is measured any more.
            right: Share of their joints that is right, if that tells the measurement from others.
        """
        until = time.monotonic() + 120
        while True:
            guidance = self.get('/guidance')
            found = guidance['measured'] or {'labels': 0, 'right': right}
            is_it = found['labels'] == labels and right in (None, found['right'])
            if is_it and not guidance['computing']:
                return guidance
            assert time.monotonic() < until, guidance
            time.sleep(0.005)

    def wait_until_good_enough(self, **params: Any) -> Any:
        """Wait until the poses are said to be good enough; return the guidance."""
        until = time.monotonic() + 120
        while not (guidance := self.get('/guidance', **params))['good_enough']:
            assert time.monotonic() < until, guidance
            time.sleep(0.005)
        return guidance

    def edit(self, type: str, **edit: Any) -> Any:
        """Send an edit that must be done, and wait for the poses that follow from it."""
        response = self.try_edit(type, **edit)
        assert response.status_code == 200, response.text
        answer = response.json()
        self.revision = answer['revision']
        self.settle()
        return answer

    def refused(self, type: str, **edit: Any) -> str:
        """Send an edit that must be refused, and return the sentence."""
        before = self.state()
        response = self.try_edit(type, **edit)
        assert response.status_code == 422, response.text
        assert self.state() == before
        return str(response.json()['error'])

    def settle(self) -> None:
        """Wait until all poses and the guidance are computed."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            state, guidance = self.get(), self.get('/guidance')
            assert not state['failed'], state['failed']
            if state['settled'] == state['revision'] and not guidance['computing']:
                return
            time.sleep(0.005)
        raise AssertionError(f'the server does not settle: {state}')

    def poses(self, frame: int) -> dict[int, dict[str, Any]]:
        """Return the people of a frame by id."""
        answer = self.get('/poses', first=frame, last=frame)
        return {person['id']: person for person in answer['frames'][str(frame)]}

    def joint(self, frame: int, person: int, joint: str = 'head') -> list[float]:
        keypoints = self.poses(frame)[person]['keypoints']
        return keypoints[SKELETON.index_of(joint)][:2]

    def all_poses(self) -> dict[str, Any]:
        """Return what follows from the labels alone; scores change while accuracy is measured."""
        frames = self.get('/poses', first=0, last=NUM_FRAMES - 1)['frames']
        for people in frames.values():
            for person in people:
                del person['before']
                person['keypoints'] = [joint[:3] for joint in person['keypoints'] or []]
        return frames

    def state(self) -> dict[str, Any]:
        return {**self.get(), 'frames': self.all_poses()}


def access_to(project: ReviewProject) -> LocalAccess:
    return LocalAccess(ReviewServer(project).build_app(), PORT, TOKEN)
