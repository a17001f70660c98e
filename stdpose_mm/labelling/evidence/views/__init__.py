"""Poses in several calibrated views of a scene: joints in space, and what they say in each view."""

from .calibration_checks import correct_cameras
from .estimates import View, deviations_of, guess_unit, scores_of
from .fusion import borrow_labels, combine_views, fuse_views, labelled_times
from .label_checks import check_views, find_exchanged
from .people import match_people
