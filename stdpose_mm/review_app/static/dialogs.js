/** Dialogs: the project's videos, export, identities, the skeleton of an unlabelled video. */

import { endWriting, findVideos, getProject, postExport, Refused, ServerGone } from './api.js';
import { themeColours } from './colours.js';
import { byId, make } from './dom.js';
import { describeEdit } from './edits.js';
import { announce, say } from './notices.js';
import { capital, layInBox, nameOf } from './poses.js';

/** @typedef {import('./store.js').Store} Store */

/** Time after which the list of videos is fetched again while some are being opened. */
const AGAIN_MS = 1000;

/** Let close buttons, and clicks beside a dialog, close it. */
export function prepareDialogs() {
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog && !dialog.dataset.needed) dialog.close();
    });
    dialog.querySelector('.close')?.addEventListener('click', () => dialog.close());
  }
}

/**
 * @param {Store} store
 * @param {(video: number) => void} open
 * @param {(error: unknown) => void} onError
 * @param {boolean} [isAgain] whether it is shown already, so that no further videos are looked for
 */
export async function showProject(store, open, onError, isAgain = false) {
  try {
    if (!isAgain) await findVideos().catch(onError);
    store.update({ project: await getProject() });
  } catch (error) {
    onError(error);
  }
  const { project, video } = store.state;
  byId('project-name').textContent = project.name;
  byId('videos').replaceChildren(
    ...project.videos.flatMap((listed) => {
      const onclick = () => {
        byId('project').close();
        open(listed.id);
      };
      const choose = make('button', { class: 'link', disabled: listed.state === 'unavailable', onclick }, listed.name);
      if (listed.id === video?.id) choose.setAttribute('aria-current', 'true');
      const counts = [listed.frames, listed.people, listed.labels].map((count) => make('td', { class: 'number' }, String(count ?? '')));
      const badge = make('span', { class: `badge ${listed.state.replaceAll(' ', '-')}` }, listed.state);
      const row = make('tr', {}, make('th', { scope: 'row' }, choose), ...counts, make('td', {}, badge));
      // A long reason has a row of its own, lest it squeezes the columns.
      const reason = make('td', { class: 'reason', colSpan: 5 }, listed.error ?? '');
      return listed.error ? [row, make('tr', {}, reason)] : [row];
    }),
  );
  const dialog = byId('project');
  if (!dialog.open) dialog.showModal();
  if (!project.videos.some((listed) => listed.state === 'loading')) return;
  setTimeout(() => {
    if (dialog.open) showProject(store, open, onError, true);
  }, AGAIN_MS);
}

/**
 * Make an entry of a list of choices.
 * @param {string} name
 * @param {string} detail
 * @param {Record<string, unknown>} properties of its button
 * @param {Node[]} more
 */
const choice = (name, detail, properties, ...more) =>
  make('li', {}, make('button', { class: 'format', ...properties }, make('span', {}, name), make('code', {}, detail), ...more));

/**
 * @param {Store} store
 * @param {import('./edits.js').EditQueue} queue
 * @param {(error: unknown) => void} onError
 */
export function showExport(store, queue, onError) {
  const { project, video } = store.state;
  if (!video) return;
  byId('formats').replaceChildren(
    ...Object.entries(project.formats).map(([format, { ending, needs }]) => {
      const onclick = (/** @type {Event} */ event) => {
        const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
        button.disabled = true;
        exportAs(video.id, format, queue, onError).finally(() => {
          button.disabled = false;
        });
      };
      const title = needs && `This needs ${needs}`;
      return choice(format, ending, { onclick, dataset: { format }, disabled: Boolean(needs), title });
    }),
  );
  byId('export-rate-label').hidden = video.fps !== null;
  byId('export').showModal();
}

/**
 * @param {number} video
 * @param {string} format
 * @param {import('./edits.js').EditQueue} queue
 * @param {(error: unknown) => void} onError
 */
async function exportAs(video, format, queue, onError) {
  let isWriting = true;
  const stop = () => endWriting(video, () => isWriting).catch(onError);
  try {
    await queue.drained();
    // Closing the dialog stops the export; afterwards there is nothing to stop.
    byId('export').addEventListener('close', stop, { once: true });
    byId('export-result').textContent = 'Writing… Esc stops it.';
    const [tolerance, rate] = ['tolerance', 'rate'].map((name) => Number.parseFloat(byId(`export-${name}`).value) || null);
    const { name, notes, blob } = await postExport(video, {
      format,
      given_only: byId('export-given').checked,
      // CVAT draws straight lines between key frames; without a tolerance every frame is one.
      cvat_tolerance: tolerance,
      rate,
    });
    const address = URL.createObjectURL(blob);
    make('a', { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    byId('export-result').textContent = `The browser saves ${name}.${notes && ` Note: ${notes}.`}`;
    announce(`${name} was exported`);
  } catch (error) {
    const isGone = error instanceof ServerGone || (error instanceof Refused && error.status === 403);
    if (isGone || !(error instanceof Error)) onError(error);
    else byId('export-result').textContent = error.message;
  } finally {
    isWriting = false;
    byId('export').removeEventListener('close', stop);
  }
}

const WHO = /** @type {Record<string, {title: string, text: string, verb: string}>} */ ({
  swap: {
    title: 'Swap identities',
    text: 'The two exchange their poses from this frame on, up to the frame below.',
    verb: 'Swap',
  },
  merge: {
    title: 'Merge identities',
    text: 'The labels of this one become labels of the other one; no frame may have labels of both.',
    verb: 'Merge',
  },
});

/**
 * Ask for one of several choices.
 * @param {{title: string, text: string, verb: string, choices: string[]}} question
 * @param {(choice: number) => void} action called with the place of the choice
 */
export function askWhich({ title, text, verb, choices }, action) {
  byId('other-title').textContent = title;
  byId('other-text').textContent = text;
  byId('other-choice').replaceChildren(...choices.map((choice, place) => make('option', { value: String(place) }, choice)));
  byId('other-until').hidden = byId('other-last').disabled = true;
  const confirm = byId('other-confirm');
  confirm.textContent = verb;
  // The form's method closes the dialog.
  confirm.form.onsubmit = () => action(Number(byId('other-choice').value));
  byId('other-choice').onkeydown = (/** @type {KeyboardEvent} */ { key }) => key === 'Enter' && confirm.click();
  byId('other').showModal();
  // If there is no choice to make, Enter confirms.
  byId(choices.length > 1 ? 'other-choice' : 'other-confirm').focus();
}

/**
 * Ask for the other person of a swap or a merge.
 * @param {Store} store
 * @param {'swap'|'merge'} what
 * @param {(edit: import('./messages.js').Edit) => void} submit
 */
export function askForOther(store, what, submit) {
  const { person, persons, shown, video } = store.state;
  const others = persons.filter((/** @type {number} */ other) => other !== person);
  if (person === null || !others.length) {
    say(`To ${what}, choose one of at least two`);
    return;
  }
  const { title, text, verb } = WHO[what];
  const last = byId('other-last');
  last.min = String(shown);
  last.max = last.value = String(video.frames - 1);
  askWhich({
    title: `${title}: ${nameOf(store.state, person)} and …`,
    text: `Frame ${shown}. ${text}`,
    verb,
    choices: others.map((/** @type {number} */ other) => capital(nameOf(store.state, other))),
  }, (place) =>
    submit(
      what === 'swap'
        ? { type: 'swap', a: person, b: others[place], frame: shown, last: Number(last.value) }
        : { type: 'merge', person, into: others[place] },
    ),
  );
  byId('other-until').hidden = last.disabled = what !== 'swap';
}

/**
 * Ask whether to keep an edit to joints that another page has changed meanwhile.
 * @param {Store} store
 * @param {import('./edits.js').Waiting} mine
 * @param {any[]} theirs
 * @returns {Promise<boolean>}
 */
export function askWhichToKeep(store, mine, theirs) {
  const { project, video } = store.state;
  const other = mine.video === video.id ? '' : ` of ${project.videos[mine.video].name}`;
  byId('conflict-text').textContent = `Another page has changed the same joints${other} meanwhile.`;
  byId('conflict-mine').textContent = describeEdit(mine.edit, store.state);
  byId('conflict-theirs').textContent = theirs.map((edit) => describeEdit(edit, store.state)).join(', ');
  const dialog = byId('conflict');
  dialog.returnValue = '';
  return new Promise((choose) => {
    // Escape chooses nothing, so it asks again.
    dialog.onclose = () => (dialog.returnValue ? choose(dialog.returnValue === 'mine') : dialog.showModal());
    dialog.showModal();
  });
}

/**
 * Ask before something is done.
 * @param {string} question
 * @param {string} verb
 * @param {() => void} action
 */
export function ask(question, verb, action) {
  byId('ask-title').textContent = question;
  const confirm = byId('ask-confirm');
  confirm.textContent = verb;
  confirm.form.onsubmit = action;
  byId('ask').showModal();
}

const FIGURE = [64, 84];

/**
 * Draw a skeleton as it is placed in a box.
 * @param {HTMLCanvasElement} canvas
 * @param {{joints: string[], limbs: number[][]}} skeleton
 */
function drawFigure(canvas, { joints, limbs }) {
  const [width, height] = FIGURE;
  const ratio = devicePixelRatio || 1;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.scale(ratio, ratio);
  const places = layInBox(/** @type {any} */ ({ joints }), [5, 5, width - 10, height - 10]);
  context.strokeStyle = context.fillStyle = themeColours().accent;
  context.beginPath();
  for (const [from, to] of limbs) {
    context.moveTo(places[joints[from]][0], places[joints[from]][1]);
    context.lineTo(places[joints[to]][0], places[joints[to]][1]);
  }
  context.stroke();
  for (const [x, y] of Object.values(places)) context.fillRect(x - 1.5, y - 1.5, 3, 3);
}

/**
 * Ask for the skeleton of a video without labels, or change the present one.
 * @param {Store} store
 * @param {(edit: import('./messages.js').Edit) => void} submit
 */
export function askForSkeleton(store, submit) {
  const { video } = store.state;
  const dialog = byId('skeleton');
  const present = video.skeleton;
  byId('skeleton-title').textContent = present ? 'Rename, add or reorder joints' : 'Which joints are labelled?';
  byId('skeleton-presets').hidden = Boolean(present);
  byId('skeleton-presets').replaceChildren(
    ...Object.entries(video.skeletons).map(([name, skeleton]) => {
      const canvas = make('canvas');
      drawFigure(/** @type {HTMLCanvasElement} */ (canvas), skeleton);
      const onclick = () => {
        dialog.close();
        submit({ type: 'set_skeleton', name });
      };
      return choice(name, `${skeleton.joints.length} joints`, { onclick }, canvas);
    }),
  );
  const text = byId('skeleton-text');
  const problem = byId('skeleton-problem');
  /** @param {{joints: string[], limbs: number[][], category?: string}} skeleton */
  const show = ({ joints, limbs, category }) => {
    text.value = [...joints, ...limbs.map(([a, b]) => `${joints[a]} - ${joints[b]}`)].join('\n');
    byId('skeleton-category').value = category ?? 'person';
    text.oninput();
  };
  let asked = '';
  /** @type {Record<string, string>} new name of a joint -> the one of before, '' for none */
  let origins = {};
  const labelled = store.state.persons.length ? (present?.joints ?? []) : [];
  /** @param {string[]} joints */
  const showOrigins = (joints) => {
    const fresh = joints.filter((name) => !labelled.includes(name));
    const gone = labelled.filter((/** @type {string} */ name) => !joints.includes(name));
    const usual = (/** @type {number} */ place) => (fresh.length === gone.length ? gone[place] : '');
    origins = Object.fromEntries(fresh.map((name, place) => [name, gone.includes(origins[name]) ? origins[name] : usual(place)]));
    byId('skeleton-origins').replaceChildren(
      ...(labelled.length ? fresh : []).map((name) => {
        const option = (/** @type {string} */ value) => make('option', { value, selected: value === origins[name] }, value ? `has the labels of ${value}` : 'is a new joint');
        const onchange = (/** @type {any} */ { target }) => {
          origins[name] = target.value;
        };
        return make('li', {}, make('label', {}, `${name} `, make('select', { onchange, dataset: { joint: name } }, ...['', ...gone].map(option))));
      }),
    );
  };
  text.oninput = () => {
    problem.textContent = '';
    try {
      const skeleton = skeletonOfText(text.value, true);
      showOrigins(skeleton.joints);
      drawFigure(byId('skeleton-figure'), skeleton);
    } catch {
      // The text is not complete yet; the button says what is missing.
    }
  };
  if (present) {
    show(present);
    text.closest('details').open = true;
  }
  byId('skeleton-file').onchange = async () => {
    const [file] = byId('skeleton-file').files;
    if (!file) return;
    try {
      show(skeletonOfJson(JSON.parse(await file.text())));
    } catch (error) {
      problem.textContent = `${file.name}: ${/** @type {Error} */ (error).message}`;
    }
  };
  byId('skeleton-own').onclick = () => {
    try {
      const skeleton = skeletonOfText(text.value, asked === text.value);
      for (const name of labelled.filter((/** @type {string} */ joint) => !skeleton.joints.includes(joint))) {
        const count = Object.values(origins).filter((origin) => origin === name).length;
        if (count !== 1) throw new Error(`${name} has labels: choose ${count ? 'only one' : 'the'} joint that gets them`);
      }
      dialog.close();
      const was = labelled.length ? { origins: Object.fromEntries(Object.entries(origins).filter(([, origin]) => origin)) } : {};
      submit({ type: 'set_skeleton', category: byId('skeleton-category').value.trim() || 'person', ...skeleton, ...was });
    } catch (error) {
      problem.textContent = /** @type {Error} */ (error).message;
      asked = text.value;
    }
  };
  dialog.showModal();
}

/**
 * Read the first of COCO's `categories` that has joints, or `joints` and `limbs` as they are.
 * @param {any} data
 * @returns {{joints: string[], limbs: number[][], category?: string}}
 */
function skeletonOfJson(data) {
  // CVAT gives categories without joints an empty list.
  const category = (Array.isArray(data?.categories) ? data.categories : [data]).find(
    (/** @type {any} */ entry) => Array.isArray(entry?.keypoints) && entry.keypoints.length > 0,
  );
  if (category) {
    const pairs = category.skeleton ?? [];
    return {
      joints: category.keypoints.map(String),
      limbs: pairs.map((/** @type {number[]} */ [a, b]) => [a - 1, b - 1]),
      category: category.name,
    };
  }
  if (Array.isArray(data?.joints)) {
    return { joints: data.joints.map(String), limbs: data.limbs ?? [], category: data.category };
  }
  throw new Error('it has neither "categories" with "keypoints" nor "joints"');
}

/**
 * Read joints and limbs that were typed: one name per line, `a - b` or, of two joints, `a-b` for a limb.
 * @param {string} text
 * @param {boolean} isSure whether any other name with a dash is a joint's
 * @returns {{joints: string[], limbs: number[][]}}
 */
function skeletonOfText(text, isSure) {
  const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
  /** @type {string[]} */
  const joints = [];
  const pairs = [];
  for (const line of lines) {
    const ends = line.split(/ - /);
    const split = [...line.matchAll(/-/g)].map(({ index }) => [line.slice(0, index), line.slice(index + 1)]);
    const limb = ends.length > 1 ? ends : split.find((names) => names.every((name) => lines.includes(name)));
    if (limb) pairs.push(limb);
    else if (split.length && !isSure) {
      throw new Error(`Is ${line} one joint? Then press the button again. For a limb, name both of its joints, too`);
    } else joints.push(line);
  }
  if (!joints.length) throw new Error('Type at least one joint, one name per line');
  if (new Set(joints).size < joints.length) throw new Error('A joint is named twice');
  const limbs = pairs.map((pair) =>
    pair.map((name) => {
      const index = joints.indexOf(name.trim());
      if (index < 0) throw new Error(`A limb names ${name.trim()}, which is not a joint`);
      return index;
    }),
  );
  return { joints, limbs };
}
