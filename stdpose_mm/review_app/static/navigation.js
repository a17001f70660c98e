/** Going to another frame, person or video: in doubt, to label, with labels or drafts, by number. */

import { currentJoint, currentPose } from './corrections.js';
import { DoubtTour, LabelTour, middleOfGap, nextDoubtOfJoint, nextGiven, nextUnlabelled } from './guiding.js';
import { announce, say } from './notices.js';
import { fetchGuidance, goByTimeline, goTo, openVideo, visit } from './open_video.js';
import { boundsOf, capital, categoryOf, nameOf, readable } from './poses.js';
import { drafts, onError, skeletons, subjectZoom, view } from './stage.js';
import { choose, state, store } from './state.js';

const NEXT_DIGIT_MS = 1000;

const doubtTour = new DoubtTour(store);
export const labelTour = new LabelTour(store);

export function goToDoubt() {
  if (state.alone) return goToDoubtOfJoint();
  const next = doubtTour.next();
  if (!next && isAdviceToCome() && !state.guidance?.doubtful.length) return goToDoubtOfJoint();
  if (!next) return say(whyNoDoubt());
  visit(next.frame, next.person);
  if (next.draft) return drafts.wantDoubt(next.frame, next.draft);
  announce(`frame ${next.frame}, ${nameOf(state, next.person)}, score ${next.score.toFixed(2)}`);
}

/** Go to a doubt of the chosen joint or, before there is advice, of the chosen person. */
async function goToDoubtOfJoint() {
  const { alone, video } = state;
  try {
    const frame = await nextDoubtOfJoint(store);
    if (state.alone !== alone || state.video.id !== video.id) return;
    if (frame === null) return say(alone ? `${capital(readable(state.joint ?? ''))} is in doubt in no frame` : whyNoDoubt());
    goTo(frame);
    subjectZoom.visit();
  } catch (error) {
    onError(error);
  }
}

/** Review only the chosen joint, or all joints again. */
export function toggleAlone() {
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
    const end = num_doubtful > doubtful.length ? `These were the worst of ${num_doubtful}` : 'No more';
    return `${end} frames in doubt: press Space again to start over`;
  }
  if (isAdviceToCome()) return 'Still looking for frames in doubt: press Space again in a moment';
  return 'No frame is in doubt';
}

/** The frame in which a place to label was asked for before there was advice. */
let labelWantedAt = -1;
export function goToLabel() {
  const next = labelTour.next();
  labelWantedAt = !next && isAdviceToCome() ? state.frame : -1;
  if (labelWantedAt >= 0) fetchGuidance();
  if (!next) return say(labelWantedAt < 0 ? `No frame is suggested${state.persons.length ? '' : ': Shift+N plans the first ones'}` : 'Still looking for a frame to label: the page goes there');
  visit(next.frame, next.person);
  announce(`frame ${next.frame}: ${next.reason}`);
}

export const goToGivenBefore = () => goByTimeline(() => nextGiven(store, -1), 'No given frame before this one');
export const goToGivenAfter = () => goByTimeline(() => nextGiven(store, 1), 'No given frame after this one');
export const goToMiddleOfGap = () => goByTimeline(() => middleOfGap(store), 'There is no gap here');

let typed = { digits: '', time: -Infinity };

/**
 * Choose a person by its number; a digit that follows soon is a further one of the number.
 * 0 shows the whole picture unless it chooses a person.
 */
/** @param {number} digit @param {KeyboardEvent} event */
export function typeNumber(digit, { timeStamp }) {
  const all = (timeStamp - typed.time < NEXT_DIGIT_MS ? typed.digits : '') + digit;
  const begins = (/** @type {string} */ digits) => state.persons.some((/** @type {number} */ id) => String(id).startsWith(digits));
  const digits = begins(all) ? all : String(digit);
  typed = { digits, time: timeStamp };
  const isChosen = state.person === Number(digits) && state.joint === null;
  if (digits === '0' && (isChosen || !state.persons.includes(0))) view.fit();
  else if (state.persons.includes(Number(digits))) store.update({ person: Number(digits), joint: null });
  else if (!begins(digits)) say(`There is no ${categoryOf(state)} ${digits}`);
}

/** @param {number} step to the next video that can be opened, or to the one before */
export function openNeighbour(step) {
  const usable = (state.project?.videos ?? []).filter((listed) => listed.state !== 'unavailable');
  const place = usable.findIndex((listed) => listed.id === state.video?.id) + step;
  if (usable[place]) openVideo(usable[place].id);
  else say(step < 0 ? 'This is the first video' : 'This is the last video');
}

export async function draftPlan() {
  const frame = await drafts.plan();
  if (frame !== null) goTo(frame);
}

/** In proofreading, say that what is doubted is right and go to the next doubt; else go to drafts. */
export function goToDrafts() {
  if (state.video?.proofreading) {
    if (!drafts.confirm()) say('Choose a doubt first: Space goes to the worst one');
    else goToDoubt();
    return;
  }
  const frame = drafts.next();
  if (frame !== null) goTo(frame);
}

export function fitPerson() {
  const pose = currentPose();
  const bounds = pose && boundsOf(pose);
  if (bounds) view.fitBox(bounds);
  else view.fit();
}

export function toggleZooming() {
  choose('zooming', !state.zooming);
  if (!state.zooming) view.fit();
  say(state.zooming ? 'The view zooms in on small poses in doubt' : 'Frames in doubt are shown whole');
}

skeletons.goOn = () =>
  goByTimeline(() => nextUnlabelled(store), 'No frame without a label of this joint is left after this one');
store.watch(['guidance'], () => {
  if (state.frame === labelWantedAt && labelTour.peek()) goToLabel();
});
