"""A run that is stopped and resumed gives the same losses as one that is not."""

from __future__ import annotations

import pytest

from support.toy_training import ITERS_PER_EPOCH, train

pytestmark = pytest.mark.slow


def test_resume_at_the_end_of_an_epoch_with_another_number_of_workers(tmp_path):
    whole = train(tmp_path / 'whole')
    first = train(tmp_path / 'parts', num_workers=2, die_before=2 * ITERS_PER_EPOCH)
    second = train(tmp_path / 'parts', resume=True)
    assert list(second) == list(range(2 * ITERS_PER_EPOCH, 4 * ITERS_PER_EPOCH))
    assert first | second == whole


@pytest.mark.parametrize('save_every', [3, ITERS_PER_EPOCH])
def test_resume_a_killed_epoch_based_run_from_an_iteration(tmp_path, save_every):
    whole = train(tmp_path / 'whole', save_every_iters=save_every)
    killed = train(tmp_path / 'parts', save_every_iters=save_every, die_before=13)
    resumed = train(tmp_path / 'parts', save_every_iters=save_every, resume=True)
    assert next(iter(resumed)) == 13 - 13 % save_every
    assert killed | resumed == whole
    assert all(killed[i] == resumed[i] for i in killed.keys() & resumed.keys())


@pytest.mark.parametrize('num_workers', [0, 1])
def test_resume_a_killed_iteration_based_run(tmp_path, num_workers):
    options = {'by_epoch': False, 'length': 17, 'save_every_iters': 4, 'num_workers': num_workers}
    whole = train(tmp_path / 'whole', **options)
    killed = train(tmp_path / 'parts', **options, die_before=11)
    resumed = train(tmp_path / 'parts', **options, resume=True)
    assert list(resumed) == list(range(8, 17))
    assert killed | resumed == whole


def test_resume_without_a_configured_seed_repeats_what_the_killed_run_did(tmp_path):
    killed = train(tmp_path, seed=None, length=2, save_every_iters=6, die_before=9)
    resumed = train(tmp_path, seed=None, length=2, save_every_iters=6, resume=True)
    assert list(resumed) == [6, 7, 8, 9]
    assert all(resumed[i] == killed[i] for i in (6, 7, 8))


def test_plain_mmengine_does_not_resume_exactly(tmp_path):
    """Guards the tests above: the toy run does draw random numbers that resuming loses."""
    plain = {'with_hook': False, 'seeded_data': False}
    whole = train(tmp_path / 'whole', **plain)
    first = train(tmp_path / 'parts', die_before=2 * ITERS_PER_EPOCH, **plain)
    second = train(tmp_path / 'parts', resume=True, **plain)
    assert {i: whole[i] for i in first} == first
    assert all(whole[i] != second[i] for i in second)
