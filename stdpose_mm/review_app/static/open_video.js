/** The open video: its opening, the frame that is shown, and what the server tells of it. */

import { getGuidance, getPoses, getVideo, postExcerpt, Refused } from './api.js';
import { Connection } from './connection.js';
import { askForSkeleton, askWhichToKeep } from './dialogs.js';
import { clamp, debounce } from './dom.js';
import { describeEdit, framesOf } from './edits.js';
import { announce, endMessages, say, showState } from './notices.js';
import { shareOf } from './panels.js';
import { Playback } from './playback.js';
import { capital, nameOf, PoseCache, readable } from './poses.js';
import { drafts, onError, PAGE, pictures, placing, queue, submit, subjectZoom, view } from './stage.js';
import { aliasKey, state, store } from './state.js';
import { Timeline } from './timeline.js';
import { TRAIL } from './traces.js';

const GUIDANCE_AGAIN_MS = 500;
const OPEN_AGAIN_MS = 500;

/** @type {(() => void)[]} steps that wait for the timeline of the opened video */
let stepsToCome = [];

export const timeline = new Timeline(store, (frame) => goTo(frame), visit, onError, setMark);
export const playback = new Playback(store, (frame) => goTo(frame, true));
export const refreshGuidance = debounce(fetchGuidance, 250, 1500);

queue.listen({
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

/** @type {string|null} */
let lastFailure = null;

/** Number of the latest request to open a video, and of those to show everything again. */
let [openings, reloads] = [0, 0];
/** Number of times that the server has told what an answer to an earlier request may not know of. */
let told = 0;

const connection = new Connection(
  store,
  PAGE,
  {
    hello: (now) => {
      told++;
      if (Object.entries(now).some(([key, value]) => state[key] !== value)) reload();
    },
    poses: ({ revision, first, last }) => {
      store.update({ revision: Math.max(state.revision, revision) });
      state.poses?.expire(first, last);
      needPoses();
      timeline.refresh();
    },
    progress: (progress) => store.update({ progress, failed: null }),
    idle: ({ revision }) => {
      told++;
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
      timeline.refresh();
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
export function goTo(frame, isPlaying = false) {
  if (!state.video) return;
  stepsToCome = [];
  if (!isPlaying) store.update({ playing: false });
  store.update({ frame: clamp(frame, 0, state.video.frames - 1) });
  needPoses();
}

/** @param {number} frame @param {number|null} person */
export function visit(frame, person) {
  store.update({ person, joint: null });
  goTo(frame);
  subjectZoom.visit();
}

export function needPoses() {
  if (!state.video?.skeleton) return;
  if (state.trails) state.poses.need(Math.max(0, state.frame - TRAIL), 1);
  state.poses.need(state.frame, view.direction);
}

/** @param {number} id @param {number} [frame] @returns {Promise<void>} */
export async function openVideo(id, frame = 0) {
  const opening = ++openings;
  let video;
  try {
    placing.finish();
    queue.flush();
    video = await getVideo(id);
    if (opening !== openings) return;
    showState('opening', null);
  } catch (error) {
    if (opening !== openings) return;
    const isLoading = error instanceof Refused && error.status === 503;
    showState('opening', isLoading ? 'The video is being opened.' : null);
    if (isLoading) {
      await new Promise((wake) => setTimeout(wake, OPEN_AGAIN_MS));
      return opening === openings ? openVideo(id, frame) : undefined;
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
    alone: false, unseen: [], locked: [],
    ...stateOf(video), person: video.persons[0] ?? null,
    aliases: JSON.parse(localStorage.getItem(aliasKey(video)) ?? '{}'),
  });
  view.fit();
  needPoses();
  timeline.refresh();
  refreshGuidance();
  connection.open(id);
  queue.open();
  const skeleton = video.project_skeleton;
  if (!video.skeleton && skeleton) {
    submit({ type: 'set_skeleton', joints: skeleton.joints, limbs: skeleton.limbs, category: skeleton.category });
    say(`This video gets the ${skeleton.joints.length} joints of the project: Ctrl+Z leaves the choice to you`);
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
export async function reload() {
  const { video } = state;
  if (!video) return;
  const [asked, known] = [++reloads, told];
  try {
    const fresh = await getVideo(video.id);
    // A later request brings all that this one does.
    if (state.video.id !== video.id || asked !== reloads) return;
    if (known !== told) return reload();
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

/** Number of the latest request for guidance, and of the latest one that was answered. */
let [guidanceAsked, guidanceShown] = [0, 0];

/** Whether each video was good enough when last judged; null before its accuracy is measured.
 * @type {Map<number, boolean|null>} */
const wasGood = new Map();

export async function fetchGuidance() {
  const { video, target, learning } = state;
  if (!video?.skeleton) return;
  const asked = ++guidanceAsked;
  try {
    const guidance = await getGuidance(video.id, target);
    if (state.video.id !== video.id || state.target !== target || asked < guidanceShown) return;
    guidanceShown = asked;
    // An event since the request is newer than the answer.
    store.update({ guidance, learning: state.learning === learning ? guidance.learning : state.learning });
    if (guidance.computing) {
      setTimeout(refreshGuidance, GUIDANCE_AGAIN_MS);
      return;
    }
    endMessages('Still looking');
    if (guidance.good_enough && guidance.right && wasGood.get(video.id) === false) {
      say(`Good enough: ${shareOf(guidance.right)} of joints are expected to be right`, 'good');
    }
    wasGood.set(video.id, guidance.good_enough || (guidance.measured ? false : null));
  } catch (error) {
    onError(error);
  }
}

/** @param {any} answer @param {any} edit */
function onAnswer(answer, edit) {
  told++;
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
  const message = `${done}: ${describeEdit(of, state)}`;
  const [first, last] = framesOf(of);
  announce(message);
  if (first !== state.frame) say(message);
  const edited = [of.person, of.a, person, state.person].find((id) => persons.includes(id)) ?? null;
  if (first > state.frame || state.frame > last) visit(first, edited);
  else if (edited !== state.person) store.update({ person: edited, joint: null });
}

/**
 * Go to a frame found in the timeline; wait until it has arrived, by joint if needed.
 * @param {() => number|null} find
 * @param {string} none message if there is no such frame
 */
export function goByTimeline(find, none) {
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
export function markExcerpt() {
  if (state.mark === null && state.video?.excerpt) setExcerpt(null);
  else setMark(state.frame);
}
