/** The state of the page, which views watch. */

/** State that calls the watchers of a part of it when that part changes. */
export class Store {
  /** @type {{keys: Set<string>, action: () => void}[]} */
  #watchers = [];

  /** @param {Record<string, any>} state */
  constructor(state) {
    this.state = state;
  }

  /**
   * Change parts of the state.
   * @param {Record<string, any>} patch
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
