/** Poses: the joints of a limb, changed joints, a skeleton in a box, and the poses near the view. */

import { clamp } from './dom.js';

/**
 * @typedef {import('./messages.js').Pose} Pose
 * @typedef {import('./messages.js').SkeletonData} Skeleton
 * @typedef {import('./store.js').State} State
 */

const LEAST_MARK = 1.5;
const MOST_MARK = 6;
/** How far a joint may lie from the middle of its pose, in median distances of joints. */
const STRAY = 4;

export const VISIBILITY = ['not labelled', 'occluded', 'visible'];
export const SOURCES = /** @type {Record<string, string>} */ ({
  g: 'given',
  p: 'propagated',
  a: 'absent',
});

/** @param {string} name */
export const readable = (name) => name.replaceAll('_', ' ');

/**
 * Name a person as somebody has, or by the category of the labels, which may be a fly.
 * @param {State} state
 * @param {number} id
 */
export const nameOf = (state, id) => state.aliases?.[id] || `${categoryOf(state)} ${id}`;

/** @param {State} state */
export const categoryOf = ({ video }) => readable(video?.skeleton?.category ?? 'person');

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * List a joint and all joints below it in the skeleton.
 * @param {Skeleton} skeleton
 * @param {number} joint
 */
export function limbBelow(skeleton, joint) {
  const limb = [joint];
  for (const parentJoint of limb) {
    skeleton.parents.forEach((parent, child) => {
      if (parent === parentJoint && !limb.includes(child)) limb.push(child);
    });
  }
  return limb;
}

/**
 * Order joints for a list of two columns: those in the middle first, then pairs side by side.
 * @param {Skeleton} skeleton
 * @returns {number[]}
 */
export function listOrder(skeleton) {
  const middle = skeleton.flip.flatMap((mirror, joint) => (mirror === joint ? [joint] : []));
  const pairs = skeleton.flip.flatMap((mirror, joint) => (joint < mirror ? [joint, mirror] : []));
  return [...middle, ...pairs];
}

/** @param {Pose} pose @param {number} joint */
export const isPlaced = (pose, joint) => Boolean(pose.keypoints && pose.keypoints[joint]?.[2] > 0);

/** @param {Pose|undefined} pose @returns whether the person is absent */
export const isAbsent = (pose) =>
  Boolean(pose) && !placedJoints(/** @type {Pose} */ (pose)).length;

/** A joint of a lower score is more likely wrong than right. */
export const DOUBTFUL = 0.5;

/** @param {Pose} pose @returns whether a joint of it is in doubt */
export const isInDoubt = (pose) =>
  placedJoints(pose).some((joint) => /** @type {any} */ (pose).keypoints[joint][3] < DOUBTFUL);

/** @param {Pose} pose @returns {number[]} placed joints */
export function placedJoints(pose) {
  if (pose.source === 'absent' || !pose.keypoints) return [];
  return pose.keypoints.map((_, joint) => joint).filter((joint) => isPlaced(pose, joint));
}

/**
 * Return the placed joints by name, as in edits.
 * @param {Pose} pose
 * @param {Skeleton} skeleton
 * @returns {Record<string, number[]>} name -> x, y, visibility
 */
export function jointsByName(pose, skeleton) {
  const keypoints = /** @type {number[][]} */ (pose.keypoints);
  return Object.fromEntries(
    placedJoints(pose).map((joint) => [skeleton.joints[joint], keypoints[joint].slice(0, 3)]),
  );
}

/**
 * Copy a pose with joints that were placed by hand.
 * @param {Pose} pose
 * @param {Skeleton} skeleton
 * @param {Record<string, number[]>} joints name -> x, y, visibility
 * @returns {Pose}
 */
export function withJoints(pose, skeleton, joints) {
  const keypoints = (pose.keypoints ?? skeleton.joints.map(() => [0, 0, 0, 0])).map((p) => [...p]);
  const sources = [...(pose.sources || 'a'.repeat(keypoints.length))];
  for (const [name, [x, y, visibility]] of Object.entries(joints)) {
    const joint = skeleton.joints.indexOf(name);
    keypoints[joint] = [x, y, visibility, visibility ? 1 : 0];
    sources[joint] = visibility ? 'g' : 'a';
  }
  return { ...pose, source: 'given', keypoints, sources: sources.join('') };
}

/**
 * List the placed joints without stray ones: propagated joints that lie far from where the others are.
 * @param {Pose} pose
 */
export function gatheredJoints(pose) {
  const joints = placedJoints(pose);
  const point = (/** @type {number} */ joint) => /** @type {any} */ (pose.keypoints)[joint];
  const median = (/** @type {number[]} */ values) =>
    values.sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
  const sure = joints.filter((joint) => point(joint)[3] >= DOUBTFUL);
  const core = sure.length > 2 ? sure : joints;
  const [x, y] = [0, 1].map((axis) => median(core.map((joint) => point(joint)[axis])));
  const away = (/** @type {number} */ joint) => Math.hypot(point(joint)[0] - x, point(joint)[1] - y);
  const most = STRAY * median(core.map(away));
  return joints.filter((joint) => pose.sources?.[joint] === 'g' || away(joint) <= most);
}

/**
 * @param {Pose} pose
 * @param {number[]} [joints]
 * @returns {number[]|null} x, y, width, height around the joints
 */
export function boundsOf(pose, joints = placedJoints(pose)) {
  const points = joints.map((joint) => /** @type {any} */ (pose.keypoints)[joint]);
  if (!points.length) return null;
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return [left, top, Math.max(1, Math.max(...xs) - left), Math.max(1, Math.max(...ys) - top)];
}

/**
 * Size marks by the size of their subject, regardless of its rotation, so that they never cover it.
 * @param {number[][]} points of the subject
 * @param {number} scale
 * @returns {number} radius of a joint on the screen
 */
export function markSize(points, scale) {
  if (points.length < 3) return MOST_MARK - 1;
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const across = Math.hypot(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  return clamp((across * scale) / 45, LEAST_MARK, MOST_MARK);
}

/** A standing person seen from the front, in shares of the box; left is the picture's right. */
const STANDING = /** @type {[RegExp, number, number][]} */ ([
  [/head_?top|top_?head/, 0, 0],
  [/eye/, 0.05, 0.06],
  [/ear/, 0.1, 0.08],
  [/nose|face/, 0, 0.09],
  [/head_?bottom|neck|thorax/, 0, 0.18],
  [/shoulder/, 0.28, 0.22],
  [/elbow/, 0.4, 0.38],
  [/wrist|hand|finger|thumb|pinky/, 0.48, 0.53],
  [/spine|chest|belly/, 0, 0.36],
  [/pelvis|root|mid_?hip/, 0, 0.53],
  [/hip/, 0.16, 0.54],
  [/knee/, 0.18, 0.76],
  [/ankle|foot|heel|toe/, 0.2, 1],
]);

/** Least distance of two joints in a box, in shares of its shorter side. */
const SPACING = 0.05;

/**
 * Find the place nearest to a wanted one that keeps its distance from those that are taken.
 * @param {number[]} wanted
 * @param {number[][]} taken
 * @param {number} distance
 * @returns {number[]}
 */
function freePlace([x, y], taken, distance) {
  for (let n = 0; ; n++) {
    // A spiral of the golden angle covers the plane evenly.
    const [radius, angle] = [0.5 * distance * Math.sqrt(n), 2.4 * n];
    const place = [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    if (taken.every(([tx, ty]) => Math.hypot(place[0] - tx, place[1] - ty) >= distance)) return place;
  }
}

/**
 * Place a skeleton in a box: a standing person, else a ring, with its joints apart from each other.
 * @param {Skeleton} skeleton
 * @param {number[]} box x, y, width, height
 * @returns {Record<string, number[]>} name -> x, y, visibility
 */
export function layInBox(skeleton, [x, y, width, height]) {
  /** @type {Record<string, number[]>} */
  const joints = {};
  skeleton.joints.forEach((name, joint) => {
    const lower = name.toLowerCase();
    const standing = STANDING.find(([pattern]) => pattern.test(lower));
    const side = /left|^l[_A-Z]|_l$/i.test(name) ? 1 : /right|^r[_A-Z]|_r$/i.test(name) ? -1 : 0;
    const angle = (2 * Math.PI * joint) / skeleton.joints.length;
    const place = standing
      ? [0.5 + side * standing[1], standing[2]]
      : [0.5 + 0.5 * Math.sin(angle), 0.5 - 0.5 * Math.cos(angle)];
    const wanted = [x + place[0] * width, y + place[1] * height];
    const [left, top] = freePlace(wanted, Object.values(joints), SPACING * Math.min(width, height));
    joints[name] = [left, top, 2];
  });
  return joints;
}

const CHUNK = 60;
const MOST_CHUNKS = 40;
const AGAIN_MS = 50;

/**
 * Poses by frame, fetched in chunks.
 *
 * Answers may arrive in another order than the requests. Every request and every change in the page
 * takes a number from one clock; answers older than the state of a frame are dropped. Stale poses
 * are shown until newer ones arrive.
 */
export class PoseCache {
  #clock = 0;
  /** @type {Map<number, {asked: number, loaded: number, stale: number}>} */
  #chunks = new Map();
  /** @type {Map<number, {poses: Pose[], drafts: any[], stamp: number}>} */
  #frames = new Map();
  /** @type {Map<number, number>} frame -> number of its edits that are not confirmed */
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
   * Return the poses of a frame; null if they are not known yet.
   * @param {number} frame
   * @returns {Pose[]|null}
   */
  at(frame) {
    return this.#frames.get(frame)?.poses ?? null;
  }

  /** @param {number} frame @returns {import('./drafts.js').Draft[]} its open drafts */
  draftsAt(frame) {
    return this.#frames.get(frame)?.drafts ?? [];
  }

  /**
   * @param {number} frame
   * @param {number|null} person
   * @returns {Pose|undefined}
   */
  of(frame, person) {
    return this.at(frame)?.find((pose) => pose.id === person);
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
    const request = this.#chunks.get(chunk) ?? { asked: 0, loaded: 0, stale: 1 };
    this.#chunks.delete(chunk);
    this.#chunks.set(chunk, request);
    if (request.asked >= request.stale) return;
    const stamp = ++this.#clock;
    request.asked = Math.max(stamp, request.stale);
    const last = Math.min(first + CHUNK, this.frameCount) - 1;
    this.load(first, last).then(
      (answer) => this.#arrive(chunk, stamp, answer),
      (error) => {
        request.asked = request.loaded;
        this.onError(error);
      },
    );
    this.#forgetOldest();
  }

  /** @param {number} chunk @param {number} stamp @param {any} answer */
  #arrive(chunk, stamp, answer) {
    const request = this.#chunks.get(chunk);
    if (!request) return;
    if (answer.revision < this.#revision) {
      // The answer is older than an edit that the page knows of: ask again.
      request.asked = request.loaded;
      setTimeout(() => this.#fetch(chunk), AGAIN_MS);
      return;
    }
    request.loaded = Math.max(request.loaded, stamp);
    this.#putAll(answer, () => stamp);
    this.onChange();
  }

  /**
   * @param {{frames: Record<string, Pose[]>, drafts: Record<string, any[]>}} answer
   * @param {() => number} stampOf
   */
  #putAll({ frames, drafts }, stampOf) {
    for (const [frame, poses] of Object.entries(frames)) {
      const stamp = stampOf();
      if (this.#held.has(+frame) || Number(this.#frames.get(+frame)?.stamp) > stamp) continue;
      this.#frames.set(+frame, { poses, drafts: drafts[frame] ?? [], stamp });
    }
  }

  /**
   * Show a change before the server has confirmed it; until then, other answers are dropped.
   * @param {number} frame
   * @param {Pose[]} poses
   * @param {(draft: import('./drafts.js').Draft) => boolean} isHidden drafts that are accepted or discarded
   */
  hold(frame, poses, isHidden) {
    const drafts = this.draftsAt(frame).filter((draft) => !isHidden(draft));
    this.#frames.set(frame, { poses, drafts, stamp: ++this.#clock });
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
   * Take the frames of an answer to an edit, or to a request for drafts.
   * @param {{revision: number, frames: Record<string, Pose[]>, drafts: Record<string, any[]>}} answer
   */
  confirm(answer) {
    this.#revision = Math.max(this.#revision, answer.revision);
    this.#putAll(answer, () => ++this.#clock);
    this.onChange();
  }

  /** @param {number} first @param {number} last */
  expire(first, last) {
    const stale = ++this.#clock;
    for (const [chunk, request] of this.#chunks) {
      if (chunk * CHUNK <= last && (chunk + 1) * CHUNK > first) request.stale = stale;
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
