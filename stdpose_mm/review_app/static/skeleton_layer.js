/** Skeletons on the picture: drawing, finding the joint under the pointer, dragging. */

import { jointColour, scoreColour, styleOf } from './colours.js';
import {
  boundsOf, isPlaced, limbBelow, markSize, placedJoints, readable, withJoints,
} from './poses.js';

const REACH = 12;
const TOUCH_REACH = 22;
const HALO = 'rgb(0 0 0 / 0.65)';

/** @typedef {import('./poses.js').Pose} Pose */

export class SkeletonLayer {
  /** @type {{person: number, joint: number}|null} */
  hovered = null;
  /** @type {{frame: number, person: number, pose: Pose, joint: number|null}|null} what is dragged */
  dragged = null;
  /** Called after a joint alone was placed by a click. */
  goOn = () => {};

  /**
   * @param {import('./store.js').Store} store
   * @param {(edit: import('./messages.js').Edit) => void} onEdit
   * @param {import('./loupe.js').Loupe} loupe
   */
  constructor(store, onEdit, loupe) {
    this.store = store;
    this.onEdit = onEdit;
    this.loupe = loupe;
  }

  /** @returns {Pose[]} poses of the shown frame, with the dragged one as it is now */
  poses() {
    const { poses, shown, unseen } = this.store.state;
    const { dragged } = this;
    const people = (poses?.at(shown) ?? []).filter((/** @type {Pose} */ { id }) => !unseen.includes(id));
    if (!dragged || dragged.frame !== shown) return people;
    return people.map((/** @type {Pose} */ pose) =>
      pose.id === dragged.person ? dragged.pose : pose,
    );
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {import('./picture_view.js').PictureView} view
   */
  draw(context, view) {
    const { state } = this.store;
    const skeleton = state.video?.skeleton;
    if (!skeleton || state.hidden) return;
    context.save();
    context.lineCap = 'round';
    context.lineJoin = 'round';
    const poses = this.poses();
    const order = [...poses].sort((a, b) => Number(a.id === state.person) - Number(b.id === state.person));
    for (const pose of order) {
      if (pose.source === 'absent' || !pose.keypoints) continue;
      if (state.ghosts) {
        const before =
          this.dragged?.person === pose.id
            ? (state.poses.of(state.shown, pose.id)?.keypoints ?? null)
            : pose.before;
        if (before) this.#drawGhost(context, view, skeleton, pose, before);
      }
      this.#drawPose(context, view, skeleton, pose);
    }
    context.restore();
    if (this.dragged && this.dragged.joint !== null) {
      const point = /** @type {number[][]} */ (this.dragged.pose.keypoints)[this.dragged.joint];
      this.loupe.draw(context, view, point[0], point[1], this.#colourOf(this.dragged.person));
    }
  }

  /** @param {number} person */
  #styleOf(person) {
    return styleOf(Math.max(0, this.store.state.persons.indexOf(person)));
  }

  /** @param {number} person */
  #colourOf(person) {
    return this.#styleOf(person).colour;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {import('./picture_view.js').PictureView} view
   * @param {import('./poses.js').Skeleton} skeleton
   * @param {Pose} pose
   */
  #drawPose(context, view, skeleton, pose) {
    const { person, joint: chosen, picked, alone, scores, names, colours } = this.store.state;
    const { colour, shape } = this.#styleOf(pose.id);
    const colourOf = (/** @type {number} */ joint) => jointColour(colours, skeleton, joint) ?? colour;
    const points = /** @type {number[][]} */ (pose.keypoints);
    const sources = pose.sources ?? '';
    const places = points.map(([x, y]) => view.toScreen(x, y));
    const isChosen = pose.id === person;
    const placed = placedJoints(pose);
    const whole = markSize(placed.map((joint) => points[joint]), view.scale);
    const size = isChosen ? whole : 0.8 * whole;
    const line = (/** @type {number} */ share) => Math.max(share, share * size);
    const only = alone && isChosen ? skeleton.joints.indexOf(chosen) : -1;
    const marks = only < 0 ? placed : placed.filter((joint) => joint === only);
    const isDrafted = this.store.state.poses.draftsAt(this.store.state.shown).some((/** @type {import('./drafts.js').Draft} */ draft) => draft.person === pose.id);
    context.globalAlpha = only >= 0 || isDrafted ? 0.35 : isChosen || person === null ? 1 : 0.8;

    if (scores === 'size') {
      // The lower the score, the larger the disc in which the joint may lie.
      const { globalAlpha } = context;
      context.globalAlpha = 0.28;
      for (const joint of marks) {
        const doubt = 1 - points[joint][3];
        if (doubt < 0.15 || sources[joint] === 'g') continue;
        context.fillStyle = colourOf(joint);
        context.beginPath();
        context.arc(...places[joint], size * (1 + 3.2 * doubt), 0, 2 * Math.PI);
        context.fill();
      }
      context.globalAlpha = globalAlpha;
    }

    for (const [from, to] of skeleton.limbs) {
      if (!isPlaced(pose, from) || !isPlaced(pose, to)) continue;
      const isGiven = sources[from] === 'g' && sources[to] === 'g';
      const occluded = points[from][2] === 1 || points[to][2] === 1;
      const trace = () => {
        context.beginPath();
        context.moveTo(...places[from]);
        context.lineTo(...places[to]);
        context.stroke();
      };
      context.setLineDash([]);
      context.strokeStyle = HALO;
      context.lineWidth = line(isGiven ? 1.1 : 0.8);
      trace();
      context.setLineDash(occluded ? [size, size] : []);
      context.strokeStyle = colourOf(to);
      context.lineWidth = line(isGiven ? 0.7 : 0.4);
      trace();
    }
    context.setLineDash([]);
    if (only >= 0) context.globalAlpha = 1;

    for (const joint of marks) {
      const [x, y] = places[joint];
      const isGiven = sources[joint] === 'g';
      const fill = scores === 'colour' ? scoreColour(points[joint][3]) : colourOf(joint);
      outline(context, shape, x, y, size);
      context.strokeStyle = HALO;
      context.lineWidth = line(isGiven ? 1 : 0.9);
      context.stroke();
      if (isGiven) {
        context.strokeStyle = '#fff';
        context.lineWidth = line(0.6);
        context.stroke();
        context.fillStyle = fill;
        context.fill();
      } else {
        context.fillStyle = scores === 'colour' ? fill : 'rgb(0 0 0 / 0.55)';
        context.fill();
        context.strokeStyle = colourOf(joint);
        context.lineWidth = line(0.4);
        context.stroke();
      }
      if (points[joint][2] === 1) {
        context.strokeStyle = isGiven ? '#000' : '#fff';
        context.lineWidth = line(0.3);
        context.beginPath();
        context.moveTo(x - size * 0.7, y + size * 0.7);
        context.lineTo(x + size * 0.7, y - size * 0.7);
        context.stroke();
      }
    }
    context.globalAlpha = 1;

    const marked = isChosen && chosen !== null ? skeleton.joints.indexOf(chosen) : -1;
    for (const joint of isChosen ? placed : []) {
      if (joint !== marked && !picked.includes(skeleton.joints[joint])) continue;
      outline(context, shape, ...places[joint], 2.2 * size);
      context.strokeStyle = HALO;
      context.lineWidth = line(0.8);
      context.stroke();
      context.strokeStyle = '#ffd166';
      context.lineWidth = line(0.4);
      context.stroke();
    }
    const hovered = this.hovered?.person === pose.id ? this.hovered.joint : -1;
    const named = names && isChosen ? placed : [hovered, marked];
    const bounds = boundsOf(pose);
    const middle = bounds ? view.toScreen(bounds[0] + bounds[2] / 2, 0)[0] : 0;
    /** @type {number[][]} left, top, right and bottom of the names so far */
    const taken = [];
    const height = (/** @type {number} */ joint) => places[joint]?.[1];
    for (const joint of [...new Set(named)].sort((a, b) => height(a) - height(b))) {
      if (joint < 0 || !isPlaced(pose, joint)) continue;
      const [x, y] = places[joint];
      const side = x < middle ? 'left' : 'right';
      const away = (2 * size + 2) * (side === 'left' ? -1 : 1);
      tag(context, readable(skeleton.joints[joint]), x + away, y, '#fff', side, size, taken);
    }
    if (bounds) {
      const [x, y] = view.toScreen(bounds[0] + bounds[2] / 2, bounds[1]);
      tag(context, String(pose.id), x, y - 10 - 2 * size, colour, 'middle', size);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {import('./picture_view.js').PictureView} view
   * @param {import('./poses.js').Skeleton} skeleton
   * @param {Pose} pose
   * @param {(number[]|null)[]} before
   */
  #drawGhost(context, view, skeleton, pose, before) {
    const points = /** @type {number[][]} */ (pose.keypoints);
    const moved = before.some(
      (point, joint) =>
        point && isPlaced(pose, joint) && Math.hypot(point[0] - points[joint][0], point[1] - points[joint][1]) > 0.5,
    );
    if (!moved) return;
    context.setLineDash([2, 5]);
    for (const [style, width] of /** @type {const} */ ([
      [HALO, 3.5],
      ['rgb(255 255 255 / 0.8)', 1.5],
    ])) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      for (const [from, to] of skeleton.limbs) {
        const [a, b] = [before[from], before[to]];
        if (!a || !b || !isPlaced(pose, from) || !isPlaced(pose, to)) continue;
        context.moveTo(...view.toScreen(a[0], a[1]));
        context.lineTo(...view.toScreen(b[0], b[1]));
      }
      context.stroke();
    }
    context.setLineDash([]);
  }

  /**
   * Find the joint at a point of the screen; joints of the chosen person come first.
   * @param {import('./picture_view.js').PictureView} view
   * @param {number} x
   * @param {number} y
   * @param {boolean} touch
   */
  find(view, x, y, touch) {
    const { person, hidden, locked, alone, joint: chosen, video } = this.store.state;
    let best = null;
    let least = touch ? TOUCH_REACH : REACH;
    if (hidden) return null;
    for (const pose of this.poses().filter(({ id }) => !locked.includes(id))) {
      for (const joint of placedJoints(pose)) {
        if (alone && (pose.id !== person || video.skeleton.joints[joint] !== chosen)) continue;
        const [px, py] = /** @type {number[][]} */ (pose.keypoints)[joint];
        const [sx, sy] = view.toScreen(px, py);
        const distance = Math.hypot(sx - x, sy - y) - (pose.id === person ? 4 : 0);
        if (distance < least) {
          least = distance;
          best = { person: pose.id, joint, distance, isGiven: pose.sources?.[joint] === 'g' };
        }
      }
    }
    return best;
  }

  /**
   * Mark the joint under the pointer.
   * @param {import('./picture_view.js').PictureView} view
   * @param {number} x
   * @param {number} y
   * @param {PointerEvent|null} event null when the pointer has left
   */
  hover(view, x, y, event) {
    const hit = event && this.find(view, x, y, event.pointerType === 'touch');
    const last = this.hovered;
    this.hovered = hit;
    view.canvas.classList.toggle('on-joint', Boolean(hit) && !this.store.state.placing);
    if (hit?.person !== last?.person || hit?.joint !== last?.joint) view.redraw();
  }

  /**
   * Begin to drag a joint, the limb below it or the whole pose; or to place the chosen joint.
   * @param {import('./picture_view.js').PictureView} view
   * @param {number} x
   * @param {number} y
   * @param {PointerEvent} event
   * @returns {import('./picture_view.js').Gesture|null}
   */
  press(view, x, y, event) {
    const hit = this.find(view, x, y, event.pointerType === 'touch');
    if (hit) return this.#drag(view, x, y, event, hit);
    const { alone, joint, person, poses, shown, video } = this.store.state;
    if (joint === null) return null;
    const pan = view.panning([x, y]);
    return {
      ...pan,
      end: (moved, up) => {
        pan.end(moved, up);
        if (moved) return;
        const pose = poses.of(shown, person);
        const isThere = pose && pose.source !== 'absent';
        if (!alone && isThere && isPlaced(pose, video.skeleton.joints.indexOf(joint))) {
          this.store.update({ joint: null });
        } else this.#place(view, x, y, up.shiftKey);
      },
    };
  }

  /**
   * Place the chosen joint; if it is shown alone, go on to the next frame.
   * @param {import('./picture_view.js').PictureView} view
   * @param {number} x
   * @param {number} y
   * @param {boolean} occluded
   */
  #place(view, x, y, occluded) {
    const { alone, joint, person, frame, shown } = this.store.state;
    // A click that comes before the next picture would be meant for that one.
    if (alone && shown !== frame) return;
    const joints = { [joint]: [...view.toPicture(x, y), occluded ? 1 : 2] };
    this.onEdit({ type: 'set_joints', person, frame: shown, joints });
    if (alone) this.goOn();
  }

  /**
   * @param {import('./picture_view.js').PictureView} view
   * @param {number} x
   * @param {number} y
   * @param {PointerEvent} event
   * @param {{person: number, joint: number}} hit
   * @returns {import('./picture_view.js').Gesture|null}
   */
  #drag(view, x, y, event, hit) {
    const { alone, picked, person, video, moveMode } = this.store.state;
    const pose = this.poses().find((candidate) => candidate.id === hit.person);
    if (!pose) return null;
    const { skeleton } = video;
    const name = skeleton.joints[hit.joint];
    const whole = event.altKey || event.ctrlKey || event.metaKey;
    const mode = whole ? 'pose' : event.shiftKey ? 'limb' : moveMode;
    const isPicked = mode === 'joint' && hit.person === person && picked.includes(name);
    const moving =
      mode === 'pose'
        ? placedJoints(pose)
        : mode === 'limb'
          ? limbBelow(skeleton, hit.joint).filter((joint) => isPlaced(pose, joint))
          : isPicked
            ? placedJoints(pose).filter((joint) => picked.includes(skeleton.joints[joint]))
            : [hit.joint];
    const start = view.toPicture(x, y);
    // The joint under the hand is highlighted now, not one that was chosen before.
    this.store.update({ person: hit.person, playing: false, joint: alone ? name : null });
    if (!isPicked) this.store.update({ picked: [] });
    const shift = (/** @type {number[]} */ [px, py]) => {
      return (/** @type {number[]} */ [jx, jy]) => [jx + px - start[0], jy + py - start[1]];
    };
    const onClick = () => (alone ? this.#place(view, x, y, event.shiftKey) : this.store.update({ joint: name }));
    return this.carry(view, pose, moving, shift, hit.joint, onClick);
  }

  /**
   * Show joints where a hand moves them, and submit an edit when it lets go.
   * @param {import('./picture_view.js').PictureView} view
   * @param {Pose} pose
   * @param {number[]} moving joints
   * @param {(hand: number[]) => (point: number[]) => number[]} mapping moves a point with the hand
   * @param {number|null} held the joint under the hand
   * @param {() => void} onClick called if the hand did not move
   * @returns {import('./picture_view.js').Gesture}
   */
  carry(view, pose, moving, mapping, held, onClick) {
    const { shown, video } = this.store.state;
    const { skeleton } = video;
    /** @type {Record<string, number[]>} */
    let joints = {};
    return {
      move: (x, y) => {
        const bring = mapping(view.toPicture(x, y));
        joints = Object.fromEntries(
          moving.map((joint) => {
            const point = /** @type {number[][]} */ (pose.keypoints)[joint];
            return [skeleton.joints[joint], [...bring(point), point[2]]];
          }),
        );
        const moved = withJoints(pose, skeleton, joints);
        this.dragged = { frame: shown, person: pose.id, joint: held, pose: moved };
        view.redraw();
      },
      end: (moved) => {
        this.dragged = null;
        if (moved) this.onEdit({ type: 'set_joints', person: pose.id, frame: shown, joints });
        else onClick();
      },
      cancel: () => {
        this.dragged = null;
      },
    };
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} shape
 * @param {number} x
 * @param {number} y
 * @param {number} size
 */
function outline(context, shape, x, y, size) {
  context.beginPath();
  if (shape === 'circle') context.arc(x, y, size, 0, 2 * Math.PI);
  else if (shape === 'square') context.rect(x - size, y - size, 2 * size, 2 * size);
  else {
    const corners =
      shape === 'diamond'
        ? [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]
        : [[0, -1.3], [1.2, 1], [-1.2, 1]];
    corners.forEach(([dx, dy]) => context.lineTo(x + dx * size, y + dy * size));
    context.closePath();
  }
}

/**
 * Write a word on a dark background, so that it is readable on every picture.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 * @param {'left'|'middle'|'right'} side of the place on which it stands
 * @param {number} size of the marks beside it
 * @param {number[][]} [taken] left, top, right and bottom of other words, below which it stands
 */
function tag(context, text, x, y, colour, side, size, taken = []) {
  const high = 7.5 + 0.9 * size;
  context.font = `600 ${high}px system-ui, sans-serif`;
  const width = context.measureText(text).width + 0.8 * high;
  const left = x - width * { left: 1, middle: 0.5, right: 0 }[side];
  for (const [start, top, end, bottom] of taken) {
    if (left < end && left + width > start && y + 0.75 * high > top && y - 0.75 * high < bottom) y = bottom + 0.75 * high + 1;
  }
  taken.push([left, y - 0.75 * high, left + width, y + 0.75 * high]);
  context.fillStyle = 'rgb(0 0 0 / 0.72)';
  context.beginPath();
  context.roundRect(left, y - 0.75 * high, width, 1.5 * high, high / 3);
  context.fill();
  context.fillStyle = colour;
  context.textBaseline = 'middle';
  context.fillText(text, left + 0.4 * high, y + 0.5);
  context.textBaseline = 'alphabetic';
}
