/** Drafts: poses that a network or a file proposes, which nothing counts before they are accepted. */

import { postDrafts } from './api.js';
import { askWhich } from './dialogs.js';
import { byId, make, renew } from './dom.js';
import { announce, closeButton, say, showState } from './notices.js';
import {
  capital, categoryOf, isPlaced, jointsByName, limbBelow, markSize, nameOf, placedJoints, withJoints,
} from './poses.js';
import { choose } from './state.js';

/** No person has this colour, and dashes and a frame tell drafts apart without it. */
const COLOUR = '#ff8bf5';
const HALO = 'rgb(0 0 0 / 0.7)';
const REACH = 12;
const TOUCH_REACH = 22;
/** Number of drafts after which it is said that most were discarded. */
const LATEST = 5;

/**
 * @typedef {import('./messages.js').DraftPose} Draft
 * @typedef {import('./picture_view.js').PictureView} PictureView
 */

/** @param {Draft} draft @returns {import('./poses.js').Pose} */
const asPose = ({ keypoints }) => ({
  id: NaN, source: 'propagated', keypoints, sources: 'p'.repeat(keypoints.length), pending: false, sketched: false, before: null,
});

export class DraftLayer {
  /** @type {{id: string, joints: Record<string, number[]>}|null} what is dragged, and where its joints are now */
  #dragged = null;
  /** Frame whose first draft is chosen once it is shown. */
  #wanted = -1;
  /** @type {string|null} the doubt that is chosen there instead */
  #wantedDoubt = null;
  /** @type {{draft: string, frame: number, joints: number[]}|null} empty joints to ask for after the answer */
  #asked = null;
  /** @type {Map<string, number[]>} left, top, width and height of the name of each draft on the screen */
  #names = new Map();
  /** @type {Promise<any>} the latest discarding */
  #discarding = Promise.resolve();
  /** @type {boolean[]} whether each of the latest drafts was accepted */
  #isGood = [];
  /** Frame whose last draft was discarded by the last action. */
  emptied = -1;

  /**
   * @param {import('./store.js').Store} store
   * @param {PictureView} view
   * @param {(edit: import('./messages.js').Edit) => void} submit
   * @param {(error: unknown) => void} onError
   * @param {import('./loupe.js').Loupe} loupe
   * @param {import('./skeleton_layer.js').SkeletonLayer} skeletons
   */
  constructor(store, view, submit, onError, loupe, skeletons) {
    this.skeletons = skeletons;
    this.store = store;
    this.view = view;
    this.submit = submit;
    this.onError = onError;
    this.loupe = loupe;
    store.watch(['joint'], () => store.state.joint !== null && this.choose(null));
    store.watch(['joint', 'person', 'frame'], () => {
      this.emptied = -1;
    });
    store.watch(['shown', 'posesVersion'], () => {
      if (this.#wanted !== store.state.shown || !this.open.length) return;
      const doubt = this.open.find(({ id }) => id === this.#wantedDoubt);
      if (this.#wantedDoubt && !doubt) return;
      this.#wanted = -1;
      this.choose(doubt ?? this.open[0]);
    });
    store.watch(['draft', 'shown', 'posesVersion', 'video', 'alone', 'hidden'], () => {
      this.#showList();
      view.redraw();
    });
    store.watch(['draft'], () => this.current && announce(`${this.describe(this.current)}: ${this.keysOf(this.current)}`));
  }

  /** @returns {Draft[]} open drafts of the shown frame */
  get open() {
    const { poses, shown, alone, hidden, video } = this.store.state;
    return alone || hidden || !video?.skeleton ? [] : (poses?.draftsAt(shown) ?? []);
  }

  /** @returns {Draft|null} the chosen draft, if it is in the shown frame */
  get current() {
    return this.open.find(({ id }) => id === this.store.state.draft) ?? null;
  }

  /** @param {Draft|null|undefined} draft */
  choose(draft) {
    this.store.update(draft ? { draft: draft.id, joint: null, picked: [] } : { draft: null });
  }

  /** @param {Draft} draft */
  #who(draft) {
    const { state } = this.store;
    return draft.person === null ? `a new ${categoryOf(state)}` : nameOf(state, draft.person);
  }

  /** @param {Draft} draft */
  describe(draft) {
    if (draft.reason) return `${capital(this.#who(draft))}: ${draft.reason}`;
    return `Draft of ${this.#who(draft)}, ${placedJoints(asPose(draft)).length} of ${draft.keypoints.length} joints`;
  }

  /** @param {Draft} draft what the keys do to it */
  keysOf(draft) {
    if (!draft.reason) return 'A or a click on a joint accepts · a drag corrects and accepts · Del discards';
    return `${this.isProposed(draft) ? 'A accepts what is proposed' : 'drag the joints'} · Y: right as it is · Space goes on`;
  }

  /** @param {Draft} draft @returns {boolean} whether something is proposed for a doubt */
  isProposed(draft) {
    return placedJoints(asPose(draft)).length > 0;
  }

  /** Choose a doubt once its frame is shown. @param {number} frame @param {string} doubt */
  wantDoubt(frame, doubt) {
    const open = this.open.find(({ id }) => id === doubt);
    if (frame === this.store.state.shown && open) return this.choose(open);
    this.#wanted = frame;
    this.#wantedDoubt = doubt;
  }

  /** Say that what is doubted is right as it is. */
  confirm() {
    const { current } = this;
    if (!current?.reason) return false;
    this.submit({ type: 'confirm', frame: this.store.state.shown, draft: current.id });
    return true;
  }

  // Requests.

  /**
   * @param {{do: string, [name: string]: unknown}} body as `Drafts.request` takes it
   * @param {string|null} [wait] what is shown until the answer
   * @param {() => void} [ended] called at the answer, also at a refusal
   * @param {Record<string, any>} [place] the video, if it may be another one by now
   * @returns {Promise<any>} the answer; null if it was refused
   */
  async #ask(body, wait = null, ended = () => {}, { poses, video } = this.store.state) {
    try {
      showState('drafts', wait);
      // The answer to an earlier discarding would take away what is drafted now.
      if (body.do !== 'discard') await this.#discarding;
      const answer = await postDrafts(video.id, body).finally(ended);
      if (this.store.state.poses !== poses) return null;
      poses.confirm(answer);
      if (answer.message) say(capital(answer.message));
      return answer;
    } catch (error) {
      this.onError(error);
      return null;
    } finally {
      showState('drafts', null);
    }
  }

  /** Draft everybody in the shown frame. */
  async find() {
    const { shown, video } = this.store.state;
    if (!video || shown < 0) return;
    const answer = await this.#ask({ do: 'find', frame: shown }, 'Looking for everybody in this frame…');
    // The drafts may have been shown, and one chosen, before the answer, or another frame.
    if (answer && this.store.state.shown === shown && !this.current) this.choose(this.open[0]);
  }

  /** Whether a network places joints in a box. */
  get canPlace() {
    const { drafting, guidance } = this.store.state;
    return drafting && guidance?.drafts.refused === null;
  }

  /** @param {number} frame @param {number[]} box */
  async draftBox(frame, box) {
    const before = new Set(this.open.map(({ id }) => id));
    const answer = await this.#ask({ do: 'box', frame, box });
    if (answer && this.store.state.shown === frame) this.choose(this.open.find(({ id }) => !before.has(id)));
  }

  /** Go to the next frame with drafts, or to the first one, and choose one. @returns {number|null} the frame */
  next() {
    const { frame, guidance } = this.store.state;
    const frames = guidance?.drafts?.frames ?? [];
    this.#wanted = frames.find((/** @type {number} */ drafted) => drafted > frame) ?? frames[0] ?? -1;
    if (this.#wanted >= 0) return this.#wanted;
    say('There are no drafts: Shift+I finds everybody in a frame, Shift+N in the planned frames');
    return null;
  }

  /** Draft everybody in the frames that are worth labelling. @returns {Promise<number|null>} the first of them */
  async plan() {
    const answer = await this.#ask({ do: 'plan' }, 'Drafting the frames that are worth labelling…');
    const frames = Object.keys(answer?.drafts ?? {}).map(Number);
    if (frames.length) say(`Drafts in ${frames.length} frame${frames.length > 1 ? 's' : ''}: Y goes to the next one`);
    this.#wanted = frames.length ? Math.min(...frames) : -1;
    return frames.length ? this.#wanted : null;
  }

  /** Note what became of drafts, and advise against them once most are of no use. */
  /** @param {boolean[]} isGood */
  #note(...isGood) {
    this.#isGood = [...this.#isGood, ...isGood].slice(-LATEST);
    const { drafting } = this.store.state;
    const bad = this.#isGood.filter((good) => !good).length;
    const text = drafting && this.#isGood.length === LATEST && bad >= LATEST - 1 ? `${bad} of the last ${LATEST} drafts were discarded. ` : null;
    const end = () => showState('drafts-off', null);
    const off = () => {
      choose('drafting', false);
      end();
    };
    showState('drafts-off', text, 'info', [text ?? '', make('button', { onclick: off }, 'Drafts off'), closeButton(end)]);
  }

  /** @param {Draft|null} draft null for all of the shown frame */
  discard(draft) {
    if (this.store.state.video.proofreading) {
      this.confirm();
      return;
    }
    this.#note(...(draft ? [draft] : this.open).map(() => false));
    const { poses, shown, video } = this.store.state;
    const place = draft ? this.open.indexOf(draft) : 0;
    // The next key may come before the answer.
    poses.hold(shown, poses.at(shown) ?? [], (/** @type {Draft} */ { id }) => !draft || id === draft.id);
    this.choose(this.open[Math.min(place, this.open.length - 1)]);
    this.emptied = this.open.length ? -1 : shown;
    this.#discarding = this.#discarding.then(() => {
      const answer = this.#ask({ do: 'discard', frame: shown, ...(draft && { id: draft.id }) }, null, () => poses.release(shown), { poses, video });
      return answer.then((drafts) => {
        if (drafts) return;
        poses.expire(shown, shown);
        poses.need(shown, 1);
      });
    });
  }

  /** Ask whose the chosen draft is: of another person, of a new one, or a part of the person of another draft. */
  askForPerson() {
    const { current, open } = this;
    const { state } = this.store;
    const { persons, poses, shown } = state;
    if (!current) return;
    const others = persons.filter((/** @type {number} */ id) => id !== current.person && poses.of(shown, id)?.source !== 'given');
    const changes = [
      ...others.map((/** @type {number} */ id) => ({ text: capital(nameOf(state, id)), change: { do: 'give', person: id } })),
      ...(current.person === null ? [] : [{ text: `A new ${categoryOf(state)}`, change: { do: 'give', person: null } }]),
      ...open.map((other, place) => ({ text: `Joined with draft ${place + 1}: ${this.describe(other)}`, change: { do: 'join', other: other.id } }))
        .filter(({ change }) => change.other !== current.id),
    ];
    if (!changes.length) return say('There is nobody else without a label here, and no other draft');
    const question = { title: `Draft ${open.indexOf(current) + 1}: whose is it?`, text: this.describe(current), verb: 'Change' };
    askWhich({ ...question, choices: changes.map(({ text }) => text) }, (place) =>
      this.#ask({ ...changes[place].change, frame: shown, id: current.id }));
  }

  /** @param {string} network its name; '' for the usual one */
  useNetwork(network) {
    const { shown } = this.store.state;
    return this.#ask({ do: 'choose', network, frame: Math.max(0, shown) });
  }

  // Accepting.

  /**
   * Accept a draft as it is, but for the joints that were moved.
   * @param {Draft} draft
   * @param {Record<string, number[]>} [moved] name -> x, y, visibility
   * @param {boolean} [isOneOfAll]
   */
  accept(draft, moved = {}, isOneOfAll = false) {
    const { poses, shown, video } = this.store.state;
    const { skeleton } = video;
    if (draft.reason) {
      const isMoved = Object.keys(moved).length > 0;
      const doubt = { frame: shown, draft: draft.id };
      if (isMoved) this.submit({ type: 'set_joints', person: Number(draft.person), frame: shown, joints: moved });
      else if (this.isProposed(draft)) this.submit({ type: 'accept_proposal', ...doubt });
      else say('Nothing is proposed here: drag the joints, or Y says that they are right');
      return 0;
    }
    const joints = { ...jointsByName(asPose(draft), skeleton), ...moved };
    const shownPose = poses.of(shown, draft.person);
    const empty = skeleton.joints
      .map((/** @type {string} */ _, /** @type {number} */ joint) => joint)
      .filter((/** @type {number} */ joint) => !(skeleton.joints[joint] in joints) && !(shownPose && isPlaced(shownPose, joint)));
    const others = Object.keys(joints).length - Object.keys(moved).length;
    if (!isOneOfAll) {
      this.#asked = empty.length ? { draft: draft.id, frame: shown, joints: empty } : null;
      if (others && Object.keys(moved).length) {
        say(`The other ${others} joints were accepted as they are: Ctrl+Z brings the draft back`);
      }
    }
    this.#note(true);
    const next = this.open.find(({ id }) => id !== draft.id);
    const edit = { frame: shown, joints, draft: draft.id };
    this.submit(draft.person === null ? { type: 'add_person', ...edit } : { type: 'set_joints', person: draft.person, ...edit });
    this.choose(next);
    return empty.length;
  }

  acceptAll() {
    const { open } = this;
    if (!open.length) return say('There are no drafts in this frame: Shift+I finds everybody');
    const empty = open.reduce((sum, draft) => sum + this.accept(draft, {}, true), 0);
    say(`${open.length} accepted${empty ? `, ${empty} joints are empty: R places them` : ''}; Ctrl+Z takes back one at a time`);
  }

  /**
   * Return the empty joints to ask for once a draft is accepted.
   * @param {any} edit
   * @returns {number[]|null}
   */
  takeAsked(edit) {
    const asked = this.#asked;
    if (!asked || edit.draft !== asked.draft) return null;
    this.#asked = null;
    const { placing, shown } = this.store.state;
    return !placing && asked.frame === shown ? asked.joints : null;
  }

  /** Whether empty joints of an accepted draft are about to be asked for. */
  get isAsking() {
    return this.#asked !== null;
  }

  // The picture.

  /**
   * Find the joint or the name of a draft at a point of the screen, else the smallest draft around it.
   * A joint of a person is not hidden by a box, and a labelled one not by a joint that is farther away.
   * @param {number} x @param {number} y @param {boolean} touch
   * @returns {{draft: Draft, joint: number|null, isMeant: boolean}|null} `isMeant` unless it is only around the point
   */
  #hit(x, y, touch) {
    let least = touch ? TOUCH_REACH : REACH;
    let best = null;
    for (const draft of this.open) {
      for (const joint of placedJoints(asPose(draft))) {
        const [sx, sy] = this.view.toScreen(draft.keypoints[joint][0], draft.keypoints[joint][1]);
        const distance = Math.hypot(sx - x, sy - y) - (draft === this.current ? 4 : 0);
        if (distance < least) [least, best] = [distance, { draft, joint, isMeant: true }];
      }
    }
    const other = this.skeletons.find(this.view, x, y, touch);
    if (other && (!best || (other.isGiven && other.distance < least))) return null;
    const named = this.open.find(({ id }) => {
      const [left, top, width, height] = this.#names.get(id) ?? [];
      return x >= left && y >= top && x <= left + width && y <= top + height;
    });
    if (!best && named) return { draft: named, joint: null, isMeant: true };
    const [px, py] = this.view.toPicture(x, y);
    const around = this.open
      .filter(({ box: [left, top, width, height] }) => px >= left && py >= top && px <= left + width && py <= top + height)
      .sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3])[0];
    return best ?? (around ? { draft: around, joint: null, isMeant: false } : null);
  }

  /**
   * @param {PictureView} view @param {number} x @param {number} y @param {PointerEvent} event
   * @returns {import('./picture_view.js').Gesture|null}
   */
  press(view, x, y, event) {
    const hit = event.ctrlKey || event.metaKey ? null : this.#hit(x, y, event.pointerType === 'touch');
    if (!hit) return null;
    const { draft, joint, isMeant } = hit;
    const pan = joint === null ? view.panning([x, y]) : null;
    const { skeleton } = this.store.state.video;
    const pose = asPose(draft);
    const start = view.toPicture(x, y);
    const moving = event.altKey ? placedJoints(pose)
      : event.shiftKey && joint !== null ? limbBelow(skeleton, joint).filter((below) => isPlaced(pose, below)) : [Number(joint)];
    const drop = () => {
      this.#dragged = null;
    };
    return {
      move: (nextX, nextY, next) => {
        if (pan) return pan.move(nextX, nextY, next);
        const [px, py] = view.toPicture(nextX, nextY);
        const joints = Object.fromEntries(moving.map((index) => {
          const [jx, jy, visibility] = draft.keypoints[index];
          return [skeleton.joints[index], [jx + px - start[0], jy + py - start[1], visibility]];
        }));
        this.#dragged = { id: draft.id, joints };
        view.redraw();
      },
      end: (moved, up) => {
        pan?.end(moved, up);
        const joints = this.#dragged?.joints;
        drop();
        if (joints) this.accept(draft, joints);
        else if (!moved && isMeant && this.current?.id === draft.id) this.accept(draft);
        else if (!moved) this.choose(draft);
      },
      cancel: () => {
        pan?.cancel();
        drop();
      },
    };
  }

  /** @param {PictureView} view @param {number} x @param {number} y @param {PointerEvent|null} event */
  hover(view, x, y, event) {
    const hit = event && !this.store.state.placing && this.#hit(x, y, event.pointerType === 'touch');
    if (hit && hit.joint !== null) view.canvas.classList.add('on-joint');
  }

  /**
   * Accept the draft under a click.
   * @param {number} x @param {number} y @returns {boolean} whether there was one
   */
  acceptAt(x, y) {
    const hit = this.#hit(x, y, false);
    if (hit?.isMeant) this.accept(hit.draft);
    return Boolean(hit?.isMeant);
  }

  /** @param {CanvasRenderingContext2D} context @param {PictureView} view */
  draw(context, view) {
    this.#names.clear();
    for (const draft of this.open) this.#drawDraft(context, view, draft);
  }

  /** @param {CanvasRenderingContext2D} context @param {PictureView} view @param {Draft} draft */
  #drawDraft(context, view, draft) {
    const { skeleton } = this.store.state.video;
    const isCurrent = draft === this.current;
    const dragged = this.#dragged?.id === draft.id ? this.#dragged.joints : {};
    const pose = withJoints(asPose(draft), skeleton, dragged);
    const points = /** @type {number[][]} */ (pose.keypoints);
    const places = points.map(([x, y]) => view.toScreen(x, y));
    const placed = placedJoints(pose);
    const size = markSize(placed.map((joint) => points[joint]), view.scale) * (isCurrent ? 1 : 0.85);
    const [left, top] = view.toScreen(draft.box[0], draft.box[1]);
    const trace = () => {
      context.beginPath();
      for (const [from, to] of skeleton.limbs) {
        if (!isPlaced(pose, from) || !isPlaced(pose, to)) continue;
        context.moveTo(...places[from]);
        context.lineTo(...places[to]);
      }
      context.rect(left, top, draft.box[2] * view.scale, draft.box[3] * view.scale);
      context.stroke();
    };
    context.save();
    context.strokeStyle = HALO;
    context.lineWidth = isCurrent ? 4 : 3;
    trace();
    context.setLineDash([7, 5]);
    context.strokeStyle = COLOUR;
    context.lineWidth = isCurrent ? 2.5 : 1.5;
    trace();
    context.setLineDash([]);
    for (const joint of placed) {
      context.beginPath();
      context.arc(...places[joint], size, 0, 2 * Math.PI);
      for (const [style, width] of /** @type {const} */ ([[HALO, 4], [COLOUR, 1.75]])) {
        context.strokeStyle = style;
        context.lineWidth = width;
        context.stroke();
      }
    }
    const text = draft.reason?.split(/[,:]/)[0] ?? (draft.person === null ? 'draft' : `draft of ${draft.person}`);
    context.font = '600 12px system-ui, sans-serif';
    const width = context.measureText(text).width + 8;
    context.fillStyle = isCurrent ? COLOUR : HALO;
    context.fillRect(left, top - 18, width, 17);
    this.#names.set(draft.id, [left, top - 18, width, 17]);
    context.fillStyle = isCurrent ? '#000' : COLOUR;
    context.fillText(text, left + 4, top - 5.5);
    context.restore();
    const [moved] = Object.values(dragged);
    if (moved) this.loupe.draw(context, view, moved[0], moved[1], COLOUR);
  }

  // The list beside the picture.

  #showList() {
    const { open, current } = this;
    byId('drafts-box').hidden = !open.length;
    renew(
      byId('drafts'),
      open.map((draft) =>
        make(
          'li',
          { class: draft === current ? 'row chosen' : 'row' },
          make(
            'button',
            { class: 'row-main', 'aria-pressed': String(draft === current), title: this.describe(draft), dataset: { key: draft.id }, onclick: () => this.choose(draft) },
            make('span', { class: 'row-name' }, capital(this.#who(draft).replace(/^a /, ''))),
            make('span', { class: 'quiet-text' }, draft.reason ?? `${placedJoints(asPose(draft)).length} of ${draft.keypoints.length}`),
          ),
          make('button', { class: 'quiet', title: 'Accept (A)', 'aria-label': `Accept: ${this.describe(draft)}`, dataset: { key: `accept ${draft.id}` }, onclick: () => this.accept(draft) }, '✓'),
          make('button', { class: 'quiet', title: draft.reason ? 'Right as it is (Y)' : 'Discard (Del)', 'aria-label': `Discard: ${this.describe(draft)}`, dataset: { key: `discard ${draft.id}` }, onclick: () => { this.choose(draft); this.discard(draft); } }, '×'),
          draft.reason ? null : make('button', { class: 'quiet', title: 'Whose it is (E)', 'aria-label': `Whose it is: ${this.describe(draft)}`, dataset: { key: `whose ${draft.id}` }, onclick: () => { this.choose(draft); this.askForPerson(); } }, '⇄'),
        ),
      ),
    );
  }
}
