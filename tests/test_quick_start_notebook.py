"""The notebook of the demo, its cells run in order without Jupyter."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from typing import Any

import pytest

from support.paths import ROOT

NOTEBOOK = json.loads((ROOT / 'demo' / 'quick_start.ipynb').read_text('utf-8'))
CODE = [cell for cell in NOTEBOOK['cells'] if cell['cell_type'] == 'code']
TEXTS = [''.join(cell['source']) for cell in CODE]
LIGHT = next(number for number, text in enumerate(TEXTS) if 'mmpose' in text)
"""Number of the cells that `pip install .` is enough for."""


def test_no_output_is_kept():
    assert [cell for cell in CODE if cell['outputs'] or cell['execution_count'] is not None] == []


@pytest.mark.slow
def test_cells_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    names: dict[str, Any] = {'__name__': '__main__'}
    has_mmpose = find_spec('mmpose') is not None
    for number, text in enumerate(TEXTS if has_mmpose else TEXTS[:LIGHT]):
        exec(compile(text, f'cell {number}', 'exec'), names)
    said = capsys.readouterr().out
    assert float(re.search(r'mean error: (.*) pixels', said)[1]) < 3
    assert names['picture'].shape == (240, 320, 3)
    assert (names['folder'] / 'dense.json').is_file()
    assert not has_mmpose or 'frames, joints, coordinates: (15, 17, 2) of person 1' in said
