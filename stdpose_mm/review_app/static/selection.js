/** Selection of several joints of a person with Ctrl, to move, turn and scale them together. */

import { placedJoints } from './poses.js';

const MARGIN = 14;
const KNOB = 24;
const REACH = 9;
const LINE = '#ffd166';

/** @typedef {import('./picture_view.js').PictureView} PictureView */

export class SelectionLayer {
  /** @type {number[]|null} the band that is drawn: left, top, right, bottom on the screen */
  #band = null;

  /**
   * @param {import('./store.js').Store} store
   * @param {import('./skeleton_layer.js').SkeletonLayer} skeletons
   */
  constructor(store, skeletons) {
    this.store = store;
    this.skeletons = skeletons;
    store.watch(['person'], () => this.#pick([]));
    store.watch(['joint'], () => store.state.joint !== null && this.#pick([]));
  }

  /** @param {string[]} picked */
  #pick(picked) {
    if (picked.length || this.store.state.picked.length) this.store.update({ picked });
  }

  /** The pose with picked joints, and which of these have a place. */
  #chosen() {
    const { person, picked, video, hidden } = this.store.state;
    const pose = this.skeletons.poses().find((pose) => pose.id === person);
    const joints =
      pose && !hidden
        ? placedJoints(pose).filter((joint) => picked.includes(video.skeleton.joints[joint]))
        : [];
    return pose && joints.length > 1 ? { pose, joints } : null;
  }

  /**
   * The box around the picked joints on the screen, its corners, and the knob above that turns them.
   * @param {PictureView} view
   */
  #frame(view) {
    const chosen = this.#chosen();
    if (!chosen) return null;
    const points = /** @type {number[][]} */ (chosen.pose.keypoints);
    const places = chosen.joints.map((joint) => view.toScreen(points[joint][0], points[joint][1]));
    const [xs, ys] = [0, 1].map((axis) => places.map((place) => place[axis]));
    const [left, top] = [Math.min(...xs) - MARGIN, Math.min(...ys) - MARGIN];
    const [right, bottom] = [Math.max(...xs) + MARGIN, Math.max(...ys) + MARGIN];
    const corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
    const knob = [(left + right) / 2, top - KNOB];
    return { ...chosen, corners, knob, middle: [(left + right) / 2, (top + bottom) / 2] };
  }

  /** @param {CanvasRenderingContext2D} context @param {PictureView} view */
  draw(context, view) {
    const frame = this.#frame(view);
    context.save();
    context.strokeStyle = context.fillStyle = LINE;
    context.setLineDash([4, 3]);
    if (frame && !this.skeletons.dragged) {
      const { corners, knob } = frame;
      const [[left, top], , [right, bottom]] = corners;
      context.strokeRect(left, top, right - left, bottom - top);
      for (const [x, y] of corners) context.fillRect(x - 4, y - 4, 8, 8);
      context.beginPath();
      context.arc(knob[0], knob[1], 5, 0, 2 * Math.PI);
      context.fill();
    }
    if (this.#band) {
      const [left, top, right, bottom] = this.#band;
      context.strokeRect(left, top, right - left, bottom - top);
    }
    context.restore();
  }

  /**
   * @param {PictureView} view
   * @param {number} x
   * @param {number} y
   * @param {PointerEvent} event
   * @returns {import('./picture_view.js').Gesture|null}
   */
  press(view, x, y, event) {
    if (this.store.state.placing) return null;
    const frame = this.#frame(view);
    const isAt = (/** @type {number[]} */ place) => Math.hypot(place[0] - x, place[1] - y) < REACH;
    if (frame && (isAt(frame.knob) || frame.corners.some(isAt))) {
      const [cx, cy] = view.toPicture(frame.middle[0], frame.middle[1]);
      const [sx, sy] = view.toPicture(x, y);
      const start = Math.hypot(sx - cx, sy - cy);
      const isTurn = isAt(frame.knob);
      /** @type {(hand: number[]) => (point: number[]) => number[]} */
      const about = ([px, py]) => {
        const angle = isTurn ? Math.atan2(py - cy, px - cx) - Math.atan2(sy - cy, sx - cx) : 0;
        const factor = isTurn ? 1 : Math.hypot(px - cx, py - cy) / start;
        const [cos, sin] = [factor * Math.cos(angle), factor * Math.sin(angle)];
        return ([jx, jy]) => [
          cx + cos * (jx - cx) - sin * (jy - cy),
          cy + sin * (jx - cx) + cos * (jy - cy),
        ];
      };
      return this.skeletons.carry(view, frame.pose, frame.joints, about, null, () => {});
    }
    if (!event.ctrlKey && !event.metaKey) return null;
    const hit = this.skeletons.find(view, x, y, false);
    if (!hit) return this.#drawBand(view, x, y);
    const { joint, picked, person, video } = this.store.state;
    const gesture = this.skeletons.press(view, x, y, event);
    if (!gesture) return null;
    const names = hit.person === person ? [...picked, ...(joint === null ? [] : [joint])] : [];
    const name = video.skeleton.joints[hit.joint];
    return {
      ...gesture,
      end: (moved, up) => {
        if (moved) return gesture.end(moved, up);
        gesture.cancel();
        this.#pick(names.includes(name) ? names.filter((joint) => joint !== name) : [...names, name]);
      },
    };
  }

  /**
   * Pick the joints in a box: of the chosen person, or else of the person with the most joints in it.
   * @param {PictureView} view @param {number} x @param {number} y
   * @returns {import('./picture_view.js').Gesture}
   */
  #drawBand(view, x, y) {
    const cancel = () => {
      this.#band = null;
    };
    return {
      move: (nextX, nextY) => {
        this.#band = [Math.min(x, nextX), Math.min(y, nextY), Math.max(x, nextX), Math.max(y, nextY)];
        view.redraw();
      },
      end: () => {
        const { person, video } = this.store.state;
        const [left, top, right, bottom] = this.#band ?? [x, y, x, y];
        cancel();
        const inside = this.skeletons.poses().map((pose) => ({
          id: pose.id,
          names: placedJoints(pose)
            .filter((joint) => {
              const [jx, jy] = /** @type {number[][]} */ (pose.keypoints)[joint];
              const [px, py] = view.toScreen(jx, jy);
              return px >= left && px <= right && py >= top && py <= bottom;
            })
            .map((joint) => video.skeleton.joints[joint]),
        }));
        const rank = (/** @type {any} */ group) => (group.id === person && group.names.length ? Infinity : group.names.length);
        const [best] = inside.sort((a, b) => rank(b) - rank(a));
        this.store.update({ joint: null, ...(best?.names.length ? { person: best.id } : {}) });
        this.#pick(best?.names ?? []);
      },
      cancel,
    };
  }
}
