/** Edits: shown at once, sent one after another, kept while the server is gone and sent later. */

import { postEdit, Refused, ServerGone } from './api.js';
import { capital, nameOf, readable, withJoints } from './poses.js';

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 3000;
const NUDGE_MS = 350;

/** @typedef {import('./messages.js').Edit} Edit */

/**
 * Immediate effect of some types of edits on the pose; all other types wait for the server.
 * @type {Record<string, (pose: import('./poses.js').Pose, edit: Edit, skeleton: any) => object>}
 */
const SHOWN_AT_ONCE = {
  set_joints: (pose, edit, skeleton) => withJoints(pose, skeleton, edit.joints),
  accept: (pose) => ({
    ...pose,
    source: 'given',
    sources: (pose.sources ?? '').replaceAll('p', 'g'),
  }),
  mark_absent: (pose) => ({ ...pose, source: 'absent' }),
};

const NOUNS = /** @type {Record<string, string>} */ ({
  set_joints: 'correction', accept: 'acceptance', forget: 'deletion', mark_absent: 'mark of absence',
  mark_present: 'mark of presence', copy_nearest: 'copied pose', add_person: 'addition',
  accept_proposal: 'accepted proposal', confirm: 'confirmation', remove_person: 'removal', set_skeleton: 'choice of joints', exchange_sides: 'exchange of left and right',
});

/** @param {Edit} edit @returns {string[]} the joints that it names */
const jointsOf = ({ joints }) => (Array.isArray(joints) ? joints : Object.keys(joints ?? {}));

/** @param {Edit} edit @param {Edit} later @returns whether an edit concerns joints of another one only */
const isWithin = (edit, later) =>
  edit === later ||
  (edit.person !== undefined && edit.person === later.person && edit.frame === later.frame &&
    jointsOf(later).length > 0 && jointsOf(later).every((name) => jointsOf(edit).includes(name)));

/** @param {any} edit @returns {number[]} the first and the last frame that it names */
export function framesOf({ type, frame, last, on }) {
  return [frame, last ?? (on || ['swap', 'split'].includes(type) ? Infinity : frame)];
}

/**
 * @param {Edit} edit
 * @param {import('./poses.js').State} state
 * @returns {string} such as "swap of person 0 and person 1 from frame 12"
 */
export function describeEdit(edit, state) {
  const { type, person, a, b, into } = edit;
  const names = jointsOf(edit);
  const people = [person ?? a, b ?? into].filter((id) => id !== undefined).map((id) => nameOf(state, id));
  const which = names.length > 4 ? `${names.length} joints` : names.map(readable).join(', ');
  const named = [NOUNS[type] ?? type, which, people.join(' and ')].filter(Boolean).join(' of ');
  const [frame, last] = framesOf(edit);
  if (frame === undefined) return named;
  const end = last < state.video.frames - 1 ? ` to ${last}` : '';
  return `${named} ${last === frame ? 'in' : 'from'} frame ${frame}${last === frame ? '' : end}`;
}

/**
 * @typedef {object} Waiting
 * @property {string} id the server applies an edit with the same id only once
 * @property {number} video
 * @property {string} page the page that made it, which may have been reloaded since
 * @property {number} revision of the video, as that page knew it
 * @property {Edit} edit
 * @property {boolean} held whether it is shown already
 */

/**
 * @typedef {object} QueueHandlers
 * @property {(answer: import('./messages.js').EditAnswer, edit: Edit) => void} answer
 * @property {(sentence: string) => void} refused
 * @property {(edit: Edit) => void} stale it was left out, since another page was faster
 * @property {(entry: Waiting, theirs: Edit[]) => Promise<boolean>} conflict whether to keep it
 * @property {(error: unknown) => void} gone
 */

export class EditQueue {
  /** @type {QueueHandlers} */
  on = Object.create(null);
  /** @type {Waiting[]} */
  #queue = [];
  /** @type {Promise<void>|null} */
  #sending = null;
  #wait = FIRST_WAIT_MS;
  #retry = 0;
  /** @type {{edit: Edit, timer: number}|null} */
  #nudge = null;
  /** @type {Set<string>} this page, and earlier pages of this tab */
  #pages = new Set();

  /**
   * @param {import('./store.js').Store} store
   * @param {string} page
   */
  constructor(store, page) {
    this.store = store;
    this.page = page;
    this.#pages.add(page);
    addEventListener('pagehide', () => this.flush());
    addEventListener('beforeunload', (event) => {
      this.flush();
      if (this.#queue.length) event.preventDefault();
    });
  }

  /** @param {QueueHandlers} on what to do before the first edit is sent */
  listen(on) {
    this.on = on;
  }

  /** Queue the edits that an earlier page of this tab could not send. */
  open() {
    const stored = sessionStorage.getItem(this.#key());
    if (stored && !this.#queue.length) this.#queue.push(...JSON.parse(stored));
    for (const entry of this.#queue) this.#pages.add(entry.page);
    this.#changed();
    this.#pump();
  }

  /**
   * @param {string} page
   * @returns {boolean} whether the edits of a page were made in this tab
   */
  isOwn(page) {
    return this.#pages.has(page);
  }

  #key() {
    return `waiting ${this.store.state.project.key}`;
  }

  #changed() {
    if (this.#queue.length) {
      const stored = this.#queue.map((entry) => ({ ...entry, held: false }));
      sessionStorage.setItem(this.#key(), JSON.stringify(stored));
    } else sessionStorage.removeItem(this.#key());
    this.store.update({ waiting: this.#queue.length });
  }

  /**
   * @param {Edit} edit
   * @returns {string} its identifier
   */
  submit(edit) {
    this.flush();
    if (this.#isLocked(edit)) return '';
    return this.#add(edit, this.#show(edit));
  }

  /**
   * Move joints step by step; steps in quick succession are one edit and one undo.
   * @param {Edit} edit of `set_joints`
   */
  nudge(edit) {
    if (this.#isLocked(edit)) return;
    const last = this.#nudge;
    const same =
      last &&
      last.edit.person === edit.person &&
      last.edit.frame === edit.frame &&
      String(Object.keys(last.edit.joints)) === String(Object.keys(edit.joints));
    if (!same) this.flush();
    else {
      clearTimeout(last.timer);
      this.store.state.poses.release(edit.frame);
    }
    this.#show(edit);
    this.#nudge = { edit, timer: window.setTimeout(() => this.flush(), NUDGE_MS) };
  }

  /** @param {Edit} edit @returns {boolean} whether it is refused, since it concerns a person that is locked */
  #isLocked({ person, a, b, into }) {
    const { state } = this.store;
    const locked = [person, a, b, into].find((id) => state.locked.includes(id));
    if (locked !== undefined) this.on.refused(`${capital(nameOf(state, locked))} is locked: unlock it in the list of people first`);
    return locked !== undefined;
  }

  /** Send the steps of a nudge now. */
  flush() {
    if (!this.#nudge) return;
    const { edit, timer } = this.#nudge;
    clearTimeout(timer);
    this.#nudge = null;
    this.#add(edit, true);
  }

  /** @param {Edit} edit @param {boolean} held */
  #add(edit, held) {
    const { video, revision } = this.store.state;
    const id = crypto.randomUUID();
    const last = this.#queue.at(-1);
    // Whatever other pages do meanwhile, this means the edit that waits before it.
    const isMeant = last && last.video === video.id && !['undo', 'redo'].includes(last.edit.type);
    if (edit.type === 'undo' && isMeant) edit = { of: last.id, ...edit };
    this.#queue.push({ id, video: video.id, page: this.page, revision, edit, held });
    this.#changed();
    this.#pump();
    return id;
  }

  /** Try again at once, since the server has answered. */
  wake() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    this.#wait = FIRST_WAIT_MS;
    this.#pump();
  }

  /**
   * Show what the edit does to its own frame.
   * @param {Edit} edit
   * @returns {boolean} whether the frame is held until the answer
   */
  #show(edit) {
    const { poses, video } = this.store.state;
    const { frame } = edit;
    const people = frame === undefined ? null : poses.at(frame);
    const change = SHOWN_AT_ONCE[edit.type] ?? ((/** @type {any} */ pose) => pose);
    if (!people || !(edit.type in SHOWN_AT_ONCE || edit.draft)) return false;
    poses.hold(
      frame,
      people.map((/** @type {import('./poses.js').Pose} */ pose) =>
        pose.id === edit.person ? change(pose, edit, video.skeleton) : pose,
      ),
      (/** @type {{id: string}} */ { id }) => id === edit.draft,
    );
    return true;
  }

  /**
   * Wait until the server has every edit.
   * @throws {Error} if it does not accept them now
   */
  async drained() {
    this.flush();
    await this.#sending;
    if (this.#queue.length) {
      throw new Error('Some edits have not reached the server, so nothing was written: try again when it answers.');
    }
  }

  #pump() {
    if (!this.#sending && !this.#retry && this.#queue.length) this.#sending = this.#send();
  }

  async #send() {
    while (this.#queue.length && !this.#retry) {
      const [first] = this.#queue;
      try {
        const { id, page, revision, edit } = first;
        const answer = await postEdit(first.video, { id, page, revision, edit });
        this.#wait = FIRST_WAIT_MS;
        this.#done(first);
        if (this.store.state.video.id === first.video) this.on.answer(answer, first.edit);
      } catch (error) {
        if (error instanceof Refused && error.answer.theirs) await this.#settle(first, error.answer);
        else this.#failed(first, error);
      }
    }
    this.#sending = null;
  }

  /**
   * Ask whether to keep an edit to what another page has changed; those of its joints go with it.
   * @param {Waiting} first @param {{theirs: Edit[], revision: number}} answer
   */
  async #settle(first, { theirs, revision }) {
    const isKept = await this.on.conflict(first, theirs);
    const meant = this.#queue.filter(({ video, edit }) => video === first.video && isWithin(first.edit, edit));
    for (const entry of meant) {
      if (isKept) entry.revision = revision;
      else this.#done(entry);
    }
    this.#changed();
    if (!isKept) this.on.stale(first.edit);
  }

  /** @param {Waiting} entry */
  #done(entry) {
    this.#queue.splice(this.#queue.indexOf(entry), 1);
    const { poses, video } = this.store.state;
    if (entry.held && video.id === entry.video) poses.release(entry.edit.frame);
    this.#changed();
  }

  /** @param {Waiting} entry @param {unknown} error */
  #failed(entry, error) {
    // A server that was just started answers 503 until it has opened the video.
    const isOpening = error instanceof Refused && error.status === 503;
    const isStranger = error instanceof Refused && error.status === 403;
    if (isOpening || isStranger || error instanceof ServerGone) {
      if (!isOpening) this.on.gone(error);
      this.#retry = window.setTimeout(() => {
        this.#retry = 0;
        this.#pump();
      }, this.#wait);
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT_MS);
      return;
    }
    this.#done(entry);
    const { poses } = this.store.state;
    if (entry.edit.frame !== undefined) poses.expire(entry.edit.frame, entry.edit.frame);
    if (error instanceof Refused && error.status === 409) this.on.stale(entry.edit);
    else this.on.refused(error instanceof Error ? error.message : String(error));
  }
}
