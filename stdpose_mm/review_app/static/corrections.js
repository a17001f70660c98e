/** Correcting the pose of the chosen person: what keys and buttons do to it. */

import { announce, say } from './notices.js';
import { isAbsent, isPlaced, jointsByName, listOrder, readable, SOURCES, VISIBILITY } from './poses.js';
import { drafts, placing, queue, skeletons, submit } from './stage.js';
import { aliasKey, state, store } from './state.js';

export function undo() {
  if (!placing.undo()) submit({ type: 'undo' });
}

export function redo() {
  if (!placing.redo()) submit({ type: 'redo' });
}

/** The chosen person's pose in the shown frame. */
export function currentPose() {
  return state.poses?.of(state.shown, state.person);
}

/** The joint that a key applies to: the chosen one, else the one under the pointer. */
export function currentJoint() {
  if (state.joint !== null) return { person: state.person, name: state.joint };
  const { hovered } = skeletons;
  if (!hovered) return null;
  return { person: hovered.person, name: state.video.skeleton.joints[hovered.joint] };
}

/** Edit the chosen person in the shown frame. */
/** @param {import('./messages.js').Edit['type']} type @param {object} [fields] */
export function editPerson(type, fields = {}) {
  if (state.shown < 0) return;
  if (state.person === null) {
    say('Choose one first: click it, or press 1 to 9');
    return;
  }
  submit({ type, person: state.person, frame: state.shown, ...fields });
}

/** @returns {boolean} whether there was something to accept */
export function accept() {
  if (drafts.current) {
    drafts.accept(drafts.current);
    return true;
  }
  const pose = currentPose();
  if (state.person !== null && !pose) {
    say('The pose in this frame is not computed yet: accept it in a moment');
    return false;
  }
  // Accept the pose that is shown: the server may have computed another one meanwhile.
  const isThere = pose && !isAbsent(pose);
  editPerson('accept', isThere ? { joints: jointsByName(pose, state.video.skeleton) } : {});
  return Boolean(isThere);
}

export function toggleAbsent() {
  const pose = currentPose();
  editPerson(isAbsent(pose) ? 'mark_present' : 'mark_absent');
}

/** Exchange left and right of the chosen joints, or of all. */
/** @param {boolean} on whether in all frames from here on */
export function exchangeSides(on) {
  const joints = chosenJoints();
  editPerson('exchange_sides', { on, ...(joints.length && { joints }) });
}

/** The joint whose place was taken away last, and this place, to which it comes back. */
let taken = { key: '', place: [0, 0] };

/** @param {string} [name] */
export function cycleVisibility(name) {
  const meant = name ? { person: state.person, name } : currentJoint();
  if (!meant) return say('Choose a joint first: click it, or press Tab');
  const pose = state.poses.of(state.shown, meant.person);
  const index = state.video.skeleton.joints.indexOf(meant.name);
  const key = [state.video.id, state.shown, meant.person, meant.name].join(' ');
  const isHere = pose && isPlaced(pose, index);
  if (!isHere && taken.key !== key) {
    return say(`${readable(meant.name)} has no position yet: choose it and click on the picture`);
  }
  const [x, y, visibility] = isHere ? pose.keypoints[index] : [...taken.place, 3];
  // Visible, occluded, not labelled, and visible again where it was.
  const next = visibility - 1;
  taken = { key, place: [x, y] };
  submit({
    type: 'set_joints',
    person: meant.person,
    frame: state.shown,
    joints: { [meant.name]: next ? [x, y, next] : [0, 0, 0] },
  });
  announce(`${readable(meant.name)} ${VISIBILITY[next]}`);
}

/** @returns {string[]} the chosen joint, or those that are picked */
export const chosenJoints = () => (state.joint === null ? state.picked : [state.joint]);

/** @param {number} x @param {number} y */
function nudge(x, y) {
  const pose = currentPose();
  if (!pose || pose.source === 'absent') return;
  const moved = Object.entries(jointsByName(pose, state.video.skeleton))
    .filter(([name]) => chosenJoints().includes(name))
    .map(([name, [px, py, visibility]]) => /** @type {const} */ ([name, [px + x, py + y, visibility]]));
  if (!moved.length) return;
  const joints = Object.fromEntries(moved);
  queue.nudge({ type: 'set_joints', person: state.person, frame: state.shown, joints });
  for (const [name, [px, py]] of moved) announce(`${readable(name)} at ${px.toFixed(0)}, ${py.toFixed(0)}`);
}

/** @param {number} x @param {number} y @param {() => void} otherwise */
export const nudgeOr = (x, y, otherwise) => () => (chosenJoints().length ? nudge(x, y) : otherwise());

/** @param {number} direction @returns {boolean} whether there was one; else the focus goes on */
export function stepJoint(direction) {
  const skeleton = state.video?.skeleton;
  if (!skeleton || state.person === null) return false;
  const joints = listOrder(skeleton).map((index) => skeleton.joints[index]);
  const first = direction > 0 ? 0 : joints.length - 1;
  const next = state.joint === null ? first : joints.indexOf(state.joint) + direction;
  if (next < 0 || next >= joints.length) {
    store.update({ joint: null });
    return false;
  }
  store.update({ joint: joints[next] });
  return true;
}

export function announceJoint() {
  const { joint, video } = state;
  const pose = currentPose();
  if (joint === null || !pose) return;
  const index = video.skeleton.joints.indexOf(joint);
  if (!isPlaced(pose, index)) return announce(`${readable(joint)}, not labelled`);
  const [x, y, visibility, score] = pose.keypoints[index];
  announce(
    `${readable(joint)}, ${SOURCES[pose.sources[index]]}, ${VISIBILITY[visibility]}, ` +
      `score ${score.toFixed(2)}, at ${x.toFixed(0)}, ${y.toFixed(0)}`,
  );
}

/** @param {number} person */
export function rename(person) {
  const name = prompt(`Name of person ${person} on this page`, state.aliases[person] ?? '');
  if (name === null) return;
  store.update({ aliases: { ...state.aliases, [person]: name.trim() } });
  localStorage.setItem(aliasKey(state.video), JSON.stringify(state.aliases));
}

export function deleteLabel() {
  const joints = chosenJoints();
  const isEmptied = drafts.emptied === state.shown;
  drafts.emptied = -1;
  if (drafts.current) drafts.discard(drafts.current);
  else if (isEmptied) say('No draft is left in this frame: Del again deletes the label of the chosen one');
  else editPerson('forget', joints.length ? { joints } : {});
}

export function placeMissing() {
  const pose = currentPose();
  if (state.person === null) return placing.begin(null);
  const joints = state.video?.skeleton?.joints ?? [];
  const chosen = joints.indexOf(state.joint);
  const missing = joints.findIndex((/** @type {any} */ _, /** @type {number} */ index) => !pose || !isPlaced(pose, index));
  placing.begin(state.person, chosen >= 0 ? chosen : Math.max(0, missing));
}
