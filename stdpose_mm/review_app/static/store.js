/** The state of the page, which views watch. */

/**
 * @typedef {import('./messages.js').GuidanceAnswer & {learning: import('./messages.js').Learning, drafts: import('./messages.js').DraftState}} Guidance
 * @typedef {import('./messages.js').Timeline & {first: number, last: number, opened: number|null, trace: any}} Timeline
 *   with the frames and the joints that were asked for
 *
 * @typedef {object} Answers of the server
 * @property {import('./messages.js').Project} project
 * @property {Timeline|null} timeline
 * @property {Guidance|null} guidance
 * @property {import('./messages.js').Learning|null} learning
 * @property {number[]} persons
 *
 * @typedef {Answers & {[key: string]: any}} State
 */

/** State that calls the watchers of a part of it when that part changes. */
export class Store {
  /** @type {{keys: Set<string>, action: () => void}[]} */
  #watchers = [];

  /** @param {State} state */
  constructor(state) {
    this.state = state;
  }

  /**
   * Change parts of the state.
   * @param {Partial<State>} patch
   */
  update(patch) {
    const changed = Object.keys(patch).filter((key) => !Object.is(this.state[key], patch[key]));
    if (!changed.length) return;
    Object.assign(this.state, patch);
    for (const watcher of this.#watchers) {
      if (changed.some((key) => watcher.keys.has(key))) watcher.action();
    }
  }

  /**
   * Call a function whenever one of the keys has changed.
   * @param {string[]} keys
   * @param {() => void} action
   */
  watch(keys, action) {
    this.#watchers.push({ keys: new Set(keys), action });
  }
}
