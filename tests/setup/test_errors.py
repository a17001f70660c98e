from __future__ import annotations

import pytest
from torch.utils.data import DataLoader

from stdpose_mm.errors import InputError, find_input_error

SENTENCE = 'labels.json: frame 3 has no keypoints, expected 15'


def _raise(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


class _BrokenDataset:
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> None:
        raise InputError(SENTENCE)


def test_plain_error() -> None:
    assert find_input_error(InputError(SENTENCE)) == SENTENCE


def test_other_errors_are_not_input_errors() -> None:
    assert find_input_error(ValueError(SENTENCE)) is None


def test_error_behind_the_one_that_was_raised() -> None:
    assert find_input_error(_raise(RuntimeError('cannot build'), InputError(SENTENCE))) == SENTENCE


def test_error_that_a_registry_raised_again() -> None:
    """MMEngine 0.10.7 and older: same type, the place put before the sentence."""
    again = InputError(f'class `Toy` in stdpose_mm/datasets/toy.py: {SENTENCE}')
    assert find_input_error(again) == SENTENCE


def test_error_in_a_data_loaders_worker() -> None:
    batches = iter(DataLoader(_BrokenDataset(), num_workers=1))
    with pytest.raises(InputError) as caught:
        next(batches)
    batches._shutdown_workers()  # else the garbage collector waits for them later
    assert 'Traceback' in str(caught.value)
    assert find_input_error(caught.value) == SENTENCE


def test_sentence_is_one_line() -> None:
    assert find_input_error(InputError('two\n  lines')) == 'two lines'
