/** Where to go next: frames in doubt, frames to label, given frames, the middle of a gap. */

import { getTimeline } from './api.js';
import { DOUBTFUL, isAbsent } from './poses.js';

const MOST_COLUMNS = 4096;

/** @typedef {import('./store.js').Store} Store */

/**
 * List the frames with given labels of the chosen person or of anyone, or of one joint only.
 * @param {Store} store
 * @returns {[number, number][]} first and last frame of each run, ascending
 */
function givenRuns(store) {
  const { timeline, person, alone, joint } = store.state;
  const lanes = timeline?.persons ?? [];
  const ofPerson = lanes.filter((lane) => lane.id === person);
  const chosen = ofPerson.length ? ofPerson : lanes;
  return chosen
    .flatMap((lane) => alone ? lane.joint_runs[joint] : lane.runs)
    .filter((run) => run[2] === 'given')
    .map((run) => /** @type {[number, number]} */ ([run[0], run[1]]))
    .sort((/** @type {number[]} */ a, /** @type {number[]} */ b) => a[0] - b[0]);
}

/**
 * @param {Store} store
 * @param {number} direction -1 or 1
 * @returns {number|null}
 */
export function nextGiven(store, direction) {
  const { frame } = store.state;
  let best = null;
  for (const [first, last] of givenRuns(store)) {
    if (direction > 0 && last > frame) {
      const next = Math.max(first, frame + 1);
      if (best === null || next < best) best = next;
    }
    if (direction < 0 && first < frame) {
      const next = Math.min(last, frame - 1);
      if (best === null || next > best) best = next;
    }
  }
  return best;
}

/**
 * Find the middle of the gap around the frame, or, from a given frame, of the next gap.
 * @param {Store} store
 * @returns {number|null}
 */
export function middleOfGap(store) {
  const { frame, video } = store.state;
  let before = -1;
  let after = video.frames;
  const runs = givenRuns(store);
  const inside = runs.some(([first, last]) => first <= frame && frame <= last);
  for (const [first, last] of runs) {
    if (last < frame || (inside && first <= frame)) before = Math.max(before, Math.min(last, video.frames));
    else if (first > frame) {
      // Runs of given frames that touch leave no gap between them.
      if (inside && first === before + 1) before = last;
      else {
        after = first;
        break;
      }
    }
  }
  if (after - before < 2) return null;
  return Math.floor((before + after) / 2);
}

/**
 * Find the next frame, in steps, in which the joint alone has no label; the last frame counts as one.
 * @param {Store} store
 * @returns {number|null}
 */
export function nextUnlabelled(store) {
  const { frame, step, video } = store.state;
  const runs = givenRuns(store);
  for (let next = frame; next < video.frames - 1; ) {
    next = Math.min(next + step, video.frames - 1);
    if (!runs.some(([first, last]) => first <= next && next <= last)) return next;
  }
  return null;
}

/**
 * Find the worst frame of the next run of frames in which the chosen joint, alone or with all others of
 * the person, is in doubt, after the run around the current frame, or else from the start.
 * @param {Store} store
 * @returns {Promise<number|null>}
 */
export async function nextDoubtOfJoint(store) {
  const { video, person, joint, frame, alone } = store.state;
  const columns = Math.min(video.frames, MOST_COLUMNS);
  const span = { columns, first: 0, last: video.frames - 1, person };
  const { persons } = await getTimeline(video.id, span);
  const lane = persons.find((candidate) => candidate.id === person);
  /** @type {(number|null)[]} */
  const scores = (alone ? lane?.joints?.[joint] : lane?.heat) ?? [];
  const isDoubt = (/** @type {number} */ column) => (scores[column] ?? 1) < DOUBTFUL;
  let current = Math.floor((frame * columns) / video.frames);
  while (isDoubt(current)) current++;
  const after = scores.findIndex((_, column) => column > current && isDoubt(column));
  const first = after < 0 ? scores.findIndex((_, column) => isDoubt(column)) : after;
  if (first < 0) return null;
  let worst = first;
  for (let column = first; isDoubt(column); column++) {
    if (Number(scores[column]) < Number(scores[worst])) worst = column;
  }
  return Math.ceil((worst * video.frames) / columns);
}

/** @param {import('./messages.js').Check} check */
const seenAs = ({ draft, person, frame }) => draft ?? `${person}/${frame}`;

/** Goes through the frames in doubt, the worst first, each once until the poses change. */
export class DoubtTour {
  /** @type {Set<string>} */
  #seen = new Set();
  #revision = -1;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
  }

  /** @returns {import('./messages.js').Check|null} */
  next() {
    const { guidance, revision, frame, person, draft } = this.store.state;
    const list = guidance?.doubtful ?? [];
    if (this.#revision !== revision && !list[0]?.draft) this.#seen.clear();
    this.#revision = revision;
    const open = list.filter(
      (check) =>
        !this.#seen.has(seenAs(check)) &&
        (check.draft ? check.draft !== draft : !(check.frame === frame && check.person === person)),
    );
    if (!open.length) {
      this.#seen.clear();
      return null;
    }
    this.#seen.add(seenAs(open[0]));
    return open[0];
  }
}

/** @param {{frame: number, person: number|null}} place */
const keyOf = ({ frame, person }) => `${person}/${frame}`;

/** Goes through the places to label, the best first, each once until there is new advice. */
export class LabelTour {
  /** @type {Set<string>} */
  #seen = new Set();
  /** @type {number|undefined} */
  #advised = -1;
  #last = '';

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
  }

  /** Tell whether the page knows of no label there, or only of one of some joints. */
  /** @param {{frame: number, person: number|null}} place */
  #isOpen({ frame, person }) {
    const { persons, poses, timeline } = this.store.state;
    if (person === null) return true;
    const pose = poses.of(frame, person);
    if (pose) return !isAbsent(pose) && (pose.source === 'propagated' || pose.sources.includes('p'));
    const lane = timeline?.persons.find((candidate) => candidate.id === person);
    return persons.includes(person) &&
      !lane?.runs.some((run) => run[2] === 'given' && run[0] <= frame && frame <= run[1]);
  }

  /** @returns {import('./messages.js').Place|null} the place where `next` would go */
  peek() {
    const { guidance, frame, person, poses } = this.store.state;
    const open = (guidance?.suggestions ?? []).filter((place) => this.#isOpen(place));
    const isNew = guidance?.advised !== this.#advised;
    const elsewhere = open.filter((place) => place.frame !== frame || place.person !== person);
    // Somebody who looked around at other frames goes back to the place that is not labelled yet.
    const left = elsewhere.find(
      (place) => keyOf(place) === this.#last && poses.of(place.frame, place.person)?.source !== 'given',
    );
    const unseen = open.find((place) => isNew || !this.#seen.has(keyOf(place)));
    return left ?? unseen ?? elsewhere[0] ?? open[0] ?? null;
  }

  next() {
    const place = this.peek();
    if (this.store.state.guidance?.advised !== this.#advised || (place && this.#seen.has(keyOf(place)))) this.#seen.clear();
    this.#advised = this.store.state.guidance?.advised;
    if (place) this.#seen.add((this.#last = keyOf(place)));
    return place;
  }
}
