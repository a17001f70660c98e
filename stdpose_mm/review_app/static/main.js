/** Puts the page together: opens a video, connects views, edits, keys and the server's events. */

import {
  getGuidance, getPoses, getProject, getVideo, postExcerpt, postLearning, postSave, Refused, ServerGone,
} from './api.js';
import { onSchemeChange, setTheme } from './colours.js';
import { Connection } from './connection.js';
import { ask, askForOther, askForSkeleton, askWhichToKeep, prepareDialogs, showExport, showProject } from './dialogs.js';
import { byId, clamp, debounce, oncePerFrame } from './dom.js';
import { DraftLayer } from './drafts.js';
import { describeEdit, EditQueue, framesOf } from './edits.js';
import { prepareFolding } from './folding.js';
import { DoubtTour, LabelTour, middleOfGap, nextDoubtOfJoint, nextGiven, nextUnlabelled } from './guiding.js';
import { listenToKeys, showBindings } from './keys.js';
import { Light } from './light.js';
import { Loupe } from './loupe.js';
import { announce, closeButton, endMessages, prepareMessages, say, showState } from './notices.js';
import {
  followChosen, isUnsaved, linkPlaces, shareOf, showActions, showGuidance, showHeader, showJoints, showLearning, showLegend, showNext, showPeople, showTransport,
} from './panels.js';
import { PictureView } from './picture_view.js';
import { Pictures } from './pictures.js';
import { PlacingLayer } from './placing.js';
import { Playback } from './playback.js';
import {
  boundsOf, capital, categoryOf, isAbsent, isPlaced, jointsByName, listOrder, nameOf, placedJoints, PoseCache, readable,
  SOURCES, VISIBILITY,
} from './poses.js';
import { SelectionLayer } from './selection.js';
import { SkeletonLayer } from './skeleton_layer.js';
import { Store } from './store.js';
import { SubjectZoom } from './subject_zoom.js';
import { Timeline } from './timeline.js';
import { NEXT_TRACE, TRAIL, trailsOf } from './traces.js';

const PAGE = crypto.randomUUID();
const GUIDANCE_AGAIN_MS = 500;
const OPEN_AGAIN_MS = 500;
const NEXT_DIGIT_MS = 1000;

const store = new Store({
  project: null,
  video: null,
  persons: [],
  poses: null,
  posesVersion: 0,
  timeline: null,
  guidance: null,
  learning: null,
  revision: 0,
  settled: 0,
  canUndo: false,
  canRedo: false,
  progress: null,
  waiting: 0,
  connection: 'ok',
  saving: false,
  written: null,
  saved: null,
  mark: null,
  pages: 1,
  frame: 0,
  shown: 0,
  person: null,
  joint: null,
  draft: null,
  picked: [],
  alone: false,
  opened: null,
  range: null,
  placing: null,
  playing: false,
  speed: 1,
  moveMode: 'joint',
  scores: localStorage.getItem('scores') ?? 'size',
  ghosts: localStorage.getItem('ghosts') !== 'no',
  names: localStorage.getItem('names') === 'yes',
  zooming: localStorage.getItem('zooming') !== 'no',
  side: localStorage.getItem('side') !== 'no',
  lanes: localStorage.getItem('lanes') !== 'no',
  traced: null,
  trace: localStorage.getItem('trace') ?? 'off',
  trails: localStorage.getItem('trails') === 'yes',
  step: Number(localStorage.getItem('step')) || 10,
  hidden: false,
  target: 0.95,
});
const { state } = store;
/** @type {(() => void)[]} steps that wait for the timeline of the opened video */
let stepsToCome = [];

/** @param {unknown} error */
function onError(error) {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  if (error instanceof ServerGone || (error instanceof Refused && error.status === 403)) {
    connection.lost(error);
  } else say(error instanceof Error ? error.message : String(error), 'bad');
}

const pictures = new Pictures(() => view.redraw(), onError);
const view = new PictureView(byId('picture'), store, pictures);
const loupe = new Loupe(store);
const light = new Light(store, view);
const subjectZoom = new SubjectZoom(store, view);
const skeletons = new SkeletonLayer(store, (edit) => submit(edit), loupe, () => goByTimeline(
  () => nextUnlabelled(store), 'No frame without a label of this joint is left after this one',
));
const selection = new SelectionLayer(store, skeletons);
const drafts = new DraftLayer(store, view, (edit) => submit(edit), onError, loupe, skeletons);
const placing = new PlacingLayer(store, view, (edit) => queue.submit(edit), drafts);
const timeline = new Timeline(store, (frame) => goTo(frame), visit, onError, setMark);
const playback = new Playback(store, (frame) => goTo(frame, true));
const doubtTour = new DoubtTour(store);
const labelTour = new LabelTour(store);
const queue = new EditQueue(store, PAGE, {
  answer: onAnswer,
  refused: (sentence) => {
    say(sentence, 'bad');
    needPoses();
  },
  stale: (edit) => {
    say(`Another page has changed the labels. They are shown; your ${describeEdit(edit, state)} was left out.`, 'bad');
    reload();
  },
  conflict: (entry, theirs) => askWhichToKeep(store, entry, theirs),
  gone: onError,
});
const refreshGuidance = debounce(fetchGuidance, 250, 1500);

/** @type {string|null} */
let lastFailure = null;
const connection = new Connection(
  store,
  PAGE,
  {
    hello: ({ revision }) => {
      if (revision !== state.revision) reload();
    },
    poses: ({ revision, first, last }) => {
      store.update({ revision: Math.max(state.revision, revision) });
      state.poses?.expire(first, last);
      needPoses();
      timeline.refresh();
    },
    progress: (progress) => store.update({ progress, failed: null }),
    idle: ({ revision }) => {
      lastFailure = null;
      store.update({ settled: revision, progress: null, failed: null });
      // The scores are now those by which frames are in doubt.
      state.poses?.expire(0, Infinity);
      needPoses();
      timeline.refresh();
      refreshGuidance();
    },
    edited: ({ page }) => {
      if (queue.isOwn(page)) return;
      say('Another page has edited this video: its changes are shown here.');
      reload();
    },
    writing: ({ done, of }) => store.update({ written: done / of }),
    pages: ({ count }) => store.update({ pages: count }),
    failed: ({ error }) => {
      // The server tries again every few seconds.
      if (error !== lastFailure) say(error, 'bad');
      lastFailure = error;
      store.update({ failed: error, progress: null });
    },
    learning: (learning) => store.update({ learning }),
    drafts: ({ first, last }) => {
      state.poses?.expire(first, last);
      needPoses();
      refreshGuidance();
    },
  },
  () => {
    queue.wake();
    reload();
  },
);

/** Go to a frame; its picture is shown as soon as it has arrived. */
/** @param {number} frame @param {boolean} [isPlaying] */
function goTo(frame, isPlaying = false) {
  if (!state.video) return;
  stepsToCome = [];
  if (!isPlaying) store.update({ playing: false });
  store.update({ frame: clamp(frame, 0, state.video.frames - 1) });
  needPoses();
}

function needPoses() {
  if (!state.video?.skeleton) return;
  if (state.trails) state.poses.need(Math.max(0, state.frame - TRAIL), 1);
  state.poses.need(state.frame, view.direction);
}

/** @param {number} id @param {number} [frame] */
async function openVideo(id, frame = 0) {
  let video;
  try {
    placing.finish();
    queue.flush();
    video = await getVideo(id);
    showState('opening', null);
  } catch (error) {
    const isLoading = error instanceof Refused && error.status === 503;
    showState('opening', isLoading ? 'The video is being opened.' : null);
    if (isLoading) {
      await new Promise((wake) => setTimeout(wake, OPEN_AGAIN_MS));
      return openVideo(id, frame);
    }
    onError(error);
    return;
  }
  const poses = new PoseCache(
    (first, last) => getPoses(id, first, last),
    video.frames,
    onError,
    () => {
      if (state.poses === poses) store.update({ posesVersion: state.posesVersion + 1 });
    },
  );
  pictures.open(id, video.frames);
  const start = clamp(frame, 0, video.frames - 1);
  stepsToCome = [];
  // Anything begun before the server answered belongs to the previous video.
  placing.finish();
  queue.flush();
  store.update({
    // Nothing is shown before the first picture has arrived.
    video, poses, frame: start, shown: -1, timeline: null, guidance: null, progress: null,
    opened: null, range: null, mark: null, placing: null, playing: false, joint: null, draft: null, picked: [],
    alone: false,
    ...stateOf(video), person: video.persons[0] ?? null,
    aliases: JSON.parse(localStorage.getItem(aliasKey(video)) ?? '{}'),
  });
  view.fit();
  needPoses();
  timeline.refresh();
  refreshGuidance();
  connection.open(id);
  queue.open();
  const known = video.project_skeleton;
  if (!video.skeleton && known) {
    submit({ type: 'set_skeleton', joints: known.joints, limbs: known.limbs, category: known.category });
    say(`This video gets the ${known.joints.length} joints of the project: Ctrl+Z leaves the choice to you`);
  } else if (!video.skeleton) askForSkeleton(store, submit);
}

/** @param {any} video */
function stateOf(video) {
  return {
    persons: video.persons,
    revision: video.revision,
    settled: video.settled,
    saved: video.saved,
    failed: video.failed,
    canUndo: video.can_undo,
    canRedo: video.can_redo,
  };
}

/** Fetch everything that is shown again, without leaving the frame. */
async function reload() {
  const { video } = state;
  if (!video) return;
  try {
    const fresh = await getVideo(video.id);
    if (state.video.id !== video.id) return;
    store.update({ video: fresh, ...stateOf(fresh) });
    if (!fresh.persons.includes(state.person)) store.update({ person: fresh.persons[0] ?? null });
    state.poses.expire(0, fresh.frames);
    pictures.forgetFailures();
    needPoses();
    view.look();
    timeline.refresh();
    refreshGuidance();
  } catch (error) {
    onError(error);
  }
}

/** Whether each video was good enough when last judged; null before its accuracy is measured.
 * @type {Map<number, boolean|null>} */
const wasGood = new Map();

async function fetchGuidance() {
  const { video, target, learning } = state;
  if (!video?.skeleton) return;
  try {
    const guidance = await getGuidance(video.id, target);
    if (state.video.id !== video.id || state.target !== target) return;
    // An event since the request is newer than the answer.
    store.update({ guidance, learning: state.learning === learning ? guidance.learning : state.learning });
    if (guidance.computing) {
      setTimeout(refreshGuidance, GUIDANCE_AGAIN_MS);
      return;
    }
    endMessages('Still looking');
    if (guidance.good_enough && wasGood.get(video.id) === false) {
      say(`Good enough: ${shareOf(guidance.right)} of joints are expected to be right`, 'good');
    }
    wasGood.set(video.id, guidance.good_enough || (guidance.measured ? false : null));
  } catch (error) {
    onError(error);
  }
}

let wasLearning = false;
function followLearning() {
  const { running, message, failed, unread } = state.learning;
  showLearning(store);
  showState('learned', unread ? message : null, failed ? 'bad' : 'info', [message, closeButton(() => askLearner('dismiss'))]);
  // All poses may now come from another network.
  if (wasLearning && !running) reload();
  wasLearning = running;
}

let isStarting = false;
async function learn() {
  const { video, learning } = state;
  if (!video || !learning) return;
  if (!learning.running && learning.refused) return say(learning.refused);
  if (isStarting) return say('Learning is about to begin');
  if (learning.stopping) say('Learning ends now; no network is kept');
  else if (learning.running) {
    store.update({ learning: { ...learning, stopping: true } });
    say('Learning stops; the network so far is compared with the poses without it. Press again to end at once');
  } else {
    isStarting = true;
    say('Learning begins: go on labelling meanwhile');
  }
  await askLearner(learning.running ? 'stop' : 'start');
  isStarting = false;
}

/** @param {'start'|'stop'|'dismiss'} what */
async function askLearner(what) {
  try {
    if (what === 'start') await queue.drained();
    // The events say how it goes on; the answer may be older than they are.
    await postLearning(state.video.id, what);
  } catch (error) {
    onError(error);
  }
}

/** @param {any} edit */
function submit(edit) {
  if (!state.video) return;
  // Finish placing joints before the next action.
  placing.finish();
  queue.submit(edit);
}

function undo() {
  if (!placing.undo()) submit({ type: 'undo' });
}

function redo() {
  if (!placing.redo()) submit({ type: 'redo' });
}

/** @param {any} answer @param {any} edit */
function onAnswer(answer, edit) {
  // An edit shows that the message about learning was read.
  showState('learned', null);
  store.update({
    revision: answer.revision,
    persons: answer.persons,
    canUndo: answer.can_undo,
    canRedo: answer.can_redo,
  });
  if (state.guidance) {
    const { labels_made, clicks } = answer;
    store.update({ guidance: { ...state.guidance, labels_made, clicks } });
  }
  for (const [first, last] of answer.touched) state.poses.expire(first, last);
  state.poses.confirm(answer);
  const { persons } = answer;
  if (edit.type === 'forget') {
    const who = capital(nameOf(state, edit.person));
    const isGone = !persons.includes(edit.person);
    const what = edit.joints ? `${edit.joints.map(readable).join(', ')} of ${who}` : `Label of ${who}`;
    say(isGone ? `${who} was removed with the last label: Ctrl+Z brings it back` : `${capital(what)} deleted: Ctrl+Z brings it back`);
  }
  if (edit.type === 'add_person') store.update({ person: answer.person });
  else if (!persons.includes(state.person)) store.update({ person: persons[0] ?? null });
  const asked = drafts.takeAsked(edit);
  if (asked) placing.begin(answer.person ?? edit.person, 0, asked);
  if (answer.of) showReversed(edit.type === 'undo' ? 'Undone' : 'Redone', answer);
  if (['set_skeleton', 'undo', 'redo'].includes(edit.type)) reload();
  needPoses();
  timeline.refresh();
  refreshGuidance();
}

/** Go to the edit that was undone or done again, unless it is in view; say what it was. */
/** @param {string} done @param {any} answer */
function showReversed(done, { of, person, persons }) {
  const said = `${done}: ${describeEdit(of, state)}`;
  const [first, last] = framesOf(of);
  announce(said);
  if (first !== state.frame) say(said);
  const edited = [of.person, of.a, person, state.person].find((id) => persons.includes(id)) ?? null;
  if (first > state.frame || state.frame > last) visit(first, edited);
  else if (edited !== state.person) store.update({ person: edited, joint: null });
}

/** The chosen person's pose in the shown frame. */
function currentPose() {
  return state.poses?.of(state.shown, state.person);
}

/** The joint that a key applies to: the chosen one, else the one under the pointer. */
function currentJoint() {
  if (state.joint !== null) return { person: state.person, name: state.joint };
  const { hovered } = skeletons;
  if (!hovered) return null;
  return { person: hovered.person, name: state.video.skeleton.joints[hovered.joint] };
}

/** Edit the chosen person in the shown frame. */
/** @param {string} type @param {object} [fields] */
function editPerson(type, fields = {}) {
  if (state.shown < 0) return;
  if (state.person === null) {
    say('Choose one first: click it, or press 1 to 9');
    return;
  }
  submit({ type, person: state.person, frame: state.shown, ...fields });
}

/** @returns {boolean} whether there was something to accept */
function accept() {
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

/** @param {KeyboardEvent} event */
function acceptAndGoOn(event) {
  // A key that is held down, or is faster than the pictures, accepts nothing unseen.
  if (event.repeat || state.shown !== state.frame) return;
  const pose = currentPose();
  const draft = drafts.current;
  const isDone = !draft && pose?.source === 'given' && !pose.sources.includes('p');
  if (!isDone && accept() === false) return;
  // Further drafts of the frame come first, and joints that the accepted one has left empty.
  if (!draft || !(drafts.current || drafts.isAsking)) goToLabel();
}

function toggleAbsent() {
  const pose = currentPose();
  editPerson(isAbsent(pose) ? 'mark_present' : 'mark_absent');
}

/** Exchange left and right of the chosen joints, or of all. */
/** @param {boolean} on whether in all frames from here on */
function exchangeSides(on) {
  const joints = chosenJoints();
  editPerson('exchange_sides', { on, ...(joints.length && { joints }) });
}

/** The joint whose place was taken away last, and this place, to which it comes back. */
let taken = { key: '', place: [0, 0] };

/** @param {string} [name] */
function cycleVisibility(name) {
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
const chosenJoints = () => (state.joint === null ? state.picked : [state.joint]);

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
const nudgeOr = (x, y, otherwise) => () => (chosenJoints().length ? nudge(x, y) : otherwise());

/** @param {number} direction @returns {boolean} whether there was one; else the focus goes on */
function stepJoint(direction) {
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

function announceJoint() {
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

/** @param {number} frame @param {number|null} person */
function visit(frame, person) {
  store.update({ person, joint: null });
  goTo(frame);
  subjectZoom.visit();
}

function goToDoubt() {
  if (state.alone) return goToDoubtOfJoint();
  const next = doubtTour.next();
  if (!next && isAdviceToCome() && !state.guidance?.doubtful.length) return goToDoubtOfJoint();
  if (!next) return say(whyNoDoubt());
  visit(next.frame, next.person);
  announce(`frame ${next.frame}, ${nameOf(state, next.person)}, score ${next.score.toFixed(2)}`);
}

/** Go to a doubt of the chosen joint or, before there is advice, of the chosen person. */
async function goToDoubtOfJoint() {
  const { alone } = state;
  try {
    const frame = await nextDoubtOfJoint(store);
    if (state.alone !== alone) return;
    if (frame === null) return say(alone ? `${capital(readable(state.joint ?? ''))} is in doubt in no frame` : whyNoDoubt());
    goTo(frame);
    subjectZoom.visit();
  } catch (error) {
    onError(error);
  }
}

/** Review only the chosen joint, or all joints again. */
function toggleAlone() {
  const joint = currentJoint();
  if (!state.alone && !joint) return say('Choose a joint first: click it, or press Tab');
  const { person, name } = joint ?? { person: state.person, name: null };
  const alone = !state.alone;
  store.update({ person, joint: name, alone, opened: alone ? person : null });
}

/** Whether advice on the current poses is still to come. */
function isAdviceToCome() {
  const { guidance, revision, waiting } = state;
  return !guidance || guidance.computing || guidance.advised < revision || waiting > 0;
}

function whyNoDoubt() {
  if (state.guidance?.doubtful.length) {
    const { doubtful, num_doubtful } = state.guidance;
    const shown = num_doubtful > doubtful.length ? `These were the worst of ${num_doubtful}` : 'No more';
    return `${shown} frames in doubt: press Space again to start over`;
  }
  if (isAdviceToCome()) return 'Still looking for frames in doubt: press Space again in a moment';
  return 'No frame is in doubt';
}

/** The frame in which a place to label was asked for before there was advice. */
let labelWantedAt = -1;
function goToLabel() {
  const next = labelTour.next();
  labelWantedAt = !next && isAdviceToCome() ? state.frame : -1;
  if (labelWantedAt >= 0) fetchGuidance();
  if (!next) return say(labelWantedAt < 0 ? 'No frame is suggested' : 'Still looking for a frame to label: the page goes there');
  visit(next.frame, next.person);
  announce(`frame ${next.frame}: ${next.reason}`);
}

/**
 * Go to a frame found in the timeline; wait until it has arrived, by joint if needed.
 * @param {() => number|null} find
 * @param {string} none message if there is no such frame
 */
function goByTimeline(find, none) {
  if (!state.timeline || (state.alone && state.timeline.opened !== state.person)) {
    stepsToCome.push(() => goByTimeline(find, none));
    return;
  }
  const frame = find();
  if (frame === null) say(none);
  else goTo(frame);
}

store.watch(['timeline'], () => {
  const steps = stepsToCome;
  stepsToCome = [];
  for (const step of steps) step();
});

const goToGivenBefore = () => goByTimeline(() => nextGiven(store, -1), 'No given frame before this one');
const goToGivenAfter = () => goByTimeline(() => nextGiven(store, 1), 'No given frame after this one');
const goToMiddleOfGap = () => goByTimeline(() => middleOfGap(store), 'There is no gap here');

let typed = { digits: '', time: -Infinity };

/** Choose a person by its number; a digit that follows soon is a further one of the number. */
/** @param {number} digit @param {KeyboardEvent} event */
function typeNumber(digit, { timeStamp }) {
  const all = (timeStamp - typed.time < NEXT_DIGIT_MS ? typed.digits : '') + digit;
  const begins = (/** @type {string} */ digits) => state.persons.some((/** @type {number} */ id) => String(id).startsWith(digits));
  const digits = begins(all) ? all : String(digit);
  typed = { digits, time: timeStamp };
  if (state.persons.includes(Number(digits))) store.update({ person: Number(digits), joint: null });
  else if (digits === '0') view.fit();
  else if (!begins(digits)) say(`There is no ${categoryOf(state)} ${digits}`);
}

/** @param {any} video @returns where the browser keeps the names that its people were given */
const aliasKey = (video) => `names of ${state.project.key} ${video.name}`;

/** @param {number} person */
function rename(person) {
  const name = prompt(`Name of person ${person} on this page`, state.aliases[person] ?? '');
  if (name === null) return;
  store.update({ aliases: { ...state.aliases, [person]: name.trim() } });
  localStorage.setItem(aliasKey(state.video), JSON.stringify(state.aliases));
}

/** @param {number} step to the next video that can be opened, or to the one before */
function openNeighbour(step) {
  const usable = (state.project?.videos ?? []).filter((/** @type {any} */ listed) => listed.state !== 'unavailable');
  const place = usable.findIndex((/** @type {any} */ listed) => listed.id === state.video?.id) + step;
  if (usable[place]) openVideo(usable[place].id);
  else say(step < 0 ? 'This is the first video' : 'This is the last video');
}

function deleteLabel() {
  const joints = chosenJoints();
  const isEmptied = drafts.emptied === state.shown;
  drafts.emptied = -1;
  if (drafts.current) drafts.discard(drafts.current);
  else if (isEmptied) say('No draft is left in this frame: Del again deletes the label of the chosen one');
  else editPerson('forget', joints.length ? { joints } : {});
}

async function draftPlan() {
  const frame = await drafts.plan();
  if (frame !== null) goTo(frame);
}

function goToDrafts() {
  const frame = drafts.next();
  if (frame !== null) goTo(frame);
}

function placeMissing() {
  const pose = currentPose();
  if (state.person === null) return placing.begin(null);
  const joints = state.video?.skeleton?.joints ?? [];
  const chosen = joints.indexOf(state.joint);
  const missing = joints.findIndex((/** @type {any} */ _, /** @type {number} */ index) => !pose || !isPlaced(pose, index));
  placing.begin(state.person, chosen >= 0 ? chosen : Math.max(0, missing));
}

/** Work on some frames only: what is computed, suggested and written; null ends that. */
/** @param {number[]|null} excerpt first and last frame */
async function setExcerpt(excerpt) {
  const { video } = state;
  if (!video?.skeleton) return;
  const [first, last] = excerpt ?? [0, video.frames - 1];
  store.update({ mark: null });
  try {
    await queue.drained();
    await postExcerpt(video.id, Math.min(first, last), Math.max(first, last));
    reload();
  } catch (error) {
    onError(error);
  }
}

/** Mark one end of the excerpt, then the other one. */
/** @param {number} frame */
function setMark(frame) {
  if (state.mark !== null) setExcerpt([state.mark, frame]);
  else {
    store.update({ mark: frame });
    say('One end of the excerpt: Shift+E or Shift+click at the other end');
  }
}

/** Mark an end of the excerpt, or end it. */
function markExcerpt() {
  if (state.mark === null && state.video?.excerpt) setExcerpt(null);
  else setMark(state.frame);
}

const stopWriting = () => state.video && postSave(state.video.id, 'stop').catch(onError);

async function save() {
  const { video } = state;
  if (!video) return;
  if (state.saving) return stopWriting();
  placing.finish();
  store.update({ saving: true, written: null });
  try {
    await queue.drained();
    const { file, revision } = await postSave(video.id);
    if (state.video.id === video.id) store.update({ saved: revision });
    const isNewer = state.video.id === video.id && isUnsaved(state);
    if (video.excerpt) say(`All labels, and the poses of frames ${video.excerpt.join(' to ')}, were written to ${file}`, 'good');
    else if (isNewer) say(`Labels were written to ${file}, but it lacks the latest changes: write them again`, 'bad');
    else say(`Labels were written to ${file}`, 'good');
  } catch (error) {
    onError(error);
  } finally {
    store.update({ saving: false });
  }
}

function fitPerson() {
  const pose = currentPose();
  const bounds = pose && boundsOf(pose);
  if (bounds) view.fitBox(bounds);
  else view.fit();
}

function toggleZooming() {
  setShown('zooming', !state.zooming);
  if (!state.zooming) view.fit();
  say(state.zooming ? 'The view zooms in on small poses in doubt' : 'Frames in doubt are shown whole');
}

/** @param {string} key @param {boolean} value */
function setShown(key, value) {
  store.update({ [key]: value });
  localStorage.setItem(key, value ? 'yes' : 'no');
}

/** @type {import('./keys.js').Binding[]} */
const BINDINGS = [
  { group: 'Go', shown: '← →', keys: ['ArrowLeft'], what: 'previous, next frame (if no joint is chosen)', run: nudgeOr(-1, 0, () => goTo(state.frame - 1)) },
  { group: 'Go', shown: ', .', keys: [','], what: 'previous, next frame (always)', run: () => goTo(state.frame - 1) },
  { group: 'Go', shown: 'Shift+← Shift+→', keys: ['Shift+ArrowLeft'], what: 'ten frames back, forward', run: nudgeOr(-10, 0, () => goTo(state.frame - 10)) },
  { group: 'Go', shown: '[ ]', keys: ['[', 'Ctrl+ArrowLeft'], what: 'previous, next given frame', run: goToGivenBefore },
  { group: 'Go', shown: 'Space', keys: ['Space'], what: 'next frame in doubt, worst first', run: goToDoubt },
  { group: 'Go', shown: 'N', keys: ['n'], what: 'next frame to label', run: goToLabel },
  { group: 'Go', shown: 'Y', keys: ['y'], what: 'next frame with drafts', run: goToDrafts },
  { group: 'Go', shown: 'M', keys: ['m'], what: 'middle of the gap', run: goToMiddleOfGap },
  { group: 'Go', shown: 'Home End', keys: ['Home'], what: 'first, last frame', run: () => goTo(0) },
  { group: 'Go', shown: 'F', keys: ['f'], what: 'type a frame number', run: () => byId('frame-field').select() },
  { group: 'Go', shown: 'P', keys: ['p'], what: 'play, pause', run: () => playback.toggle() },
  { group: 'Choose', shown: '1 … 9', keys: [], what: 'a person by its number, digit by digit' },
  { group: 'Choose', shown: 'Tab Shift+Tab', keys: [], what: 'next, previous joint (on the picture)' },
  { group: 'Choose', shown: 'Esc', keys: ['Escape'], what: 'no joint (Tab then leaves the picture)', run: leaveJoint },
  { group: 'Choose', shown: 'Ctrl+click Ctrl+drag', keys: [], what: 'several joints, one by one or in a box; then drag one of them (move), the knob (turn) or a corner (scale)' },
  { group: 'Choose', shown: 'J', keys: ['j'], what: 'this joint alone: a click places it and goes on, Space goes to its doubts, [ and ] to its labels', run: toggleAlone },
  { group: 'Identities', shown: 'I', keys: ['i'], what: 'add one', run: () => placing.begin(null) },
  { group: 'Identities', shown: 'S', keys: ['s'], what: 'swap with another from here on, or up to a frame', run: () => askForOther(store, 'swap', submit) },
  { group: 'Identities', shown: 'E', keys: ['e'], what: 'merge into another', run: () => askForOther(store, 'merge', submit) },
  { group: 'Identities', shown: 'K', keys: ['k'], what: 'split: a new one from here on', run: () => editPerson('split') },
  { group: 'Correct', shown: 'drag', keys: [], what: 'move a joint' },
  { group: 'Correct', shown: 'Shift+drag', keys: [], what: 'move a joint and the limb below it' },
  { group: 'Correct', shown: 'Alt+drag', keys: [], what: 'move the whole pose (also Ctrl, on a joint)' },
  { group: 'Correct', shown: '← → ↑ ↓', keys: ['ArrowUp'], what: 'move the chosen joints by one pixel (Shift: ten)', run: nudgeOr(0, -1, () => {}) },
  { group: 'Correct', shown: 'V', keys: ['v'], what: 'joint visible, occluded, not labelled, visible again', run: () => cycleVisibility() },
  { group: 'Correct', shown: 'A', keys: ['a'], what: 'accept the pose, or the draft', run: accept },
  { group: 'Correct', shown: 'Enter', keys: ['Enter'], what: 'accept it, and go to the next frame to label', run: acceptAndGoOn },
  { group: 'Correct', shown: 'X', keys: ['x'], what: 'absent from here on, present again', run: toggleAbsent },
  { group: 'Correct', shown: 'C', keys: ['c'], what: 'copy the nearest given pose', run: () => editPerson('copy_nearest') },
  { group: 'Correct', shown: 'Del', keys: ['Delete', 'Backspace'], what: 'delete the label (of the joint), or the draft', run: deleteLabel },
  { group: 'Correct', shown: 'Q Shift+Q', keys: ['q'], what: 'exchange left and right (of the chosen joints): here, from here on', run: () => exchangeSides(false) },
  { group: 'Correct', shown: 'R', keys: ['r'], what: 'place joints one after another', run: placeMissing },
  { group: 'Correct', shown: 'Ctrl+Z Ctrl+Y', keys: ['Ctrl+z'], what: 'undo, redo (also Ctrl+Shift+Z)', run: undo },
  { group: 'Drafts', shown: 'Shift+I Shift+N', keys: ['Shift+i'], what: 'find everybody here, in the plan', run: () => drafts.find() },
  { group: 'Drafts', shown: 'I box', keys: [], what: 'a network places the joints' },
  { group: 'Drafts', shown: 'click', keys: [], what: 'choose one; again, on a joint or its name: accept it' },
  { group: 'Drafts', shown: 'drag', keys: [], what: 'correct, accept the rest' },
  { group: 'Drafts', shown: 'Shift+A Shift+Del', keys: ['Shift+a'], what: 'accept, discard all of this frame', run: () => drafts.acceptAll() },
  { group: 'Look', shown: '+ −', keys: ['+', '='], what: 'zoom (also the wheel); drag the background to pan', run: () => view.zoom(1.25) },
  { group: 'Look', shown: '0 Z', keys: ['0'], what: 'zoom to the whole picture, the chosen one', run: (event) => typeNumber(0, event) },
  { group: 'Look', shown: 'Shift+Z', keys: ['Shift+z'], what: 'zoom in on small poses in doubt, or not', run: toggleZooming },
  { group: 'Look', shown: 'U', keys: ['u'], what: 'brighten a dark picture, or show it as recorded', run: () => light.toggle() },
  { group: 'Look', shown: 'B Shift+B', keys: ['b'], what: 'brighter, darker', run: () => light.change('brightness', 0.25) },
  { group: 'Look', shown: 'D Shift+D', keys: ['d'], what: 'more, less contrast', run: () => light.change('contrast', 0.25) },
  { group: 'Look', shown: 'W Shift+W', keys: ['w'], what: 'fold the panel beside the picture, the lanes', run: () => setShown('side', !state.side) },
  { group: 'Look', shown: 'H', keys: ['h'], what: 'hide the skeletons', run: () => store.update({ hidden: !state.hidden }) },
  { group: 'Look', shown: 'G', keys: ['g'], what: 'ghost of the pose before the correction', run: () => setShown('ghosts', !state.ghosts) },
  { group: 'Look', shown: 'T', keys: ['t'], what: 'joint names', run: () => setShown('names', !state.names) },
  { group: 'Look', shown: 'Shift+T', keys: ['Shift+t'], what: 'the chosen joint over time: x, y, speed, not at all', run: () => setText('trace', NEXT_TRACE[state.trace]) },
  { group: 'Look', shown: 'Shift+G', keys: ['Shift+g'], what: 'trail of the chosen joint', run: () => setShown('trails', !state.trails) },
  { group: 'Look', shown: 'O', keys: ['o'], what: 'scores as size, as colours, not at all', run: () => setText('scores', { size: 'colour', colour: 'off', off: 'size' }[/** @type {'size'} */ (state.scores)]) },
  { group: 'Go', shown: 'Shift+E', keys: ['Shift+e'], what: 'work only on the frames from here to the next Shift+E, then on all again', run: markExcerpt },
  { group: 'Look', shown: '< >', keys: ['<'], what: 'timeline: more, fewer frames (also Ctrl+wheel)', run: () => timeline.zoom(0.5) },
  { group: 'File', shown: 'Ctrl+S', keys: ['Ctrl+s'], what: 'write the labels', run: (event) => event.repeat || state.saving || save() },
  { group: 'File', shown: 'Ctrl+E', keys: ['Ctrl+e'], what: 'export', run: () => showExport(store, queue, onError) },
  { group: 'File', shown: 'Shift+L', keys: ['Shift+l'], what: 'learn from the labels, stop learning', run: learn },
  { group: 'File', shown: 'PgUp PgDn', keys: ['PageUp'], what: 'previous, next video', run: () => openNeighbour(-1) },
  { group: 'File', shown: 'L', keys: ['l'], what: 'videos of the project', run: () => showProject(store, openVideo, onError) },
  { group: 'File', shown: '?', keys: ['?', 'F1'], what: 'this help', run: () => byId('help').showModal() },
];
/** The second keys of the pairs that the help shows together. */
/** @type {import('./keys.js').Binding[]} */
const SECOND_KEYS = /** @type {[string[], (event: KeyboardEvent) => void][]} */ ([
  [['ArrowRight'], nudgeOr(1, 0, () => goTo(state.frame + 1))],
  [['.'], () => goTo(state.frame + 1)],
  [['Shift+ArrowRight'], nudgeOr(10, 0, () => goTo(state.frame + 10))],
  [['ArrowDown'], nudgeOr(0, 1, () => {})],
  [['Shift+ArrowUp'], nudgeOr(0, -10, () => {})],
  [['Shift+ArrowDown'], nudgeOr(0, 10, () => {})],
  [[']', 'Ctrl+ArrowRight'], goToGivenAfter],
  [['End'], () => goTo(Infinity)],
  [['Shift+n'], draftPlan],
  [['Shift+q'], () => exchangeSides(true)],
  [['Shift+Delete'], () => drafts.discard(null)],
  [['Ctrl+y', 'Ctrl+Shift+z'], redo],
  [['-'], () => view.zoom(0.8)],
  [['z'], fitPerson],
  [['Shift+b'], () => light.change('brightness', -0.25)],
  [['Shift+d'], () => light.change('contrast', -0.25)],
  [['Shift+w'], () => setShown('lanes', !state.lanes)],
  [['>'], () => timeline.zoom(2)],
  [['PageDown'], () => openNeighbour(1)],
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => [[String(digit)], (/** @type {any} */ event) => typeNumber(digit, event)]),
]).map(([keys, run]) => ({ group: '', shown: '', what: '', keys, run }));

let leaveByTab = false;
function leaveJoint() {
  leaveByTab = true;
  store.update({ joint: null, draft: null, picked: [] });
}

/** @param {string} key @param {string} value */
function setText(key, value) {
  store.update({ [key]: value });
  localStorage.setItem(key, value);
}

/** @param {KeyboardEvent} event */
function firstKey(event) {
  if (placing.key(event)) return true;
  if (event.key === 'Escape' && state.saving) {
    stopWriting();
    return true;
  }
  if (event.key === 'Tab' && event.target === view.canvas && !leaveByTab && !event.ctrlKey) {
    return stepJoint(event.shiftKey ? -1 : 1);
  }
  return false;
}

/** A target chosen on the page holds in this tab until the command is given another one. */
const targetKey = () => `target instead of ${state.project.target}`;

/** Where one was in this project, for the next start. */
const placeKey = () => `place in ${state.project.key}`;

function prepareControls() {
  /** @type {Record<string, () => void>} */
  const actions = {
    undo,
    redo,
    'add-person': () => placing.begin(null),
    'place-joints': placeMissing,
    'find-people': () => drafts.find(),
    'accept-drafts': () => drafts.acceptAll(),
    'discard-drafts': () => drafts.discard(null),
    'draft-plan': draftPlan,
    'zoom-in': () => view.zoom(1.25),
    'zoom-out': () => view.zoom(0.8),
    'zoom-fit': () => view.fit(),
    'zoom-person': fitPerson,
    'videos-button': () => showProject(store, openVideo, onError),
    'export-button': () => showExport(store, queue, onError),
    'save-button': save,
    'learn-button': learn,
    'help-button': () => byId('help').showModal(),
    'go-label': goToLabel,
    'go-doubt': goToDoubt,
    'do-accept': accept,
    'do-absent': toggleAbsent,
    'do-copy': () => editPerson('copy_nearest'),
    'do-forget': deleteLabel,
    'do-exchange': () => exchangeSides(false),
    'do-exchange-on': () => exchangeSides(true),
    'do-swap': () => askForOther(store, 'swap', submit),
    'do-merge': () => askForOther(store, 'merge', submit),
    'do-split': () => editPerson('split'),
    'do-remove': () => {
      const { person, timeline } = state;
      const lane = timeline?.persons.find((/** @type {any} */ candidate) => candidate.id === person);
      const labels = (lane?.runs ?? []).reduce(
        (/** @type {number} */ sum, /** @type {any} */ [first, last, source]) => sum + (source === 'given' ? last - first + 1 : 0), 0,
      );
      const remove = () => submit({ type: 'remove_person', person });
      if (person !== null) ask(`Remove ${nameOf(state, person)} and ${labels} labels?`, 'Remove', remove);
    },
    play: () => playback.toggle(),
    'step-back': () => goTo(state.frame - 1),
    'step-on': () => goTo(state.frame + 1),
    'given-back': goToGivenBefore,
    'given-on': goToGivenAfter,
    'gap-middle': goToMiddleOfGap,
    'timeline-in': () => timeline.zoom(2),
    'timeline-out': () => timeline.zoom(0.5),
    'light-auto': () => light.toggle(),
    'fold-side': () => setShown('side', !state.side),
    'fold-lanes': () => setShown('lanes', !state.lanes),
    'choose-skeleton': () => askForSkeleton(store, submit),
    'change-skeleton': () => state.video && askForSkeleton(store, submit),
  };
  for (const [id, action] of Object.entries(actions)) {
    byId(id).addEventListener('click', (/** @type {MouseEvent} */ event) => {
      action();
      // After a mouse click the keys act on the picture again.
      if (event.detail > 0 && !document.querySelector('dialog[open]')) view.canvas.focus();
    });
  }
  for (const list of ['people', 'joints']) {
    byId(list).addEventListener('click', (/** @type {MouseEvent} */ event) => {
      if (event.detail > 0) view.canvas.focus();
    });
  }
  for (const input of document.querySelectorAll('input[name=move-mode]')) {
    input.addEventListener('change', () => {
      store.update({ moveMode: /** @type {HTMLInputElement} */ (input).value });
    });
  }
  const field = byId('frame-field');
  const goToField = () => {
    const frame = Number.parseInt(field.value, 10);
    if (Number.isNaN(frame)) field.value = String(state.frame);
    else goTo(frame);
  };
  field.addEventListener('change', goToField);
  field.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Enter' && event.key !== 'Escape') return;
    if (event.key === 'Enter') goToField();
    else field.value = String(state.frame);
    view.canvas.focus();
  });
  byId('speed').addEventListener('change', () => store.update({ speed: Number(byId('speed').value) }));
  const target = byId('target');
  target.addEventListener('change', () => {
    const share = clamp(Number.parseFloat(target.value) || 95, 50, 100) / 100;
    target.value = String(Math.round(1000 * share) / 10);
    sessionStorage.setItem(targetKey(), String(share));
    store.update({ target: share });
  });
  const theme = byId('theme');
  theme.value = localStorage.getItem('theme') ?? 'auto';
  setTheme(theme.value);
  theme.addEventListener('change', () => {
    setTheme(theme.value);
    localStorage.setItem('theme', theme.value);
    drawAll();
  });
  for (const key of ['ghosts', 'names', 'zooming', 'trails']) {
    const box = byId(`show-${key}`);
    box.addEventListener('change', () => setShown(key, box.checked));
  }
  for (const key of ['scores', 'trace']) {
    byId(`show-${key}`).addEventListener('change', () => setText(key, byId(`show-${key}`).value));
  }
  byId('alone-step').addEventListener('change', () => {
    store.update({ step: Math.max(1, Math.round(Number(byId('alone-step').value)) || 10) });
    localStorage.setItem('step', String(state.step));
    showChoices();
  });
  view.canvas.addEventListener('focus', () => {
    leaveByTab = false;
  });
  view.canvas.addEventListener('pointerdown', () => {
    leaveByTab = false;
  });
}

function drawAll() {
  view.redraw();
  timeline.redraw();
  showLegend();
}

function showChoices() {
  for (const key of ['ghosts', 'names', 'zooming', 'trails']) byId(`show-${key}`).checked = state[key];
  for (const key of ['scores', 'trace']) byId(`show-${key}`).value = state[key];
  byId('alone-step').value = String(state.step);
}

function showJointHint() {
  const { joint, picked, alone, placing: isPlacing, video } = state;
  const box = byId('joint-hint');
  const draft = drafts.current;
  box.hidden = !(draft || chosenJoints().length) || isPlacing !== null;
  if (draft) box.textContent = `${drafts.describe(draft)}: A or a click on a joint accepts · a drag corrects and accepts · Del discards`;
  if (picked.length) {
    box.textContent =
      `${picked.length} joints: drag one to move them, a corner to scale, the knob to turn · Esc deselects them`;
  }
  if (joint === null || !video?.skeleton) return;
  const pose = currentPose();
  const placed = pose && pose.source !== 'absent' && isPlaced(pose, video.skeleton.joints.indexOf(joint));
  if (alone) {
    box.textContent = `${readable(joint)} alone: a click places it and goes ${state.step} frames on · Space next doubt · [ ] its labels · J all joints`;
  } else box.textContent = placed
    ? `${readable(joint)}: arrows move it · V visibility · Esc back to frames`
    : `${readable(joint)}: click on the picture to place it · Esc back to frames`;
}

function prepareViews() {
  view.layers = [trailsOf(store), skeletons, selection, drafts, placing];
  prepareFolding(store);
  /** @type {any} */
  let last = {};
  const showSide = oncePerFrame(() => {
    showPeople(store, rename);
    showActions(store);
    showJoints(store, cycleVisibility);
    if (state.person !== last.person) followChosen('people');
    if (state.joint !== last.joint) followChosen('joints');
    last = { ...state };
  });
  const posesShown = ['posesVersion', 'shown', 'person', 'persons', 'joint', 'picked', 'alone'];
  store.watch([...posesShown, 'opened', 'guidance', 'video', 'aliases'], showSide);
  store.watch([...posesShown, 'scores', 'ghosts', 'names', 'hidden', 'trails', 'traced'], () => view.redraw());
  store.watch(['trails'], needPoses);
  store.watch(['shown', 'posesVersion'], () => view.hoverAgain());
  store.watch(['joint', 'draft', 'picked', 'alone', 'person', 'shown', 'placing', 'posesVersion'], showJointHint);
  store.watch(['joint', 'person'], () => {
    if (state.alone && (state.joint === null || state.opened !== state.person)) {
      store.update({ alone: false, opened: null });
    }
  });
  store.watch(['joint', 'person'], announceJoint);
  store.watch(['guidance', 'target', 'learning', 'aliases'], () =>
    showGuidance(store, (frame, person) => {
      byId('doubt-popover').hidePopover();
      visit(frame, person);
    }),
  );
  store.watch(['guidance', 'frame', 'person', 'persons', 'posesVersion', 'timeline', 'video', 'aliases'], () => showNext(store, state.video && labelTour.peek()));
  store.watch(['guidance'], () => {
    if (state.frame === labelWantedAt && labelTour.peek()) goToLabel();
    // Warnings stay until the poses are computed again.
    /** @type {[string, [string, number, number][]][]} */
    const warnings = state.guidance?.warnings ?? [];
    const text = warnings.map(([sentence]) => sentence).join('. ') || null;
    if (!state.guidance?.computing) showState('warnings', text, 'info', warnings.flatMap((warning) => linkPlaces(warning, visit)));
  });
  store.watch(['target'], refreshGuidance);
  store.watch(['learning'], followLearning);
  const transport = ['guidance', 'frame', 'shown', 'video', 'playing', 'progress', 'waiting', 'connection', 'settled', 'revision', 'posesVersion', 'failed'];
  store.watch(transport, () => showTransport(store));
  const header = ['video', 'project', 'canUndo', 'canRedo', 'placing', 'saving', 'written', 'saved', 'revision', 'waiting', 'learning'];
  store.watch(header, () => showHeader(store));
  store.watch(['video'], () => {
    byId('no-skeleton').hidden = Boolean(state.video?.skeleton);
  });
  store.watch(['ghosts', 'names', 'scores', 'zooming', 'trace', 'trails'], showChoices);
  const remember = debounce(() => {
    const place = `#video=${state.video.id}&frame=${state.frame}`;
    history.replaceState(null, '', place);
    localStorage.setItem(placeKey(), place);
  }, 300);
  store.watch(['video', 'frame'], remember);
  store.watch(['connection', 'waiting'], () => {
    const waiting = state.waiting
      ? ` ${state.waiting} edit${state.waiting > 1 ? 's are' : ' is'} kept here and will be sent.`
      : ' All edits are in its journal.';
    const texts = /** @type {Record<string, string|null>} */ ({
      ok: null,
      gone: `The server does not answer; the page keeps trying.${waiting} If it was stopped, start the same command again.`,
      refused: `The server does not know this page: open the address that the command has printed.${waiting}`,
    });
    showState('connection', texts[state.connection], 'bad');
  });
  store.watch(['pages'], () => {
    showState(
      'pages',
      state.pages > 1
        ? `This video is open in ${state.pages} pages. Edits in one are shown in the others.`
        : null,
    );
  });
  onSchemeChange(drawAll);
}

async function start() {
  prepareDialogs();
  prepareMessages(() => {
    const pose = currentPose();
    return pose ? placedJoints(pose).map((joint) => view.toScreen(pose.keypoints[joint][0], pose.keypoints[joint][1])) : [];
  });
  prepareViews();
  prepareControls();
  showBindings(BINDINGS);
  listenToKeys([...BINDINGS, ...SECOND_KEYS], firstKey);
  showChoices();
  showLegend();
  let project;
  try {
    project = await getProject();
  } catch (error) {
    showState('start', error instanceof Error ? error.message : String(error), 'bad');
    return;
  }
  store.update({ project });
  const target = Number(sessionStorage.getItem(targetKey())) || project.target;
  store.update({ target });
  byId('target').value = String(Math.round(1000 * target) / 10);
  const wanted = new URLSearchParams((location.hash || localStorage.getItem(placeKey()) || '').slice(1));
  const usable = project.videos.filter((/** @type {any} */ listed) => listed.state !== 'unavailable');
  const chosen = usable.find((/** @type {any} */ listed) => String(listed.id) === wanted.get('video'));
  if (chosen || project.videos.length === 1) {
    await openVideo((chosen ?? project.videos[0]).id, Number(wanted.get('frame')) || 0);
    if (!document.querySelector('dialog[open]')) view.canvas.focus();
  } else await showProject(store, openVideo, onError);
}

start();
