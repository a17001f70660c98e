/** Geometry of poses: which joints hang below one, how a pose is moved, a skeleton for a box. */

/** @typedef {import('./store.js').Pose} Pose */
/** @typedef {import('./store.js').Skeleton} Skeleton */

export const VISIBILITY = ['not labelled', 'occluded', 'visible'];
export const SOURCES = /** @type {Record<string, string>} */ ({
  g: 'given',
  p: 'propagated',
  a: 'absent',
});

/** @param {string} name */
export const readable = (name) => name.replaceAll('_', ' ');

/**
 * List a joint and all that hang below it.
 * @param {Skeleton} skeleton
 * @param {number} joint
 */
export function limbBelow(skeleton, joint) {
  const found = [joint];
  for (const one of found) {
    skeleton.parents.forEach((parent, child) => {
      if (parent === one && !found.includes(child)) found.push(child);
    });
  }
  return found;
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

/** @param {Pose|undefined} pose @returns whether it says that the person is not there */
export const isAbsent = (pose) =>
  Boolean(pose) && !placedJoints(/** @type {Pose} */ (pose)).length;

/** @param {Pose} pose @returns {number[]} placed joints */
export function placedJoints(pose) {
  if (pose.source === 'absent' || !pose.keypoints) return [];
  return pose.keypoints.map((_, joint) => joint).filter((joint) => isPlaced(pose, joint));
}

/**
 * Name the placed joints, as edits do.
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
 * @param {Pose} pose
 * @returns {number[]|null} x, y, width, height around the placed joints
 */
export function boundsOf(pose) {
  const points = placedJoints(pose).map((joint) => /** @type {any} */ (pose.keypoints)[joint]);
  if (!points.length) return null;
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return [left, top, Math.max(1, Math.max(...xs) - left), Math.max(1, Math.max(...ys) - top)];
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
  [/wrist|hand/, 0.48, 0.53],
  [/spine|chest|belly/, 0, 0.36],
  [/pelvis|root|mid_?hip/, 0, 0.53],
  [/hip/, 0.16, 0.54],
  [/knee/, 0.18, 0.76],
  [/ankle|foot|heel|toe/, 0.2, 1],
]);

/**
 * Lay a skeleton into a box: like a pose that is there, else a standing person, else a ring.
 * @param {Skeleton} skeleton
 * @param {number[]} box x, y, width, height
 * @param {Pose|null} model a pose with the same joints
 * @returns {Record<string, number[]>} name -> x, y, visibility
 */
export function layInBox(skeleton, [x, y, width, height], model) {
  const bounds = model && boundsOf(model);
  /** @type {Record<string, number[]>} */
  const joints = {};
  skeleton.joints.forEach((name, joint) => {
    let place;
    if (model && bounds) {
      if (!isPlaced(model, joint)) return;
      const [px, py] = /** @type {any} */ (model.keypoints)[joint];
      place = [(px - bounds[0]) / bounds[2], (py - bounds[1]) / bounds[3]];
    } else {
      const lower = name.toLowerCase();
      const known = STANDING.find(([pattern]) => pattern.test(lower));
      const side = /left|^l[_A-Z]|_l$/i.test(name) ? 1 : /right|^r[_A-Z]|_r$/i.test(name) ? -1 : 0;
      const angle = (2 * Math.PI * joint) / skeleton.joints.length;
      place = known
        ? [0.5 + side * known[1], known[2]]
        : [0.5 + 0.5 * Math.sin(angle), 0.5 - 0.5 * Math.cos(angle)];
    }
    joints[name] = [x + place[0] * width, y + place[1] * height, 2];
  });
  return joints;
}
