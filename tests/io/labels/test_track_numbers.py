import pytest

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.labels.identities import number_tracks


@pytest.mark.parametrize(
    ('tracks', 'numbers', 'names'),
    [
        ([('a', {0, 1}), ('b', {0, 1})], [0, 1], ['a', 'b']),
        ([('7', {0}), ('3', {0})], [7, 3], ['', '']),
        # In merged projects: the second track goes on where the first one ends.
        ([('a', {0, 1}), ('b', {0}), ('a', {2})], [0, 1, 0], ['a', 'b', 'a']),
        ([('7', {0}), ('7', {2})], [7, 7], ['', '']),
        # Without a name, nothing says that two tracks are one.
        ([('', {0}), ('', {2})], [0, 1], ['', '']),
        # 7 and 07 are two names of one number.
        ([('7', {0}), ('07', {2})], [0, 1], ['7', '07']),
        ([('7', {0}), ('a', {2})], [0, 1], ['7', 'a']),
        ([('²', {0})], [0], ['²']),
        ([(f'{2**63}', {0})], [0], [f'{2**63}']),
        ([('a', set()), ('a', {2})], [0, 0], ['a', 'a']),
        ([], [], []),
    ],
)
@pytest.mark.filterwarnings('error')
def test_tracks_are_numbered_by_their_names_or_positions(tracks, numbers, names):
    identities = number_tracks('a.slp', tracks)

    assert [identity.track_id for identity in identities] == numbers
    assert [identity.name for identity in identities] == names


def test_tracks_of_one_name_that_meet_stay_apart():
    tracks = [('7', {0}), ('7', {0, 2}), ('7', {4}), ('8', {0}), ('8', {1})]
    with pytest.warns(InputWarning, match=r"a\.slp: two tracks have the name '7' in one frame"):
        identities = number_tracks('a.slp', tracks)

    assert [identity.track_id for identity in identities] == [0, 1, 2, 3, 3]
    assert [identity.name for identity in identities] == ['7', '7', '7', '8', '8']
