/** Traces: one joint of everybody over time, under the timeline and as trails in the picture. */

import { styleOf, themeColours } from './colours.js';
import { isPlaced, readable } from './poses.js';

/** Height of the traces, and the room above and below the curves. */
export const TRACE_HEIGHT = 84;
const PAD = 7;
const REACH = 7;
/** Number of frames before the shown one in a trail. */
export const TRAIL = 20;

/** What the key shows one after another. */
export const NEXT_TRACE = /** @type {Record<string, string>} */ ({ off: 'x', x: 'y', y: 'speed', speed: 'off' });

/** @typedef {import('./store.js').Store} Store */

/**
 * @param {import('./poses.js').State} state
 * @returns {number} index of the joint that was chosen last; -1 if there is none
 */
const tracedJoint = ({ video, traced }) => video?.skeleton?.joints.indexOf(traced) ?? -1;

/**
 * @param {import('./poses.js').State} state
 * @returns {{joint: number, quantity: string}|null} what to ask the server for
 */
export function wantedTrace(state) {
  const joint = tracedJoint(state);
  return state.trace === 'off' || joint < 0 ? null : { joint, quantity: state.trace };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {(number[]|null)[]} points null where the line is interrupted
 * @param {string} colour
 * @param {string} edge colour beside the line, so that it is seen on every background
 * @param {number} width
 */
function drawLine(context, points, colour, edge, width) {
  const path = new Path2D();
  points.forEach((point, index) => {
    if (point) path[points[index - 1] ? 'lineTo' : 'moveTo'](point[0], point[1]);
    // A point between two gaps is a dot.
    if (point && !points[index - 1]) path.lineTo(point[0], point[1]);
  });
  context.lineCap = context.lineJoin = 'round';
  context.strokeStyle = edge;
  context.lineWidth = width + 1;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

/**
 * The lanes with traces, the chosen person's last, and where values are on the screen.
 * @param {import('./poses.js').State} state
 */
function scaled({ timeline, persons, person }) {
  const lanes = (timeline?.persons ?? [])
    .flatMap(({ id, trace }) => (trace ? [{ id, ...trace }] : []))
    .sort((a, b) => Number(a.id === person) - Number(b.id === person));
  const values = (/** @type {'low'|'high'} */ end) => lanes.flatMap((lane) => lane[end].filter((value) => value !== null));
  const low = values('low').reduce((a, b) => Math.min(a, b), Infinity);
  const high = values('high').reduce((a, b) => Math.max(a, b), -Infinity);
  // As in the picture, y grows downwards.
  const ends = timeline?.trace?.quantity === 'y' ? [low, high] : [high, low];
  const y = (/** @type {number} */ value) =>
    PAD + (high > low ? (value - ends[0]) / (ends[1] - ends[0]) : 0.5) * (TRACE_HEIGHT - 2 * PAD);
  const colourOf = (/** @type {number} */ id) => styleOf(Math.max(0, persons.indexOf(id))).colour;
  return { lanes, ends, y, colourOf };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import('./poses.js').State} state
 * @param {(frame: number) => number} x of the timeline
 * @param {number} left of the frames
 * @param {number} width of the frames
 */
export function drawTraces(context, state, x, left, width) {
  const { timeline, person, trace, traced } = state;
  const colours = themeColours();
  const { lanes, ends, y, colourOf } = scaled(state);
  context.save();
  context.fillStyle = colours.lane;
  context.fillRect(left, 0, width, TRACE_HEIGHT);
  context.fillStyle = colours.quiet;
  context.font = '11px system-ui, sans-serif';
  const title = tracedJoint(state) < 0
    ? ['no joint:', 'click one']
    : [readable(traced), trace === 'speed' ? 'px per frame' : `${trace} (px)`];
  title.forEach((text, line) => context.fillText(text, 8, TRACE_HEIGHT / 2 - 3 + 14 * line, left - 16));
  context.textAlign = 'right';
  ends.filter(Number.isFinite).forEach((end, row) => context.fillText(end.toFixed(1), left - 5, row ? TRACE_HEIGHT - 5 : 13));
  context.beginPath();
  context.rect(left, 0, width, TRACE_HEIGHT);
  context.clip();
  const { first = 0, last = 0 } = timeline ?? {};
  for (const { id, low, high, labels } of lanes) {
    const isChosen = id === person;
    const points = low.flatMap((value, column) => {
      const middle = first + ((column + 0.5) * (last - first + 1)) / low.length;
      return value === null ? [null] : [[x(middle), y(value)], [x(middle), y(high[column] ?? value)]];
    });
    drawLine(context, points, colourOf(id), colours.edge, isChosen ? 2 : 1);
    context.strokeStyle = colours.text;
    context.lineWidth = 1;
    context.fillStyle = colourOf(id);
    for (const [frame, value] of labels) {
      context.beginPath();
      context.arc(x(frame + 0.5), y(value), isChosen ? 3.5 : 2, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }
  context.restore();
}

/**
 * Find the label near a place on the traces; those of the chosen person come first.
 * @param {import('./poses.js').State} state
 * @param {(frame: number) => number} x of the timeline
 * @param {number} left
 * @param {number} top
 * @returns {{frame: number, person: number}|null}
 */
export function labelAt(state, x, left, top) {
  const { lanes, y } = scaled(state);
  const labels = lanes.reverse().flatMap((lane) => lane.labels.map(([frame, value]) => ({ frame, value, person: lane.id })));
  return labels.find(({ frame, value }) => Math.hypot(x(frame + 0.5) - left, y(value) - top) < REACH) ?? null;
}

/**
 * Draw where the joint was in the last frames.
 * @param {Store} store
 * @returns {import('./picture_view.js').Layer}
 */
export const trailsOf = ({ state }) => ({
  press: () => null,
  draw: (context, view) => {
    const joint = tracedJoint(state);
    if (!state.trails || state.hidden || joint < 0) return;
    const first = Math.max(0, state.shown - TRAIL);
    state.persons.forEach((/** @type {number} */ id, /** @type {number} */ index) => {
      const points = Array.from({ length: state.shown - first + 1 }, (_, step) => {
        const pose = state.poses.of(first + step, id);
        return pose && pose.source !== 'absent' && isPlaced(pose, joint) ? view.toScreen(pose.keypoints[joint][0], pose.keypoints[joint][1]) : null;
      });
      drawLine(context, points, styleOf(index).colour, 'rgb(0 0 0 / 0.65)', id === state.person ? 2.5 : 1);
    });
  },
});
