"""Which checkpoint a resumed run goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from stdpose_mm.engine.runner import last_checkpoint


@pytest.mark.parametrize('record', [None, '', 'iter_30.pth'], ids=['none', 'empty', 'removed'])
def test_without_a_record_that_holds_the_checkpoint_of_the_highest_step_is_taken(
    tmp_path: Path, record: str | None
) -> None:
    for name in ('iter_9.pth', 'iter_20.pth', 'best_AP_iter_40.pth'):
        (tmp_path / name).write_bytes(b'')
    if record is not None:
        (tmp_path / 'last_checkpoint').write_text(record and str(tmp_path / record))
    assert last_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_20.pth')


def test_the_recorded_checkpoint_is_taken_where_the_folder_is_now(tmp_path: Path) -> None:
    for name in ('iter_9.pth', 'iter_20.pth'):
        (tmp_path / name).write_bytes(b'')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_9.pth')
    assert last_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_9.pth')


def test_without_checkpoints_there_is_none(tmp_path: Path) -> None:
    assert last_checkpoint(str(tmp_path)) is None
    assert last_checkpoint(str(tmp_path / 'nowhere')) is None
