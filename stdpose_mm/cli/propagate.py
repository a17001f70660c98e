"""Propagate the labels of some frames of a video to all its frames.

    stdpose propagate clip.mp4 labels.json --out dense.json
    stdpose propagate frames/ labels.json --out dense.json --config C --checkpoint W
    stdpose propagate videos/ labels/ --out dense/

LABELS may have any format that ``stdpose_mm.io`` reads, and label people in some frames only. OUT
holds every person in every frame, marked ``given``, ``propagated`` or ``absent``. A run that was
killed or interrupted continues where it stopped when it is started again; a run with corrected
labels recomputes only what the corrections affect. See docs/guide/propagation.md.
"""

from __future__ import annotations

from .command import Command
from .jobs import make_jobs
from .options import note_network_downloads
from .propagation_jobs import PropagateJob, PropagateOptions, load_models, propagate_video
from .videos import run_videos


def propagate(options: PropagateOptions) -> None:
    """Check the options and propagate the labels.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    options.validate()
    note_network_downloads(options.pose_networks, options.detector_file)
    if options.calibration is None:
        run_videos(options, make_jobs(options, PropagateJob), load_models, propagate_video)
    else:
        from .views import list_sessions, propagate_session

        run_videos(options, list_sessions(options), load_models, propagate_session)


main = Command(
    PropagateOptions,
    propagate,
    __doc__,
    'propagate.py',
    usage='%(prog)s VIDEO_OR_FRAMES [VIDEO_OR_FRAMES ...] LABELS --out OUT [options]',
    interrupted='interrupted, no output was written; the same command reuses what is in the cache',
    keeps_edited=False,
)
