/** Placing the joints of a new or existing person one after another, by click or keyboard. */

import { postPose } from './api.js';
import { styleOf } from './colours.js';
import { byId, clamp } from './dom.js';
import { keyOf } from './keys.js';
import { announce, say } from './notices.js';
import { capital, categoryOf, jointsByName, layInBox, markSize, nameOf, placedJoints, readable } from './poses.js';

/**
 * @typedef {object} Placing
 * @property {number|null} person null for a new one
 * @property {number} frame
 * @property {number[]} order joints to place
 * @property {number} next place in this order
 * @property {Record<string, number[]>} joints that were placed, the latest last
 * @property {Record<string, string>} edits that placed the joints of an existing person
 * @property {{name: string, point: number[], edit: string}[]} undone joints that were taken back, the last one last
 * @property {[number, number]|null} cross where the keyboard places, in pixels of the picture
 * @property {number[]|null} box that is drawn, in pixels of the picture
 */

export class PlacingLayer {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./picture_view.js').PictureView} view
   * @param {(edit: import('./messages.js').Edit) => string} submit returns the edit's identifier
   * @param {import('./drafts.js').DraftLayer} drafts
   * @param {(error: unknown) => void} onError
   */
  constructor(store, view, submit, drafts, onError) {
    this.drafts = drafts;
    this.onError = onError;
    this.store = store;
    this.view = view;
    this.submit = submit;
    store.watch(['placing', 'shown', 'video'], () => {
      const { placing, shown, video } = store.state;
      if (placing && !video?.skeleton) return store.update({ placing: null });
      if (placing && placing.frame !== shown) return this.finish();
      view.canvas.classList.toggle('placing', Boolean(placing));
      this.#sayWhatToDo();
      view.redraw();
    });
    addEventListener('beforeunload', (event) => {
      if (this.#isUnfinished) event.preventDefault();
    });
    // This runs before the queue's listener, so that the joints become an edit if the page is left.
    addEventListener('pagehide', () => this.finish());
  }

  /** Whether leaving the page would lose joints. */
  get #isUnfinished() {
    const placing = this.#placing;
    return placing?.person === null && Object.keys(placing.joints).length > 0;
  }

  /** @returns {Placing|null} */
  get #placing() {
    return this.store.state.placing;
  }

  get #names() {
    return this.store.state.video.skeleton.joints;
  }

  /** @param {number} place in the order @returns {string} */
  #nameAt(place) {
    return this.#names[/** @type {Placing} */ (this.#placing).order[place]];
  }

  /** @param {string} name @returns {number} its place in the order */
  #placeOf(name) {
    return /** @type {Placing} */ (this.#placing).order.indexOf(this.#names.indexOf(name));
  }

  /**
   * @param {number|null} person null for a new one
   * @param {number} [first] joint to begin with
   * @param {number[]|null} [only] joints to place; null for all
   */
  begin(person, first = 0, only = null) {
    const { shown, video } = this.store.state;
    if (!video?.skeleton || shown < 0) return;
    if (person === null && video.proofreading) return say('Poses of a result are corrected here, not added');
    this.finish();
    const order = only ?? [...video.skeleton.joints.keys()];
    const placing = {
      person, frame: shown, order, next: only ? 0 : first, joints: {}, edits: {}, undone: [], cross: null, box: null,
    };
    this.store.update({ placing, playing: false, joint: null });
    this.view.canvas.focus();
  }

  /** End placing, for whatever reason; a new person gets the joints that were placed. */
  finish() {
    const placing = this.#placing;
    if (!placing) return;
    this.store.update({ placing: null });
    const count = Object.keys(placing.joints).length;
    announce(`Placing has ended: ${count} joints were placed`);
    if (placing.person !== null || !count) return;
    this.submit({ type: 'add_person', frame: placing.frame, joints: placing.joints });
    const all = this.#names.length;
    if (count < all) say(`The new ${categoryOf(this.store.state)} has ${count} of ${all} joints: Ctrl+Z takes it back`);
  }

  /**
   * Take back the joint that was placed last; end placing if there is none.
   * @returns {boolean} false if nothing is being placed
   */
  undo() {
    const placing = this.#placing;
    if (!placing) return false;
    const joints = { ...placing.joints };
    const name = Object.keys(joints).at(-1);
    if (name === undefined) {
      this.finish();
      // The joints that a draft left empty are asked for by the page: undo means the draft.
      return placing.order.length === this.#names.length;
    }
    const edit = placing.edits[name];
    const step = { name, point: joints[name], edit };
    delete joints[name];
    if (placing.person !== null) this.submit({ type: 'undo', of: edit });
    const undone = [...placing.undone, step];
    this.store.update({ placing: { ...placing, next: this.#placeOf(name), joints, undone } });
    return true;
  }

  /** @returns {boolean} false if no joint that is being placed was taken back */
  redo() {
    const placing = this.#placing;
    const step = placing?.undone.at(-1);
    if (!placing || !step) return false;
    if (placing.person !== null) this.submit({ type: 'redo', of: step.edit });
    const joints = { ...placing.joints, [step.name]: step.point };
    const next = this.#placeOf(step.name);
    const undone = placing.undone.slice(0, -1);
    this.store.update({ placing: { ...placing, next } });
    this.#advance({ joints, undone });
    return true;
  }

  /** @param {number} x pixel of the picture @param {number} y @param {boolean} occluded */
  place(x, y, occluded) {
    const placing = this.#placing;
    if (!placing) return;
    const name = this.#nameAt(placing.next);
    const point = [x, y, occluded ? 1 : 2];
    const edits = { ...placing.edits };
    if (placing.person !== null) {
      const { person, frame } = placing;
      edits[name] = this.submit({ type: 'set_joints', person, frame, joints: { [name]: point } });
    }
    // The joint placed last comes last, even if it had been placed before.
    const { [name]: _, ...others } = placing.joints;
    this.#advance({ joints: { ...others, [name]: point }, edits, undone: [] });
  }

  skip() {
    this.#advance({});
  }

  back() {
    const placing = this.#placing;
    if (!placing || placing.next === 0) return;
    const next = placing.next - 1;
    if (this.#nameAt(next) in placing.joints) this.undo();
    else this.store.update({ placing: { ...placing, next } });
  }

  /** @param {Partial<Placing>} patch */
  #advance(patch) {
    const placing = /** @type {Placing} */ (this.#placing);
    const next = placing.next + 1;
    this.store.update({ placing: { ...placing, ...patch, next } });
    if (next >= placing.order.length) this.finish();
  }

  /**
   * Move the cross by keyboard.
   * @param {number} x
   * @param {number} y
   */
  moveCross(x, y) {
    const placing = this.#placing;
    if (!placing) return;
    const { video } = this.store.state;
    const [left, top] = placing.cross ?? this.#middle();
    const cross = [clamp(left + x, 0, video.width - 1), clamp(top + y, 0, video.height - 1)];
    this.store.update({ placing: { ...placing, cross } });
  }

  #middle() {
    return this.view.toPicture(this.view.width / 2, this.view.height / 2).map(Math.round);
  }

  /** Place at the cross. */
  placeAtCross() {
    const placing = this.#placing;
    if (!placing) return;
    if (!placing.cross) this.moveCross(0, 0);
    else this.place(placing.cross[0], placing.cross[1], false);
  }

  /** Place the joints that are left as the nearest labelled pose has them; else a whole skeleton at the cross. */
  layRest() {
    const placing = this.#placing;
    if (!placing) return;
    const [x, y] = placing.cross ?? this.#middle();
    const height = this.view.height / 3 / this.view.scale;
    this.#lay(this.#canLay ? [x - height / 4, y - height / 2, height / 2, height] : null);
  }

  /** @returns {Record<string, number[]>} joints of the pose that were placed by hand, now or before */
  get #given() {
    const { poses, video } = this.store.state;
    const { person, frame, joints } = /** @type {Placing} */ (this.#placing);
    const pose = poses.of(frame, person);
    const given = pose ? Object.entries(jointsByName(pose, video.skeleton)).filter((_, place) => pose.sources[placedJoints(pose)[place]] === 'g') : [];
    return { ...Object.fromEntries(given), ...joints };
  }

  /** Whether a whole skeleton replaces no joint that was placed by hand. */
  get #canLay() {
    const placing = this.#placing;
    return placing !== null && placing.order.length === this.#names.length && !Object.keys(this.#given).length;
  }

  /** Whether a new person has no joint yet. */
  get #isNew() {
    const placing = this.#placing;
    return placing?.person === null && !Object.keys(placing.joints).length;
  }

  /** Whether a network places the joints of a new person in a box. */
  get #canDraft() {
    return this.#isNew && this.drafts.canPlace;
  }

  /**
   * Place all joints but those that were placed by hand.
   * @param {number[]|null} box in which; null for where these are
   */
  async #lay(box) {
    const { person, frame } = /** @type {Placing} */ (this.#placing);
    const { poses, video } = this.store.state;
    const placed = this.#given;
    this.store.update({ placing: null });
    const answer = await postPose(video.id, { frame, person, joints: placed, box }).catch(this.onError);
    if (this.store.state.poses !== poses) return;
    const isLikeLabel = answer && Object.keys(answer.joints).length > 0;
    const joints = isLikeLabel ? answer.joints : box ? layInBox(video.skeleton, box) : placed;
    if (isLikeLabel) say('Placed as in the most similar label: correct what is wrong, or Ctrl+Z');
    else if (!box) say('No label has these joints: place the others, too');
    if (person === null) this.submit({ type: 'add_person', frame, joints });
    else {
      const others = Object.entries(joints).filter(([name]) => !(name in placed));
      if (others.length) this.submit({ type: 'set_joints', person, frame, joints: Object.fromEntries(others) });
    }
  }

  /**
   * @param {import('./picture_view.js').PictureView} view
   * @param {number} x
   * @param {number} y
   * @param {PointerEvent} event
   * @returns {import('./picture_view.js').Gesture|null}
   */
  press(view, x, y, event) {
    if (!this.#placing) return null;
    const start = view.toPicture(x, y);
    if (!this.#canLay) {
      const pan = view.panning([x, y]);
      const end = (/** @type {boolean} */ moved) => {
        pan.cancel();
        if (!moved) this.place(start[0], start[1], event.shiftKey);
      };
      return { ...pan, end };
    }
    const withBox = (/** @type {number[]|null} */ box) => {
      if (this.#placing) this.store.update({ placing: { ...this.#placing, box } });
    };
    /** @type {number[]|null} */
    let box = null;
    return {
      move: (nextX, nextY) => {
        const end = view.toPicture(nextX, nextY);
        box = [
          Math.min(start[0], end[0]),
          Math.min(start[1], end[1]),
          Math.abs(end[0] - start[0]),
          Math.abs(end[1] - start[1]),
        ];
        withBox(box);
      },
      end: (moved, up) => {
        const isBox = box && Math.min(box[2], box[3]) * view.scale > 20;
        withBox(null);
        if (isBox && this.#canDraft && !up.shiftKey) {
          this.store.update({ placing: null });
          this.drafts.draftBox(this.store.state.shown, /** @type {number[]} */ (box));
        } else if (isBox) this.#lay(/** @type {number[]} */ (box));
        else if (moved) return;
        else if (this.#isNew && this.drafts.acceptAt(x, y)) this.finish();
        else this.place(start[0], start[1], event.shiftKey);
      },
      cancel: () => withBox(null),
    };
  }

  /**
   * Take a key while joints are placed.
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it was taken
   */
  key(event) {
    if (!this.#placing) return false;
    const far = event.shiftKey ? 10 : 1;
    const actions = /** @type {Record<string, () => void>} */ ({
      Escape: () => this.finish(),
      Enter: () => this.finish(),
      Backspace: () => this.back(),
      ' ': () => this.placeAtCross(),
      ArrowLeft: () => this.moveCross(-far, 0),
      ArrowRight: () => this.moveCross(far, 0),
      ArrowUp: () => this.moveCross(0, -far),
      ArrowDown: () => this.moveCross(0, far),
      n: () => this.skip(),
      b: () => this.layRest(),
    });
    const action = actions[keyOf(event)];
    if (!action || event.ctrlKey || event.altKey || event.metaKey) return false;
    action();
    return true;
  }

  #sayWhatToDo() {
    const hint = byId('hint');
    const placing = this.#placing;
    hint.hidden = !placing;
    if (!placing || placing.next >= placing.order.length) return;
    const name = readable(this.#nameAt(placing.next));
    const { state } = this.store;
    const who =
      placing.person === null ? `New ${categoryOf(state)}` : capital(nameOf(state, placing.person));
    byId('hint-what').textContent =
      `${who}: click the ${name} (${placing.next + 1} of ${placing.order.length})`;
    const canLay = this.#canLay;
    const isBegun = Object.keys(this.#given).length > 0;
    byId('hint-keys').textContent =
      `${this.#isNew && this.drafts.open.length ? 'or a draft to accept it · ' : ''}` +
      `${this.#canDraft ? 'or drag a box: the network places the joints (Shift: a whole skeleton) · ' : canLay ? 'or drag a box for a whole skeleton · ' : ''}Shift+click occluded · N skip · ` +
      'Backspace or Ctrl+Z undo · Enter or Esc done · by keyboard: arrows move, Space places' +
      `${isBegun ? ' · B the others as in a label' : canLay ? ', B whole skeleton' : ''}`;
  }

  /** @param {CanvasRenderingContext2D} context */
  draw(context) {
    const placing = this.#placing;
    if (!placing) return;
    const { persons, video } = this.store.state;
    const index = persons.indexOf(placing.person ?? NaN);
    const { colour } = styleOf(index < 0 ? persons.length : index);
    const places = new Map(
      Object.entries(placing.joints).map(([name, [x, y]]) => [
        video.skeleton.joints.indexOf(name),
        this.view.toScreen(x, y),
      ]),
    );
    context.save();
    context.strokeStyle = colour;
    const size = markSize(Object.values(placing.joints), this.view.scale);
    context.lineWidth = 0.6 * size;
    for (const [from, to] of video.skeleton.limbs) {
      const [a, b] = [places.get(from), places.get(to)];
      if (!a || !b) continue;
      context.beginPath();
      context.moveTo(...a);
      context.lineTo(...b);
      context.stroke();
    }
    context.fillStyle = colour;
    for (const [x, y] of places.values()) {
      context.beginPath();
      context.arc(x, y, size, 0, 2 * Math.PI);
      context.fill();
    }
    if (placing.box) {
      const [x, y] = this.view.toScreen(placing.box[0], placing.box[1]);
      context.setLineDash([6, 4]);
      context.strokeRect(x, y, placing.box[2] * this.view.scale, placing.box[3] * this.view.scale);
      context.setLineDash([]);
    }
    if (placing.cross) {
      const [x, y] = this.view.toScreen(...placing.cross);
      for (const [style, width] of /** @type {const} */ ([
        ['rgb(0 0 0 / 0.8)', 4],
        ['#fff', 1.5],
      ])) {
        context.strokeStyle = style;
        context.lineWidth = width;
        context.beginPath();
        context.moveTo(x - 14, y);
        context.lineTo(x + 14, y);
        context.moveTo(x, y - 14);
        context.lineTo(x, y + 14);
        context.stroke();
      }
    }
    context.restore();
  }
}
