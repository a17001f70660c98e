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


@pytest.mark.parametrize(
    ('error', 'sentence'),
    [
        (InputError(SENTENCE), SENTENCE),
        (InputError('two\n  lines'), 'two lines'),
        (ValueError(SENTENCE), None),
        (_raise(RuntimeError('cannot build'), InputError(SENTENCE)), SENTENCE),
        # MMEngine 0.10.7 and older raise the same type again, the place put before the sentence.
        (InputError(f'class `Toy` in stdpose_mm/datasets/toy.py: {SENTENCE}'), SENTENCE),
    ],
    ids=['plain', 'two lines', 'another error', 'the cause', 'raised again'],
)
def test_the_sentence_of_an_error(error, sentence):
    assert find_input_error(error) == sentence


def test_error_in_a_data_loaders_worker():
    batches = iter(DataLoader(_BrokenDataset(), num_workers=1))
    with pytest.raises(InputError) as caught:
        next(batches)
    batches._shutdown_workers()  # else the garbage collector waits for them later
    assert 'Traceback' in str(caught.value)
    assert find_input_error(caught.value) == SENTENCE
