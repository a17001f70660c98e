/** What the server does for minutes: it learns from the labels, and writes them. */

import { endWriting, postLearning, postSave } from './api.js';
import { closeButton, say, showState } from './notices.js';
import { reload } from './open_video.js';
import { isUnsaved, showLearning } from './panels.js';
import { onError, placing, queue } from './stage.js';
import { state, store } from './state.js';

let wasLearning = false;
export function followLearning() {
  const { running, message, failed, unread } = /** @type {import('./messages.js').Learning} */ (state.learning);
  showLearning(store);
  showState('learned', unread ? message : null, failed ? 'bad' : 'info', [message ?? '', closeButton(() => askLearner('dismiss'))]);
  // All poses may now come from another network.
  if (wasLearning && !running) reload();
  wasLearning = running;
}

let isStarting = false;
export async function learn() {
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

/** What is being written: another video may be open by now, and the next writing is not meant. */
let writing = { video: -1 };

export function stopWriting() {
  const meant = writing;
  return endWriting(meant.video, () => state.saving && writing === meant).catch(onError);
}

export async function save() {
  const { video } = state;
  if (!video) return;
  if (state.saving) return stopWriting();
  placing.finish();
  writing = { video: video.id };
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
