/** What each key does: the table that the keyboard acts by, and that the help shows. */

import {
  accept, currentPose, cycleVisibility, deleteLabel, editPerson, exchangeSides, nudgeOr, placeMissing, redo, rename, stepJoint, toggleAbsent, undo,
} from './corrections.js';
import { askForOther, showExport, showProject } from './dialogs.js';
import { byId } from './dom.js';
import { learn, save, stopWriting } from './jobs.js';
import { actionsByKey, withOwnKeys } from './keys.js';
import {
  draftPlan, fitPerson, goToDoubt, goToDrafts, goToGivenAfter, goToGivenBefore, goToLabel, goToMiddleOfGap, openNeighbour, toggleAlone,
  toggleZooming, typeNumber,
} from './navigation.js';
import { goTo, markExcerpt, openVideo, playback, timeline } from './open_video.js';
import { toggle } from './panels.js';
import { exchangeViews, showNextCamera } from './second_view.js';
import { drafts, light, onError, placing, queue, submit, view } from './stage.js';
import { choose, state, store } from './state.js';
import { NEXT_TRACE } from './traces.js';

/** @param {KeyboardEvent} event */
function acceptAndGoOn(event) {
  // A key that is held down, or is faster than the pictures, accepts nothing unseen.
  if (event.repeat || state.shown !== state.frame) return;
  if (state.video?.proofreading) {
    if (accept() !== false) goToDoubt();
    return;
  }
  const pose = currentPose();
  const draft = drafts.current;
  const isDone = !draft && pose?.source === 'given' && !pose.sources.includes('p');
  if (!isDone && accept() === false) return;
  // Further drafts of the frame come first, and joints that the accepted one has left empty.
  if (!draft || !(drafts.current || drafts.isAsking)) goToLabel();
}

/** @type {Record<string, import('./keys.js').Action>} */
const DIGITS = Object.fromEntries(
  [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => [digit, (/** @type {KeyboardEvent} */ event) => typeNumber(digit, event)]),
);

/** @type {import('./keys.js').Bindings} */
export const BINDINGS = {
  Go: [
    ['← →', 'previous, next frame (if no joint is chosen)', { ArrowLeft: nudgeOr(-1, 0, () => goTo(state.frame - 1)), ArrowRight: nudgeOr(1, 0, () => goTo(state.frame + 1)) }],
    [', .', 'previous, next frame (always)', { ',': () => goTo(state.frame - 1), '.': () => goTo(state.frame + 1) }],
    ['Shift+← Shift+→', 'ten frames back, forward', { 'Shift+ArrowLeft': nudgeOr(-10, 0, () => goTo(state.frame - 10)), 'Shift+ArrowRight': nudgeOr(10, 0, () => goTo(state.frame + 10)) }],
    ['[ ]', 'previous, next given frame', { '[ Ctrl+ArrowLeft': goToGivenBefore, '] Ctrl+ArrowRight': goToGivenAfter }],
    ['Space', 'next frame in doubt, worst first', { Space: goToDoubt }],
    ['N', 'next frame to label', { n: goToLabel }],
    ['Y', 'next frame with drafts; in proofreading: right as it is, and the next doubt', { y: goToDrafts }],
    ['M', 'middle of the gap', { m: goToMiddleOfGap }],
    ['Home End', 'first, last frame', { Home: () => goTo(0), End: () => goTo(Infinity) }],
    ['F', 'type a frame number', { f: () => byId('frame-field').select() }],
    ['P', 'play, pause', { p: () => playback.toggle() }],
    ['Shift+E', 'work only on the frames from here to the next Shift+E, then on all again', { 'Shift+e': markExcerpt }],
  ],
  Choose: [
    ['1 … 9', 'a person by its number, digit by digit', DIGITS],
    ['Tab Shift+Tab', 'next, previous joint (on the picture)'],
    ['Esc', 'no joint (Tab then leaves the picture)', { Escape: leaveJoint }],
    ['Ctrl+click Ctrl+drag', 'several joints, one by one or in a box; then drag one of them (move), the knob (turn) or a corner (scale)'],
    ['J', 'this joint alone: a click places it and goes on, Space goes to its doubts, [ and ] to its labels', { j: toggleAlone }],
  ],
  Identities: [
    ['I', 'add one', { i: () => placing.begin(null) }],
    ['S', 'swap with another from here on, or up to a frame', { s: () => askForOther(store, 'swap', submit) }],
    ['E', 'merge into another; give a draft to another, or join two', { e: () => (drafts.current ? drafts.askForPerson() : askForOther(store, 'merge', submit)) }],
    ['F2', 'name the chosen one', { F2: () => state.person !== null && rename(state.person) }],
    ['Shift+H Shift+K', 'hide, lock the chosen one', { 'Shift+h': () => toggleChosen('unseen'), 'Shift+k': () => toggleChosen('locked') }],
    ['K', 'split: a new one from here on', { k: () => editPerson('split') }],
  ],
  Correct: [
    ['drag', 'move a joint'],
    ['Shift+drag', 'move a joint and the limb below it'],
    ['Alt+drag', 'move the whole pose (also Ctrl, on a joint)'],
    ['← → ↑ ↓', 'move the chosen joints by one pixel (Shift: ten)', { ArrowUp: nudgeOr(0, -1, () => {}), ArrowDown: nudgeOr(0, 1, () => {}), 'Shift+ArrowUp': nudgeOr(0, -10, () => {}), 'Shift+ArrowDown': nudgeOr(0, 10, () => {}) }],
    ['V', 'joint visible, occluded, not labelled, visible again', { v: () => cycleVisibility() }],
    ['A', 'accept the pose, or the draft', { a: accept }],
    ['Enter', 'accept it, and go to the next frame to label', { Enter: acceptAndGoOn }],
    ['X', 'absent from here on, present again', { x: toggleAbsent }],
    ['C', 'copy the nearest given pose', { c: () => editPerson('copy_nearest') }],
    ['Del', 'delete the label (of the joint), or the draft', { 'Delete Backspace': deleteLabel }],
    ['Q Shift+Q', 'exchange left and right (of the chosen joints): here, from here on', { q: () => exchangeSides(false), 'Shift+q': () => exchangeSides(true) }],
    ['R', 'place joints one after another', { r: placeMissing }],
    ['B', 'while joints are placed: the others, as in the most similar label'],
    ['Ctrl+Z Ctrl+Y', 'undo, redo (also Ctrl+Shift+Z)', { 'Ctrl+z': undo, 'Ctrl+y Ctrl+Shift+z': redo }],
  ],
  Drafts: [
    ['Shift+I Shift+N', 'find everybody here, in the plan', { 'Shift+i': () => drafts.find(), 'Shift+n': draftPlan }],
    ['I box', 'a network places the joints, or they are placed as in the most similar label'],
    ['click', 'choose one; again, on a joint or its name: accept it'],
    ['drag', 'correct, accept the rest'],
    ['Shift+A Shift+Del', 'accept, discard all of this frame', { 'Shift+a': () => drafts.acceptAll(), 'Shift+Delete': () => drafts.discard(null) }],
  ],
  Look: [
    ['+ −', 'zoom (also the wheel); drag the background to pan', { '+ =': () => view.zoom(1.25), '-': () => view.zoom(0.8) }],
    ['0 Z', 'zoom to the whole picture (if somebody has the number 0: once more), the chosen one', { '0': (event) => typeNumber(0, event), z: fitPerson }],
    ['Shift+Z', 'zoom in on small poses in doubt, or not', { 'Shift+z': toggleZooming }],
    ['U', 'brighten a dark picture, or show it as recorded', { u: () => light.toggle() }],
    ['B Shift+B', 'brighter, darker', { b: () => light.change('brightness', 0.25), 'Shift+b': () => light.change('brightness', -0.25) }],
    ['D Shift+D', 'more, less contrast', { d: () => light.change('contrast', 0.25), 'Shift+d': () => light.change('contrast', -0.25) }],
    ['W Shift+W', 'fold the panel beside the picture, the lanes', { w: () => choose('side', !state.side), 'Shift+w': () => choose('lanes', !state.lanes) }],
    ['H', 'hide the skeletons', { h: () => store.update({ hidden: !state.hidden }) }],
    ['G', 'ghost of the pose before the correction', { g: () => choose('ghosts', !state.ghosts) }],
    ['T', 'joint names', { t: () => choose('names', !state.names) }],
    ['Shift+T', 'the chosen joint over time: x, y, speed, not at all', { 'Shift+t': () => choose('trace', NEXT_TRACE[state.trace]) }],
    ['Shift+G', 'trail of the chosen joint', { 'Shift+g': () => choose('trails', !state.trails) }],
    ['O', 'scores as size, as colours, not at all', { o: () => choose('scores', { size: 'colour', colour: 'off', off: 'size' }[/** @type {'size'} */ (state.scores)]) }],
    ['< >', 'timeline: more, fewer frames (also Ctrl+wheel)', { '<': () => timeline.zoom(0.5), '>': () => timeline.zoom(2) }],
  ],
  File: [
    ['Ctrl+S', 'write the labels', { 'Ctrl+s': (event) => event.repeat || state.saving || save() }],
    ['Ctrl+E', 'export', { 'Ctrl+e': () => showExport(store, queue, onError) }],
    ['Shift+L', 'learn from the labels, stop learning', { 'Shift+l': learn }],
    ['Shift+V Shift+C', 'another camera beside the picture, or none; exchange the two', { 'Shift+v': showNextCamera, 'Shift+c': exchangeViews }],
    ['PgUp PgDn', 'previous, next video', { PageUp: () => openNeighbour(-1), PageDown: () => openNeighbour(1) }],
    ['L', 'videos of the project', { l: () => showProject(store, openVideo, onError) }],
    ['?', 'this help', { '? F1': () => byId('help').showModal() }],
  ],
};

/** What each key does, by its name as an event has it. */
export const ACTIONS = actionsByKey(BINDINGS);

/** @returns what each key does, the user's own ones, too */
let actionsNow = () => ACTIONS;
export const currentActions = () => actionsNow();

/** @param {string} text a file with keys of the user's own, as JSON */
export function useOwnKeys(text) {
  const actions = withOwnKeys(ACTIONS, JSON.parse(text));
  actionsNow = () => actions;
}

/** @param {string} key */
const toggleChosen = (key) => state.person !== null && toggle(store, key, state.person);

let leaveByTab = false;
function leaveJoint() {
  leaveByTab = true;
  store.update({ joint: null, draft: null, picked: [] });
}

/** @param {KeyboardEvent} event */
export function firstKey(event) {
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

for (const event of ['focus', 'pointerdown']) {
  view.canvas.addEventListener(event, () => {
    leaveByTab = false;
  });
}
