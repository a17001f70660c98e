/** What the page knows: one state that views watch, and the poses of the frames near the view. */

/**
 * @typedef {object} Pose a person in a frame
 * @property {number} id
 * @property {'given'|'propagated'|'absent'} source
 * @property {number[][]|null} keypoints per joint x, y, visibility, score
 * @property {string|null} sources one letter a joint: g(iven), p(ropagated), a(bsent)
 * @property {number[]|null} box x, y, width, height
 * @property {boolean} pending its gap is not redone yet
 * @property {(number[]|null)[]|null} before its joints before the latest redo
 */

/**
 * @typedef {object} Skeleton
 * @property {string[]} joints
 * @property {number[][]} limbs
 * @property {number[]} parents
 * @property {number[]} flip
 */

/** State that calls those who watch a part of it when that part changes. */
export class Store {
  /** @type {{keys: Set<string>, action: () => void}[]} */
  #watchers = [];

  /** @param {Record<string, any>} state */
  constructor(state) {
    this.state = state;
  }

  /**
   * Change parts of the state.
   * @param {Record<string, any>} patch
   */
  update(patch) {
    const changed = Object.keys(patch).filter((key) => !Object.is(this.state[key], patch[key]));
    if (!changed.length) return;
    Object.assign(this.state, patch);
    for (const watcher of this.#watchers) {
      if (changed.some((key) => watcher.keys.has(key))) watcher.action();
    }
  }

  /**
   * Call a function whenever one of the keys has changed.
   * @param {string[]} keys
   * @param {() => void} action
   */
  watch(keys, action) {
    this.#watchers.push({ keys: new Set(keys), action });
  }
}

export const CHUNK = 60;
const MOST_CHUNKS = 40;
const AGAIN_MS = 50;

/**
 * Poses by frame, fetched in chunks.
 *
 * Answers may arrive in another order than they were asked for. Every request and every change in
 * the page takes a number from one clock; what is older than the state of a frame is dropped.
 * Poses that have become stale stay shown until newer ones arrive.
 */
export class PoseCache {
  #clock = 0;
  /** @type {Map<number, {asked: number, loaded: number, stale: number}>} */
  #chunks = new Map();
  /** @type {Map<number, {poses: Pose[], stamp: number}>} */
  #frames = new Map();
  /** @type {Map<number, number>} frames with an edit that is under way, and how many */
  #held = new Map();
  #revision = 0;

  /**
   * @param {(first: number, last: number) => Promise<any>} load
   * @param {number} frameCount
   * @param {(error: unknown) => void} onError
   * @param {() => void} onChange
   */
  constructor(load, frameCount, onError, onChange) {
    this.load = load;
    this.frameCount = frameCount;
    this.onError = onError;
    this.onChange = onChange;
  }

  /**
   * Give the poses of a frame, null where they are not known yet.
   * @param {number} frame
   * @returns {Pose[]|null}
   */
  at(frame) {
    return this.#frames.get(frame)?.poses ?? null;
  }

  /**
   * Fetch what is missing or stale around a frame.
   * @param {number} frame
   * @param {number} direction the chunk before or behind it is fetched too
   */
  need(frame, direction) {
    const chunk = Math.floor(frame / CHUNK);
    this.#fetch(chunk);
    const next = chunk + (direction < 0 ? -1 : 1);
    const inside = frame - chunk * CHUNK;
    if (direction < 0 ? inside < CHUNK / 2 : inside >= CHUNK / 2) this.#fetch(next);
  }

  /** @param {number} chunk */
  #fetch(chunk) {
    const first = chunk * CHUNK;
    if (first < 0 || first >= this.frameCount) return;
    const known = this.#chunks.get(chunk) ?? { asked: 0, loaded: 0, stale: 1 };
    this.#chunks.delete(chunk);
    this.#chunks.set(chunk, known);
    if (known.asked >= known.stale) return;
    const stamp = ++this.#clock;
    known.asked = Math.max(stamp, known.stale);
    const last = Math.min(first + CHUNK, this.frameCount) - 1;
    this.load(first, last).then(
      (answer) => this.#arrive(chunk, stamp, answer),
      (error) => {
        known.asked = known.loaded;
        this.onError(error);
      },
    );
    this.#forgetOldest();
  }

  /** @param {number} chunk @param {number} stamp @param {any} answer */
  #arrive(chunk, stamp, answer) {
    const known = this.#chunks.get(chunk);
    if (!known) return;
    if (answer.revision < this.#revision) {
      // It was made before an edit that the page knows of: ask again.
      known.asked = known.loaded;
      setTimeout(() => this.#fetch(chunk), AGAIN_MS);
      return;
    }
    known.loaded = Math.max(known.loaded, stamp);
    for (const [frame, poses] of Object.entries(answer.frames)) this.#put(+frame, poses, stamp);
    this.onChange();
  }

  /** @param {number} frame @param {Pose[]} poses @param {number} stamp */
  #put(frame, poses, stamp) {
    if (this.#held.has(frame)) return;
    const known = this.#frames.get(frame);
    if (known && known.stamp > stamp) return;
    this.#frames.set(frame, { poses, stamp });
  }

  /**
   * Show a change before the server has confirmed it; answers to the frame are dropped till then.
   * @param {number} frame
   * @param {Pose[]} poses
   */
  hold(frame, poses) {
    this.#frames.set(frame, { poses, stamp: ++this.#clock });
    this.#held.set(frame, (this.#held.get(frame) ?? 0) + 1);
    this.onChange();
  }

  /** @param {number} frame */
  release(frame) {
    const count = (this.#held.get(frame) ?? 1) - 1;
    if (count > 0) this.#held.set(frame, count);
    else this.#held.delete(frame);
  }

  /**
   * Take the frames of an answer to an edit.
   * @param {number} revision
   * @param {Record<string, Pose[]>} frames
   */
  confirm(revision, frames) {
    this.#revision = Math.max(this.#revision, revision);
    for (const [frame, poses] of Object.entries(frames)) {
      this.#put(+frame, poses, ++this.#clock);
    }
    this.onChange();
  }

  /** @param {number} first @param {number} last */
  expire(first, last) {
    const stale = ++this.#clock;
    for (const [chunk, known] of this.#chunks) {
      if (chunk * CHUNK <= last && (chunk + 1) * CHUNK > first) known.stale = stale;
    }
  }

  #forgetOldest() {
    for (const chunk of this.#chunks.keys()) {
      if (this.#chunks.size <= MOST_CHUNKS) return;
      this.#chunks.delete(chunk);
      for (let frame = chunk * CHUNK; frame < (chunk + 1) * CHUNK; frame++) {
        if (!this.#held.has(frame)) this.#frames.delete(frame);
      }
    }
  }
}
