"""Plots of trajectories and scores, as figures or PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from stdpose_mm.io import atomic_path
from stdpose_mm.structures import PersonLabel, VideoLabels

from .colors import DOUBT_COLOR, DOUBTFUL, GIVEN_COLOR, curve_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FilePath = str | PathLike[str]


def trajectories(
    labels: VideoLabels,
    track_id: int | None = None,
    joints: Sequence[str] | None = None,
    truth: VideoLabels | None = None,
) -> Figure:
    """Plot the joint positions of a person over time, x above y, with dots at given labels.

    Curves have the colours of overlays, so a swap of left and right shows as crossing curves.

    Args:
        labels: Labels of a video, given and propagated.
        track_id: The person; the first track by default.
        joints: Names of the joints to plot; by default all that are labelled in any frame.
        truth: Labels of every frame with the same tracks and skeleton, drawn as pale lines.
    """
    tracks = labels.tracks()
    if track_id is None:
        track_id = min(tracks)
    track = [*tracks[track_id].values()]
    names = labels.skeleton.keypoint_names
    if joints is None:
        ever = np.any([person.labelled for person in track], axis=0)
        joints = [name for name, is_scored in zip(names, ever, strict=True) if is_scored]

    figure, axes = make_figure(2, width=10)
    styles = curve_styles(labels.skeleton)
    for name in joints:
        joint = labels.skeleton.index_of(name)
        style: dict[str, Any] = {**styles[joint]}
        frames, points = _places(track, joint)
        is_given = np.array([person.given[joint] for person in track])
        for axis, values in zip(axes, points.T, strict=True):
            axis.plot(frames, values, **style, linewidth=1.2, label=_escape_formulas(name))
            axis.plot(frames[is_given], values[is_given], 'o', color=style['color'], markersize=4)
        if truth is not None:
            frames, points = _places([*truth.tracks()[track_id].values()], joint)
            for axis, values in zip(axes, points.T, strict=True):
                axis.plot(frames, values, color=style['color'], linewidth=4, alpha=0.25)
    for axis, label in zip(axes, ('x [px]', 'y [px]'), strict=True):
        axis.set(xlabel='frame', ylabel=label)
    axes[1].invert_yaxis()
    title = f'{_escape_formulas(labels.name)}, track {track_id}; dots are given labels'
    axes[0].set_title(title if truth is None else f'{title}, broad pale lines are the truth')
    if joints:
        axes[0].legend(fontsize='x-small', ncol=2, loc='upper left', bbox_to_anchor=(1, 1))
    return figure


def _places(track: Sequence[PersonLabel], joint: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames [n] of a track and a joint's positions [n, 2], NaN where unlabelled."""
    places = [p.keypoints[joint] if p.labelled[joint] else (np.nan, np.nan) for p in track]
    return np.array([person.frame_index for person in track]), np.array(places)


def confidence(labels: VideoLabels) -> Figure:
    """Plot the mean and lowest score of every frame's labelled joints, with dots at given frames.

    Args:
        labels: Labels of a video, given and propagated; given joints count with score 1.
    """
    scores: dict[int, list[np.ndarray]] = {}
    for person in labels.persons:
        scored = person.given if person.scores is None else person.labelled
        if scored.any():
            sure = np.where(person.given, 1.0, 1.0 if person.scores is None else person.scores)
            scores.setdefault(person.frame_index, []).append(sure[scored])
    last = max((frame.index for frame in labels.frames), default=0)
    mean, lowest = np.full((2, last + 1), np.nan)
    for index, values in scores.items():
        joined = np.concatenate(values)
        mean[index], lowest[index] = joined.mean(), joined.min()
    figure, (axis,) = make_figure(1, width=10)
    axis.axhspan(0, DOUBTFUL, color=DOUBT_COLOR, alpha=0.4, linewidth=0, label='in doubt')
    axis.plot(mean, color='black', linewidth=1.5, label='mean of all joints')
    axis.plot(lowest, color='grey', linewidth=1, linestyle='--', label='worst joint')
    frames = labels.given_frame_indices
    axis.plot(frames, np.ones(len(frames)), 'o', color=GIVEN_COLOR, markersize=4, label='given')
    axis.set(xlabel='frame', ylabel='score', ylim=(0, 1.05))
    axis.legend(fontsize='small', loc='lower left')
    return figure


def printable(text: str) -> str:
    """Replace unprintable characters of a text from a file by the replacement character."""
    # Encoded pictures and videos have millions of characters.
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else '\N{REPLACEMENT CHARACTER}' for c in text)


def _escape_formulas(text: str) -> str:
    """Escape dollar signs, between which matplotlib would read formulas."""
    return printable(text).replace('$', r'\$')


def make_figure(panels: int, width: float) -> tuple[Figure, Sequence[Axes]]:
    """Create a figure of ``panels`` panels below each other, ``width`` inches wide."""
    # Imported here: most commands draw no figure, and importing takes a third of a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without pyplot there is no global state and no search for a display.
    figure = Figure(figsize=(width, 2.8 * panels), layout='constrained')
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure, axes


def save_figure(figure: Figure, path: FilePath) -> None:
    """Write a figure as a PNG file, atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format='png', dpi=110)
