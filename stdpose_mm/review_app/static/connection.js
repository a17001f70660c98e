/** The connection to the server: its events, and reconnection. */

import { eventsOf, getProject, Refused } from './api.js';

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 2500;

export class Connection {
  /** @type {EventSource|null} */
  #source = null;
  #timer = 0;
  #wait = FIRST_WAIT_MS;
  #video = -1;

  /**
   * @param {import('./store.js').Store} store
   * @param {string} page
   * @param {Record<string, (data: any) => void>} handlers event -> what to do
   * @param {() => void} onReturn called when the server answers again
   */
  constructor(store, page, handlers, onReturn) {
    this.store = store;
    this.page = page;
    this.handlers = handlers;
    this.onReturn = onReturn;
    store.watch(['lost'], () => this.lost(store.state.lost));
    // The browser may keep a page that was left; it must not hold one of the few connections.
    addEventListener('pagehide', () => {
      this.#source?.close();
      this.#source = null;
    });
    addEventListener('pageshow', (event) => {
      if (!event.persisted || this.#video < 0) return;
      this.open(this.#video);
      this.onReturn();
    });
  }

  /** @param {number} video */
  open(video) {
    this.#video = video;
    this.#source?.close();
    const source = eventsOf(video, this.page);
    this.#source = source;
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (event) =>
        handle(JSON.parse(/** @type {MessageEvent} */ (event).data)),
      );
    }
    source.onerror = () => {
      if (this.#source === source) this.lost(null);
    };
  }

  /**
   * Ask the server again until it answers.
   * @param {unknown} error
   */
  lost(error) {
    const isRefused = error instanceof Refused && error.status === 403;
    this.store.update({ connection: isRefused ? 'refused' : 'gone' });
    if (this.#timer) return;
    this.#source?.close();
    this.#source = null;
    this.#timer = window.setTimeout(() => this.#ask(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT_MS);
  }

  async #ask() {
    try {
      await getProject();
    } catch (error) {
      this.#timer = 0;
      this.lost(error);
      return;
    }
    this.#timer = 0;
    this.#wait = FIRST_WAIT_MS;
    this.store.update({ connection: 'ok' });
    this.open(this.#video);
    this.onReturn();
  }
}
