/** The same time of another camera beside the picture, and the lines on which a joint lies in both. */

import { getLines, getPoses, getVideo, Refused } from './api.js';
import { byId, make, renew } from './dom.js';
import { say } from './notices.js';
import { openVideo } from './open_video.js';
import { PictureView } from './picture_view.js';
import { Pictures } from './pictures.js';
import { isPlaced, PoseCache } from './poses.js';
import { SkeletonLayer } from './skeleton_layer.js';
import { onError, skeletons, view } from './stage.js';
import { state, store } from './state.js';
import { Store } from './store.js';

const COLOUR = '#7ef0ff';
const HALO = 'rgb(0 0 0 / 0.65)';
const OPEN_AGAIN_MS = 500;
/** What is drawn there as it is here. */
const SHARED = ['joint', 'alone', 'hidden', 'names', 'scores', 'colours'];

const second = new Store({ ...state });
const pictures = new Pictures(() => beside.redraw(), onError);
const beside = new PictureView(byId('second-picture'), second, pictures);
/** @type {number|null|undefined} the video that is wanted beside the picture; undefined before one was chosen */
let wanted;
/** @type {import('./messages.js').SceneLines|null} what the joint in hand means there */
let lines = null;
/** The request for lines that was answered last, and whether one is under way. */
let [answered, isAsking] = ['', false];

/** @param {() => number[][]} points @param {typeof pressBeside} [press] @returns {import('./picture_view.js').Layer} */
const lineLayer = (points, press) => ({
  press: (_, x, y) => press?.([x, y]) ?? null,
  draw: (context, stage) => {
    if (stage === view) askForLines();
    if (state.hidden) return;
    const path = new Path2D();
    for (const [x, y] of points()) path.lineTo(...stage.toScreen(x, y));
    for (const [style, width] of /** @type {const} */ ([[HALO, 4], [COLOUR, 1.5]])) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke(path);
    }
  },
});

/** A click exchanges the two views, a drag moves the picture. */
/** @param {[number, number]} start @returns {import('./picture_view.js').Gesture} */
function pressBeside(start) {
  const pan = beside.panning(start);
  return {
    ...pan,
    end: (moved, up) => {
      pan.end(moved, up);
      if (!moved) exchangeViews();
    },
  };
}

view.layers.unshift(lineLayer(() => lines?.back ?? []));
beside.layers = [new SkeletonLayer(second, () => {}, /** @type {any} */ (null)), lineLayer(() => lines?.line ?? [], pressBeside)];

/** @returns {any} the joint in hand, and where it is, for the server; null if there is none */
function jointInHand() {
  const { dragged } = skeletons;
  const { video, shown: frame } = state;
  const joint = dragged?.joint ?? video?.skeleton?.joints.indexOf(state.joint) ?? -1;
  const person = dragged?.person ?? state.person;
  if (!second.state.video || joint < 0 || person === null || frame < 0) return null;
  const pose = skeletons.poses().find(({ id }) => id === person);
  const [x, y] = pose?.keypoints && isPlaced(pose, joint) ? pose.keypoints[joint] : [];
  return { other: second.state.video.id, frame, person, joint, ...(x !== undefined && { x, y }) };
}

/** Ask for the lines of the joint in hand, if it has moved; one request after the other. */
async function askForLines() {
  const place = jointInHand();
  const key = JSON.stringify([state.video?.id, place, state.posesVersion]);
  if (!second.state.video || isAsking || key === answered) return;
  isAsking = true;
  lines = (place && (await getLines(state.video.id, place).catch(onError))) || null;
  [answered, isAsking] = [key, false];
  second.update({ person: lines ? lines.person : null });
  view.redraw();
}

/** Show another camera, or none. @param {number|null} id of its video */
async function show(id) {
  const { video } = state;
  wanted = id;
  const cameras = video.views;
  renew(byId('second-choice'), [
    ...cameras.map((/** @type {any} */ camera) => make('option', { value: String(camera.id) }, camera.name)),
    make('option', { value: '' }, 'none'),
  ]);
  byId('second-choice').value = id === null ? '' : String(id);
  byId('second').hidden = id === null;
  second.update({ video: null, poses: null });
  lines = null;
  if (id === null) return;
  const other = await getVideo(id).catch((error) => {
    // It may still be being opened.
    if (error instanceof Refused && error.status === 503) setTimeout(() => wanted === id && state.video === video && show(id), OPEN_AGAIN_MS);
    else onError(error);
  });
  if (!other || wanted !== id) return;
  const poses = new PoseCache((first, last) => getPoses(id, first, last), other.frames, onError, () =>
    second.update({ posesVersion: second.state.posesVersion + 1 }));
  pictures.open(id, other.frames);
  second.update({ video: other, poses, persons: other.persons, shown: -1 });
  beside.fit();
  follow();
}

/** @param {number} id of another camera's video @returns {number} its frame at the time that is shown */
const frameIn = (id) => state.shown + (state.video?.views.find((/** @type {any} */ camera) => camera.id === id)?.later ?? 0);

/** Show the frame, and what was chosen. */
function follow() {
  const { video, poses } = second.state;
  if (!video || state.shown < 0) return;
  const frame = Math.max(0, Math.min(frameIn(video.id), video.frames - 1));
  second.update({ frame, ...Object.fromEntries(SHARED.map((key) => [key, state[key]])) });
  if (video.skeleton) poses.need(frame, 1);
  beside.redraw();
}

export function showNextCamera() {
  /** @type {any[]} */
  const ids = [...(state.video?.views ?? []).map((/** @type {any} */ camera) => camera.id), null];
  if (ids.length < 2) return say('There is no other camera: give --calibration with the videos of several');
  show(ids[(ids.indexOf(wanted) + 1) % ids.length] ?? null);
}

/** Open the camera beside the picture, which takes its place, with the same joint in hand. */
export async function exchangeViews() {
  const { video, joint } = state;
  if (wanted === null || wanted === undefined) return;
  const [other, person, frame] = [wanted, lines?.person ?? null, frameIn(wanted)];
  wanted = video.id;
  await openVideo(other, Math.max(0, frame));
  if (person !== null && state.video.id === other && state.persons.includes(person)) store.update({ person, joint });
}

store.watch(['video'], () => {
  const ids = (state.video?.views ?? []).map((/** @type {any} */ camera) => camera.id);
  if (second.state.video && second.state.video.id === wanted && ids.includes(wanted)) return;
  if (ids.length) show(wanted === null || ids.includes(wanted) ? wanted : ids[0]);
  else show(null);
});
store.watch(['shown', ...SHARED], follow);
// Poses of the other video may have been computed meanwhile.
store.watch(['guidance'], () => {
  second.state.poses?.expire(0, Infinity);
  follow();
});
second.watch(['posesVersion', 'person'], () => beside.redraw());
byId('second-choice').addEventListener('change', () => {
  const { value } = byId('second-choice');
  show(value === '' ? null : Number(value));
  view.canvas.focus();
});
