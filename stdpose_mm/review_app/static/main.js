/** Puts the page together: connects the state with what shows it, and opens the first video. */

import { getProject } from './api.js';
import { BINDINGS, currentActions, firstKey } from './bindings.js';
import { onSchemeChange } from './colours.js';
import { CHECKED, CHOSEN, drawAll, prepareControls, showChoices } from './controls.js';
import { announceJoint, chosenJoints, currentPose, cycleVisibility, rename } from './corrections.js';
import { prepareDialogs, showProject } from './dialogs.js';
import { byId, debounce, oncePerFrame } from './dom.js';
import { prepareFolding } from './folding.js';
import { followLearning } from './jobs.js';
import { listenToKeys, showBindings } from './keys.js';
import { labelTour } from './navigation.js';
import { prepareMessages, showState } from './notices.js';
import { needPoses, openVideo, refreshGuidance, visit } from './open_video.js';
import {
  followChosen, linkPlaces, showActions, showGuidance, showHeader, showJoints, showLegend, showNext, showPeople, showTransport,
} from './panels.js';
import { isPlaced, placedJoints, readable } from './poses.js';
import { drafts, onError, view } from './stage.js';
import { state, store, targetKey } from './state.js';

/** Where one was in this project, for the next start. */
const placeKey = () => `place in ${state.project.key}`;

function showJointHint() {
  const { joint, picked, alone, placing: isPlacing, video } = state;
  const box = byId('joint-hint');
  const draft = drafts.current;
  box.hidden = !(draft || chosenJoints().length) || isPlacing !== null;
  if (draft) box.textContent = `${drafts.describe(draft)} · ${drafts.keysOf(draft)}`;
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
  store.watch([...posesShown, 'opened', 'guidance', 'video', 'aliases', 'unseen', 'locked'], showSide);
  store.watch([...posesShown, 'scores', 'ghosts', 'names', 'hidden', 'trails', 'traced', 'unseen', 'colours'], () => view.redraw());
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
  store.watch([...CHECKED, ...CHOSEN], showChoices);
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
  listenToKeys(currentActions, firstKey);
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
  const usable = project.videos.filter((listed) => listed.state !== 'unavailable');
  const chosen = usable.find((listed) => String(listed.id) === wanted.get('video'));
  if (chosen || project.videos.length === 1) {
    await openVideo((chosen ?? project.videos[0]).id, Number(wanted.get('frame')) || 0);
    if (!document.querySelector('dialog[open]')) view.canvas.focus();
  } else await showProject(store, openVideo, onError);
}

start();
