from __future__ import annotations

import pytest

from stdpose_mm.structures import NO_PEOPLE, FrameBoxes
from stdpose_mm.tracking.track_confirmation import TrackConfirmation

WHOLE = (100.0, 50, 40, 100)
LOWER_HALF = (100.0, 100, 40, 50)
FAR = (300.0, 50, 40, 100)


def people(*tracks):
    """Tracks are (id, box) or (id, box, score)."""
    if not tracks:
        return NO_PEOPLE
    scores = [track[2] if len(track) > 2 else 0.8 for track in tracks]
    return FrameBoxes([box for _, box, *_ in tracks], scores, [track[0] for track in tracks])


def kept(frames, min_frames):
    """Track id -> the frames in which it is confirmed."""
    found = {}
    confirmed = list(TrackConfirmation(min_frames)(frames))
    assert len(confirmed) == len(frames)
    for index, (frame, chosen) in enumerate(zip(frames, confirmed, strict=True)):
        for track_id in frame.track_ids[chosen].tolist():
            found.setdefault(track_id, []).append(index)
    return found


@pytest.mark.parametrize(('length', 'is_there'), [(3, False), (4, True)])
def test_who_is_seen_in_too_few_frames_is_left_out(length, is_there):
    frames = [people((0, WHOLE), *[(7, FAR)] * (5 <= n < 5 + length)) for n in range(20)]
    found = kept(frames, 4)
    assert found.pop(0) == list(range(20))
    assert found == ({7: [5, 6, 7, 8]} if is_there else {})


def test_frames_in_which_a_person_is_missed_do_not_count():
    frames = [people(*[(7, FAR)] * (n in (5, 7, 8, 9, 10))) for n in range(20)]
    # Seen for the fourth time in frame 9, which confirms the last four frames.
    assert kept(frames, 4) == {7: [7, 8, 9, 10]}


def test_a_second_box_on_a_person_is_left_out():
    frames = [people((0, WHOLE), *[(3, LOWER_HALF, 0.9)] * (n >= 5)) for n in range(30)]
    assert kept(frames, 4) == {0: list(range(30))}


def test_of_two_boxes_that_come_at_once_the_larger_one_stays():
    frames = [people((3, LOWER_HALF, 0.9), (0, WHOLE, 0.6))] * 10
    assert kept(frames, 4) == {0: list(range(10))}


def test_a_confirmed_track_stays_whatever_larger_one_comes():
    around = (90.0, 40, 60, 120)
    frames = [people((0, WHOLE))] * 4 + [people((0, WHOLE), (1, around))] * 6
    assert kept(frames, 4) == {0: list(range(10))}


def test_people_who_cross_later_stay():
    walker = [(300.0 - 10 * n, 60, 30, 80) for n in range(40)]
    frames = [people((0, WHOLE), (1, box)) for box in walker]
    assert kept(frames, 4) == {0: list(range(40)), 1: list(range(40))}


def test_who_comes_out_behind_another_is_there_once_apart():
    # Behind the other one until x = 140, from frame 8 on less than 0.9 of the box is.
    walker = [(101.0 + n, 60, 30, 80) for n in range(30)]
    frames = [people((0, WHOLE), (1, box)) for box in walker]
    apart = next(n for n, (x, *_) in enumerate(walker) if (140 - x) / 30 <= 0.9)
    assert kept(frames, 4)[1] == list(range(apart, 30))


@pytest.mark.parametrize(('shift', 'is_second'), [(4.1, False), (3.9, True)])
def test_boxes_that_share_up_to_nine_tenths_are_two_people(shift, is_second):
    frames = [people((0, WHOLE), (1, (100 + shift, 50, 40, 100)))] * 6
    assert kept(frames, 4) == {0: list(range(6)), **({} if is_second else {1: list(range(6))})}


@pytest.mark.parametrize('num_frames', [0, 1, 2, 3, 6, 7, 8, 12])
def test_no_length_of_a_video_asks_for_more_than_half_of_its_frames(num_frames):
    enough = min(4, -(-num_frames // 2))
    for seen in range(1, num_frames + 1):
        frames = [people((0, WHOLE), *[(7, FAR)] * (n < seen)) for n in range(num_frames)]
        found = kept(frames, 4)
        assert found[0] == list(range(num_frames))
        assert found.get(7, []) == list(range(seen)) * (seen >= enough)
    assert kept([people()] * num_frames, 4) == {}


@pytest.mark.parametrize(('enough', 'delays'), [(4, [6, 5, 4, *[3] * 6, 2, 1, 0]), (1, [0] * 12)])
def test_a_frame_is_answered_a_few_frames_later(enough, delays):
    read = []

    def frames():
        for n in range(12):
            read.append(n)
            yield people((0, WHOLE))

    found = [len(read) - 1 - n for n, _ in enumerate(TrackConfirmation(enough)(frames()))]
    assert found == delays
