/** Dialogs: the project's videos, export, identities, the skeleton of an unlabelled video. */

import { getProject, postExport, postSave, Refused, ServerGone } from './api.js';
import { byId, make } from './dom.js';
import { describeEdit } from './edits.js';
import { announce, say } from './notices.js';
import { capital, nameOf } from './poses.js';

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
 */
export async function showProject(store, open, onError) {
  try {
    store.update({ project: await getProject() });
  } catch (error) {
    onError(error);
  }
  const { project, video } = store.state;
  byId('project-name').textContent = project.name;
  byId('videos').replaceChildren(
    ...project.videos.flatMap((/** @type {any} */ listed) => {
      const isGone = listed.state === 'unavailable';
      const choose = make(
        'button',
        {
          class: 'link',
          disabled: isGone,
          onclick: () => {
            byId('project').close();
            open(listed.id);
          },
        },
        listed.name,
      );
      if (listed.id === video?.id) choose.setAttribute('aria-current', 'true');
      const row = make(
        'tr',
        {},
        make('th', { scope: 'row' }, choose),
        make('td', { class: 'number' }, String(listed.frames ?? '')),
        make('td', { class: 'number' }, String(listed.people ?? '')),
        make('td', { class: 'number' }, String(listed.labels ?? '')),
        make('td', {}, make('span', { class: `badge ${listed.state.replaceAll(' ', '-')}` }, listed.state)),
      );
      // A long reason has a row of its own, lest it squeezes the columns.
      const reason = make('td', { class: 'reason', colSpan: 5 }, listed.error ?? '');
      return listed.error ? [row, make('tr', {}, reason)] : [row];
    }),
  );
  const dialog = byId('project');
  if (!dialog.open) dialog.showModal();
  if (!project.videos.some((/** @type {any} */ listed) => listed.state === 'loading')) return;
  setTimeout(() => {
    if (dialog.open) showProject(store, open, onError);
  }, AGAIN_MS);
}

/**
 * @param {Store} store
 * @param {import('./edits.js').EditQueue} queue
 * @param {(error: unknown) => void} onError
 */
export function showExport(store, queue, onError) {
  const { project, video } = store.state;
  if (!video) return;
  byId('formats').replaceChildren(
    ...Object.entries(project.formats).map(([format, { ending, needs }]) =>
      make(
        'li',
        {},
        make(
          'button',
          {
            class: 'format',
            dataset: { format },
            disabled: Boolean(needs),
            title: needs && `This needs ${needs}`,
            onclick: (/** @type {Event} */ event) => {
              const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
              button.disabled = true;
              exportAs(video.id, format, queue, onError).finally(() => {
                button.disabled = false;
              });
            },
          },
          make('span', {}, format),
          make('code', {}, ending),
        ),
      ),
    ),
  );
  byId('export').showModal();
}

/**
 * @param {number} video
 * @param {string} format
 * @param {import('./edits.js').EditQueue} queue
 * @param {(error: unknown) => void} onError
 */
async function exportAs(video, format, queue, onError) {
  const stop = () => postSave(video, 'stop').catch(onError);
  try {
    await queue.drained();
    // Closing the dialog stops the export; afterwards there is nothing to stop.
    byId('export').addEventListener('close', stop, { once: true });
    byId('export-result').textContent = 'Writing… Esc stops it.';
    const tolerance = Number.parseFloat(byId('export-tolerance').value);
    const { name, blob } = await postExport(video, {
      format,
      given_only: byId('export-given').checked,
      // CVAT draws straight lines between key frames; without a tolerance every frame is one.
      cvat_tolerance: Number.isNaN(tolerance) ? null : tolerance,
    });
    const address = URL.createObjectURL(blob);
    make('a', { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    byId('export-result').textContent = `The browser saves ${name}.`;
    announce(`${name} was exported`);
  } catch (error) {
    const isGone = error instanceof ServerGone || (error instanceof Refused && error.status === 403);
    if (isGone || !(error instanceof Error)) onError(error);
    else byId('export-result').textContent = error.message;
  } finally {
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
 * Ask for the other person of a swap or a merge.
 * @param {Store} store
 * @param {'swap'|'merge'} what
 * @param {(edit: any) => void} submit
 */
export function askForOther(store, what, submit) {
  const { person, persons, shown, video } = store.state;
  const others = persons.filter((/** @type {number} */ other) => other !== person);
  if (person === null || !others.length) {
    say(`To ${what}, choose one of at least two`);
    return;
  }
  const { title, text, verb } = WHO[what];
  byId('other-title').textContent = `${title}: ${nameOf(store.state, person)} and …`;
  byId('other-text').textContent = `Frame ${shown}. ${text}`;
  byId('other-choice').replaceChildren(
    ...others.map((/** @type {number} */ other) =>
      make('option', { value: String(other) }, capital(nameOf(store.state, other))),
    ),
  );
  byId('other-until').hidden = what !== 'swap';
  const last = byId('other-last');
  last.min = String(shown);
  last.max = last.value = String(video.frames - 1);
  const confirm = byId('other-confirm');
  confirm.textContent = verb;
  // The form's method closes the dialog.
  confirm.form.onsubmit = () => {
    const other = Number(byId('other-choice').value);
    submit(
      what === 'swap'
        ? { type: 'swap', a: person, b: other, frame: shown, last: Number(last.value) }
        : { type: 'merge', person, into: other },
    );
  };
  byId('other').showModal();
  // With only one other person there is no choice to make, so Enter confirms.
  byId(others.length > 1 ? 'other-choice' : 'other-confirm').focus();
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
 * Ask for the skeleton of a video without labels.
 * @param {Store} store
 * @param {(edit: any) => void} submit
 */
export function askForSkeleton(store, submit) {
  const { video } = store.state;
  const dialog = byId('skeleton');
  byId('skeleton-presets').replaceChildren(
    ...Object.entries(video.skeletons).map(([name, joints]) =>
      make(
        'li',
        {},
        make(
          'button',
          {
            class: 'format',
            onclick: () => {
              dialog.close();
              submit({ type: 'set_skeleton', name });
            },
          },
          make('span', {}, name),
          make('code', {}, `${joints.length} joints`),
        ),
      ),
    ),
  );
  byId('skeleton-file').onchange = async () => {
    const [file] = byId('skeleton-file').files;
    if (!file) return;
    try {
      const { joints, limbs } = skeletonOfJson(JSON.parse(await file.text()));
      const pairs = limbs.map(([a, b]) => `${joints[a]} - ${joints[b]}`);
      byId('skeleton-text').value = [...joints, ...pairs].join('\n');
      byId('skeleton-problem').textContent = '';
    } catch (error) {
      byId('skeleton-problem').textContent = `${file.name}: ${/** @type {Error} */ (error).message}`;
    }
  };
  byId('skeleton-own').onclick = () => {
    try {
      const skeleton = skeletonOfText(byId('skeleton-text').value);
      dialog.close();
      submit({ type: 'set_skeleton', ...skeleton });
    } catch (error) {
      byId('skeleton-problem').textContent = /** @type {Error} */ (error).message;
    }
  };
  dialog.showModal();
}

/**
 * Read the first of COCO's `categories` that has joints, or `joints` and `limbs` as they are.
 * @param {any} data
 * @returns {{joints: string[], limbs: number[][]}}
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
    };
  }
  if (Array.isArray(data?.joints)) {
    return { joints: data.joints.map(String), limbs: data.limbs ?? [] };
  }
  throw new Error('it has neither "categories" with "keypoints" nor "joints"');
}

/**
 * Read joints and limbs that were typed: one name per line, `a - b` for a limb.
 * @param {string} text
 * @returns {{joints: string[], limbs: number[][]}}
 */
function skeletonOfText(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
  const pairs = lines.filter((line) => / - /.test(line)).map((line) => line.split(/ - /));
  const joints = lines.filter((line) => !/ - /.test(line));
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
