"""Cache of optical flow between pictures."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np

from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.tracking.optical_flow import MOST_ENLARGED, FlowEstimator


class RememberedFlow:
    """Cache for callers that need the flow of the same pictures several times.

    Args:
        estimator: Computes the flow.
        max_bytes: Size of the cache in bytes; the least recently used flow is dropped first.
    """

    def __init__(self, estimator: FlowEstimator, max_bytes: int = 2**29) -> None:
        self._estimator = estimator
        self._max_bytes = max_bytes
        self._bytes = 0
        self._fields: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._lock = Lock()

    @property
    def max_side(self) -> int:
        """See :class:`FlowEstimator`."""
        return self._estimator.max_side

    @property
    def single_threaded(self) -> bool:
        """See :class:`FlowEstimator`."""
        return self._estimator.single_threaded

    def prepare(self, picture: np.ndarray, most: float = MOST_ENLARGED) -> np.ndarray:
        """See :class:`FlowEstimator`."""
        return self._estimator.prepare(picture, most)

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """See :class:`FlowEstimator`; the result must not be modified."""
        # Keys are content hashes: the memory of a picture may have been reused for another one.
        key = fingerprint(source), fingerprint(target)
        with self._lock:
            field = self._fields.get(key)
        if field is None:
            field = self._estimator(source, target)
        with self._lock:
            if key not in self._fields:
                self._bytes += field.nbytes
            self._fields[key] = field
            self._fields.move_to_end(key)
            while self._bytes > self._max_bytes and len(self._fields) > 1:
                self._bytes -= self._fields.popitem(last=False)[1].nbytes
        return field
