"""The notebook of the demo, its cells run in order without Jupyter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.slow

NOTEBOOK = json.loads((ROOT / 'demo' / 'quick_start.ipynb').read_text('utf-8'))
CODE = [cell for cell in NOTEBOOK['cells'] if cell['cell_type'] == 'code']


def test_no_output_is_kept() -> None:
    assert [cell for cell in CODE if cell['outputs'] or cell['execution_count'] is not None] == []


def test_cells_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    names: dict[str, Any] = {'__name__': '__main__'}
    for number, cell in enumerate(CODE):
        exec(compile(''.join(cell['source']), f'cell {number}', 'exec'), names)
    said = capsys.readouterr().out
    assert 'labelled frames: [0, 7, 14]' in said
    assert 'frames, joints, coordinates: (15, 17, 2) of person 1' in said
    assert float(re.search(r'mean error: (.*) pixels', said)[1]) < 5
    assert names['picture'].shape == (240, 320, 3)
    assert (names['folder'] / 'dense.json').is_file()
