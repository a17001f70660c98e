/** The panels beside the picture (people, actions on the chosen one, joints), and the guidance. */

import { styleOf, themeColours } from './colours.js';
import { byId, icon, make, renew } from './dom.js';
import {
  capital, categoryOf, DOUBTFUL, isAbsent, isInDoubt, isPlaced, listOrder, nameOf, readable, SOURCES, VISIBILITY,
} from './poses.js';

/** @typedef {import('./store.js').Store} Store */

const MARKS = /** @type {Record<string, string>} */ ({
  given: '●',
  propagated: '○',
  absent: '–',
});

/** @param {number} count @param {string} what */
const counted = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Text that a narrow window leaves out. */
/** @param {string} text */
const wide = (text) => make('span', { class: 'wide' }, text);

/** @param {number} share 0..1 */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Range of the share of right joints within which its middle is shown. */
const NARROW = 0.06;

/** @param {number[]} right lower bound, middle and upper bound of the share of right joints */
export const shareOf = ([low, middle, high]) =>
  high - low <= NARROW ? percent(middle) : `${Math.floor(100 * low)}–${Math.ceil(100 * high)} %`;

/** Number of labels from which learning is advised, to come or, if that is unknown, made: it takes about as long. */
const MANY = 5;

/** @param {any} guidance @param {any} learning @returns {boolean} whether learning may help more than labels */
function isLearningAdvised({ good_enough, labels_needed, labels_made }, learning) {
  const [least, largest] = labels_needed ?? [labels_made, labels_made];
  return Boolean(learning?.worthwhile) && !good_enough && (least >= MANY || largest === null);
}

/** @param {[number, number|null]} needed least and largest number of labels */
function labelsOf([least, largest]) {
  if (largest === null) return 'many more labels';
  if (least === largest) return counted(least, 'more label');
  return `${least ? `${least}–` : 'up to '}${counted(largest, 'more label')}`;
}

/**
 * What is known about the share of right joints: in the bar, and in sentences.
 * @param {any} guidance @returns {[string, string]}
 */
function verdictOf({ right, expected_wrong, computing, good_enough, labels_needed, labels_to_measure, measuring }) {
  if (expected_wrong === null && computing) {
    return ['Judging…', 'Poses are still being computed: until then, frames to label are suggested by the labels alone.'];
  }
  if (expected_wrong === null) return ['Nothing to judge yet', 'Label a frame first.'];
  if (!right) {
    if (measuring && labels_to_measure < 2) return ['Being measured…', 'Labels are hidden and filled in from the others.'];
    const number = Math.max(1, labels_to_measure);
    return [
      `Not known yet · label ${number} more`,
      `How many joints are right cannot be known yet: label ${counted(number, 'more pose')} to measure it.`,
    ];
  }
  const share = shareOf(right);
  if (good_enough) return [`Good enough: ${share} right`, `Good enough: stop here. ${share} of joints are expected to be right.`];
  const more = labels_needed[1] === 0 ? '' : labelsOf(labels_needed);
  return [
    `${share} right${more && ` · ${more}`}`,
    `${share} of joints are expected to be right${more && `; ${more} to go`}.`,
  ];
}


/**
 * Hide or lock a person, or no longer.
 * @param {Store} store @param {string} key `unseen` or `locked` @param {number} person
 */
export function toggle(store, key, person) {
  const people = store.state[key];
  store.update({ [key]: people.includes(person) ? people.filter((/** @type {number} */ id) => id !== person) : [...people, person] });
}

/** @param {Store} store @param {(person: number) => void} rename */
export function showPeople(store, rename) {
  const { state } = store;
  const { persons, person, poses, shown, opened } = state;
  byId('people-empty').hidden = persons.length > 0;
  const category = categoryOf(store.state);
  byId('people-title').textContent = category === 'person' ? 'People' : capital(category);
  renew(
    byId('people'),
    persons.map((/** @type {number} */ id, /** @type {number} */ index) => {
      const pose = poses?.of(shown, id);
      const source = isAbsent(pose) ? 'absent' : (pose?.source ?? 'unknown');
      const swatch = make('span', { class: `swatch ${styleOf(index).shape}` });
      swatch.style.backgroundColor = styleOf(index).colour;
      const isPending = pose?.pending && source !== 'given';
      const status = pose?.sketched ? 'straight line so far' : isPending ? 'recomputing' : pose && isInDoubt(pose) ? 'in doubt' : source;
      const choose = make(
        'button',
        {
          class: 'row-main',
          'aria-pressed': String(id === person),
          dataset: { key: `person ${id}` },
          title: 'Double-click to name',
          onclick: (/** @type {any} */ { detail }) => (detail === 2 ? rename(id) : store.update({ person: id, joint: null })),
        },
        make('kbd', {}, String(id)),
        swatch,
        make('span', { class: 'row-name' }, capital(nameOf(store.state, id))),
        make(
          'span',
          { class: `source ${source}`, title: pose ? status : '' },
          pose ? `${MARKS[source]} ${status}` : '…',
        ),
      );
      const isOpen = opened === id;
      const lane = make(
        'button',
        {
          class: 'quiet',
          'aria-expanded': String(isOpen),
          'aria-label': `Joints of ${nameOf(store.state, id)} in the timeline`,
          title: 'Show the joints in the timeline',
          dataset: { key: `lane ${id}` },
          onclick: () => store.update({ opened: isOpen ? null : id }),
        },
        isOpen ? '▾' : '▸',
      );
      const marks = [['hide', 'unseen'], ['lock', 'locked']].map(([what, key]) =>
        make(
          'button',
          {
            class: 'quiet',
            'aria-pressed': String(state[key].includes(id)),
            'aria-label': `${capital(what)} ${nameOf(state, id)}`,
            title: `${capital(what)} (Shift+${what === 'hide' ? 'H' : 'K'} for the chosen one)`,
            dataset: { key: `${what} ${id}` },
            onclick: () => toggle(store, key, id),
          },
          icon(what),
        ),
      );
      return make('li', { class: id === person ? 'row chosen' : 'row' }, lane, choose, make('span', { class: 'marks' }, ...marks));
    }),
  );
}

/** @param {Store} store */
export function showActions(store) {
  const { person, poses, shown } = store.state;
  const pose = poses?.of(shown, person);
  byId('actions').hidden = person === null;
  byId('actions-title').textContent =
    person === null ? '' : `${capital(nameOf(store.state, person))} in frame ${Math.max(0, shown)}`;
  const isGone = isAbsent(pose);
  byId('do-absent').querySelector('span').textContent = isGone ? 'Present again' : 'Absent from here';
  byId('do-accept').disabled = !pose || isGone || (pose.source === 'given' && !pose.sources.includes('p'));
}

/** @param {Store} store @param {(joint: string) => void} cycle */
export function showJoints(store, cycle) {
  const { person, joint, poses, shown, video } = store.state;
  const skeleton = video?.skeleton;
  const pose = poses?.of(shown, person);
  byId('joints-box').hidden = !skeleton || person === null;
  if (!skeleton || person === null) return;
  const middle = skeleton.flip.filter((/** @type {number} */ m, /** @type {number} */ j) => m === j).length;
  renew(
    byId('joints'),
    listOrder(skeleton).map((index, place) => {
      const name = skeleton.joints[index];
      // After an odd number of middle joints a place stays free, so that pairs are side by side.
      const isWide = place === middle - 1 && middle % 2 === 1;
      const isShown = pose && pose.source !== 'absent' && isPlaced(pose, index);
      const letter = pose?.source === 'absent' || !pose ? 'a' : pose.sources[index];
      const source = isShown ? SOURCES[letter] : 'absent';
      const [, , visibility, score] = isShown ? pose.keypoints[index] : [0, 0, 0, 0];
      const fill = make('div');
      fill.style.width = `${100 * (isShown ? score : 0)}%`;
      const bar = make('span', { class: isShown && score < DOUBTFUL ? 'score low' : 'score' }, fill);
      const choose = make(
        'button',
        {
          class: 'row-main',
          'aria-pressed': String(name === joint),
          title: isShown
            ? `${readable(name)}: ${source}, ${VISIBILITY[visibility]}, score ${score.toFixed(2)}`
            : `${readable(name)}: ${VISIBILITY[0]}; choose it and click on the picture to place it`,
          dataset: { key: `joint ${name}` },
          onclick: () => store.update({ joint: name === joint ? null : name }),
        },
        make('span', { class: `source ${source}`, 'aria-label': source }, MARKS[source]),
        make('span', { class: 'row-name' }, readable(name)),
        bar,
      );
      const eye = make(
        'button',
        {
          class: 'quiet',
          'aria-label': `${readable(name)} is ${VISIBILITY[visibility]}; change`,
          title: `${VISIBILITY[visibility]}: click to change (V)`,
          dataset: { key: `eye ${name}` },
          disabled: !isShown,
          onclick: () => cycle(name),
        },
        ['·', '◐', '◉'][visibility],
      );
      return make(
        'li',
        { class: `row${name === joint ? ' chosen' : ''}${isWide ? ' wide' : ''}` },
        choose,
        eye,
      );
    }),
  );
}

/** Bring what is chosen in a list into view. */
/** @param {'people'|'joints'} list */
export function followChosen(list) {
  const chosen = byId(list).querySelector('.chosen');
  if (chosen && !chosen.contains(document.activeElement)) chosen.scrollIntoView({ block: 'nearest' });
}

/**
 * A warning as a sentence in which the labels that it names are buttons.
 * @param {[string, [string, number, number][]]} warning the sentence; words, frame and person of the labels, in its order
 * @param {(frame: number, person: number) => void} go
 * @returns {(Node|string)[]}
 */
export function linkPlaces([text, places], go) {
  const parts = places.flatMap(([words, frame, person]) => {
    const start = text.indexOf(words);
    const before = text.slice(0, start);
    text = text.slice(start + words.length);
    return [before, make('button', { class: 'link', onclick: () => go(frame, person) }, words)];
  });
  return [...parts, `${text}. `];
}

/** @param {Store} store @param {(frame: number, person: number|null) => void} go */
export function showGuidance(store, go) {
  const { guidance, target, learning } = store.state;
  const bar = byId('guidance');
  byId('counts').textContent = guidance
    ? `${counted(guidance.labels_made, 'label')} made · ${counted(guidance.clicks, 'click')}`
    : '';
  bar.classList.toggle('good', Boolean(guidance?.good_enough));
  const meter = byId('right-meter');
  meter.hidden = !guidance?.right;
  if (guidance) {
    const [verdict, whole] = store.state.video?.proofreading
      ? [`${counted(guidance.num_doubtful, 'doubt')} left`, 'Space goes to the worst one, A accepts what is proposed, Y says that it is right as it is.']
      : verdictOf(guidance);
    const { labels_judged, labels_made } = guidance;
    const isOld = guidance.computing && labels_judged !== labels_made && guidance.right;
    const age = isOld ? ` as of ${counted(labels_judged, 'label')}` : '';
    const isAdvised = isLearningAdvised(guidance, learning);
    const short = isAdvised ? `${verdict.replace(/ right| labels?$/g, '')}, or learn` : verdict;
    byId('verdict').textContent = isOld ? `${shareOf(isOld)} right ·${age}` : short;
    byId('verdict-whole').textContent = `${whole}${age && ` This is${age}: the latest poses are still being computed.`}` +
      (isAdvised ? ' Learning from the labels may help more: it takes some minutes, while you go on (Shift+L).' : '');
    byId('learn-button').classList.toggle('advised', isAdvised);
    const right = 100 * (guidance.right?.[1] ?? 0);
    byId('right-fill').style.width = `${right}%`;
    byId('right-target').style.left = `${100 * target}%`;
    meter.setAttribute('aria-valuenow', right.toFixed(1));
  } else byId('verdict').textContent = 'Judging…';
  byId('draft-plan').hidden = byId('draft-source').hidden = Boolean(store.state.video?.proofreading);
  const { source, find_refused, networks = [], chosen = '' } = guidance?.drafts ?? {};
  const choice = byId('draft-network');
  choice.parentElement.hidden = !networks.length;
  renew(choice, ['', ...networks].map((name) => make('option', { value: name }, name || 'learned here, else as given')));
  choice.value = chosen;
  byId('draft-source').textContent = guidance ? (source ? `Drafts come from ${source}.` : capital(`${find_refused ?? 'drafts come from the given poses'}.`)) : '';
  const doubtful = guidance?.doubtful ?? [];
  byId('doubt-count').textContent = String(guidance?.num_doubtful ?? 0);
  byId('go-doubt').disabled = !doubtful.length;
  renew(byId('doubt-list'), [
    ...(doubtful.length ? [] : [make('li', {}, 'No frame is in doubt')]),
    ...doubtful.slice(0, 40).map((check) =>
      make(
        'li',
        {},
        make(
          'button',
          { class: 'quiet', onclick: () => go(check.frame, check.person) },
          check.draft
            ? `${nameOf(store.state, check.person)}: ${check.reason}`
            : `frame ${check.frame} · ${nameOf(store.state, check.person)} · score ${check.score.toFixed(2)}`,
        ),
      ),
    ),
  ]);
}

/** @param {Store} store @param {import('./messages.js').Place|null} next */
export function showNext(store, next) {
  byId('go-label').disabled = !next;
  byId('next-what').textContent = next ? `frame ${next.frame}${next.person === null ? '' : `, ${nameOf(store.state, next.person)}`}` : 'none';
  byId('go-label').title = next ? `${next.reason} (N; Enter accepts the pose first)` : 'Next frame to label (N)';
}

/** @param {Store} store */
export function showLearning(store) {
  const { learning } = store.state;
  const { running, stopping, done = 0, left, right, refused, message, labels } = learning ?? {};
  const button = byId('learn-button');
  button.replaceChildren(
    ...(running ? [stopping ? 'Stopping…' : 'Stop learning'] : ['Learn', wide(' from labels')]),
  );
  button.disabled = !learning || (!running && refused !== null);
  const history = labels ? `. The network in use has learned from ${counted(labels, 'label')}` : '';
  const why = running
    ? `End the training and ${stopping ? 'keep no network' : 'keep the best network so far'}`
    : (refused ?? 'Train a network on the labels of this project while you continue');
  button.title = `${why} (Shift+L)${message && !running ? `. Last time: ${message}` : history}`;
  byId('learn-progress').hidden = !running;
  byId('learn-progress').value = done;
  const accuracy = typeof right === 'number' ? `, finds ${percent(right)}` : '';
  // At the end, hidden labels are filled in without and with the network, which takes a while.
  const share = done < 1 ? `${Math.floor(100 * done)} %${left ? `, ${left} left` : ''}` : 'comparing';
  byId('learn-found').textContent = running ? `${share}${accuracy}` : '';
  byId('learn-found').title = 'Progress, the time that is left at this pace, and the share of joints of hidden labels that the network finds';
}

/** @param {Store} store */
export function showTransport(store) {
  const { video, frame, shown, playing, progress, connection, waiting, settled, revision, guidance, failed } =
    store.state;
  if (!video) return;
  const field = byId('frame-field');
  if (document.activeElement !== field) field.value = String(frame);
  field.max = String(video.frames - 1);
  byId('last-frame').textContent = `/ ${video.frames - 1}`;
  const seconds = video.times?.[frame] ?? (video.fps && frame / video.fps);
  byId('time').textContent = seconds === null ? '' : `${seconds.toFixed(2)} s`;
  const play = byId('play');
  play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
  play.querySelector('use').setAttribute('href', playing ? '#icon-pause' : '#icon-play');
  const canvas = byId('picture');
  const drafts = store.state.poses?.draftsAt(shown).length;
  canvas.dataset.shown = String(shown);
  canvas.setAttribute('aria-label', `Picture of frame ${shown} of ${video.name}${drafts ? `, ${counted(drafts, 'draft')}` : ''}`);
  const slider = byId('timeline');
  slider.setAttribute('aria-valuemax', String(video.frames - 1));
  slider.setAttribute('aria-valuenow', String(frame));
  slider.setAttribute('aria-valuetext', `frame ${frame} of ${video.frames - 1}`);
  const measured = guidance?.measured;
  byId('measured').textContent = measured
    ? `${percent(measured.right)} right in ${counted(measured.labels, 'hidden label')} ·`
    : '';
  byId('measured').title = measured?.text ?? '';
  let status = 'All poses are up to date';
  if (connection !== 'ok') status = 'No server';
  else if (waiting) status = `Sending ${waiting} edit${waiting > 1 ? 's' : ''}`;
  else if (failed && settled < revision) status = 'Recomputing has stopped';
  else if (progress && progress.done < progress.of) {
    status = `Recomputing: ${Math.floor(progress.done)} of ${progress.of} frames`;
  } else if (settled < revision) status = 'Recomputing the gaps that changed';
  byId('status').textContent = status;
  byId('status').title = failed ?? status;
  byId('status').classList.toggle('busy', settled < revision || waiting > 0);
  const bar = byId('progress');
  bar.hidden = settled >= revision || !progress;
  if (progress) {
    bar.max = progress.of;
    bar.value = progress.done;
  }
}

/** @param {import('./poses.js').State} state @returns {boolean} whether edits are not in the output file */
export function isUnsaved({ revision, saved, waiting }) {
  return waiting > 0 || revision > (saved ?? 0);
}

/** @param {Store} store */
export function showHeader(store) {
  const { video, canUndo, canRedo, project, placing, saving, saved, written, learning } = store.state;
  byId('undo').disabled = !canUndo && !placing;
  byId('redo').disabled = !canRedo;
  byId('video-name').textContent = video?.name ?? 'Choose a video';
  byId('videos-button').title = `${counted(project?.videos.length ?? 0, 'video')} of this project`;
  document.title = video ? `${video.name} · review` : 'Review';
  const save = byId('save-button');
  const unsaved = isUnsaved(store.state);
  const { excerpt } = video ?? {};
  const done = written === null ? '' : ` ${Math.floor(100 * written)} %`;
  save.replaceChildren(...(saving ? [`Writing…${done}`] : ['Write', wide(' labels'), unsaved ? ' •' : '']));
  const lacks = saved === -1 ? 'poses that are shown now' : 'the latest edits';
  save.title = saving
    ? 'Stop writing: the file stays as it was (Esc)'
    : `Write the labels${excerpt ? `, and the poses of frames ${excerpt.join(' to ')},` : ''} to the output file (Ctrl+S)` +
      `${unsaved ? `: it lacks ${lacks}` : ''}`;
  const learned = learning?.labels ? `, learned from ${counted(learning.labels, 'label')}` : '';
  byId('method').textContent = `${video?.method ?? ''}${learned}`;
}

/** Draw the colour samples of the legend in the colours of the theme. */
export function showLegend() {
  byId('legend-doubt').style.backgroundColor = themeColours().doubt;
}
