"""Options that several commands of research/ share."""

from __future__ import annotations

import json

import pytest

from research.arguments import require_every_video
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.evidence import PoseNetworkFiles


@pytest.mark.parametrize('kind', ['results', 'tracks'])
def test_files_of_one_video_are_refused_for_several(tmp_path, kind):
    path = tmp_path / 'clip.json'
    person = {'id': 1, 'name': 'person', 'keypoints': ['nose'], 'skeleton': []}
    image = {'id': 1, 'file_name': 'clip/0.jpg'}
    path.write_text(json.dumps({'images': [image], 'annotations': [], 'categories': [person]}))
    require_every_video([PoseNetworkFiles(str(path), kind=kind)], 1)
    with pytest.raises(InputError, match=r'clip\.json are of one video, but there are 2'):
        require_every_video([PoseNetworkFiles(str(path), kind=kind)], 2)
    require_every_video([PoseNetworkFiles(str(tmp_path), kind=kind)], 2)
