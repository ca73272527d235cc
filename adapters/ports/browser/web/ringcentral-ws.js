// The page's half of the port: it owns the WebSocket, fetch, the timer, the clock and the storage. It decides nothing
// about the protocol: what the module says is done, what happens is given to the module.

/** A timer this late, in ms, means that the page was frozen or the machine slept. */
const LATE = 3000;
/** So long after that, in ms, a connection that broke meanwhile has been reported. */
const SETTLED = 5000;
/** The longest that setTimeout takes. Too early is harmless. */
const LONGEST = 2 ** 31 - 1;
/** Bytes that wait in the WebSocket before the module hears of it, and when they count as gone. */
const HIGH = 64 * 1024;
const LOW = 16 * 1024;

/**
 * A clock in ms that never goes back and goes on while the machine sleeps: performance.now() stands still then in some
 * browsers, so what Date.now() is ahead is added.
 */
class Clock {
  #mono = performance.now();
  #wall = Date.now();
  #slept = 0;

  now() {
    const [mono, wall] = [performance.now(), Date.now()];
    const jump = wall - this.#wall - (mono - this.#mono);
    if (jump > 1000) this.#slept += jump;
    [this.#mono, this.#wall] = [mono, wall];
    return mono + this.#slept;
  }
}

/** The WebAssembly module: JSON in, JSON out. It imports nothing, so it can do nothing but answer. */
class Module {
  #exports;

  constructor(instance) {
    this.#exports = instance.exports;
  }

  static async load(url) {
    const { instance } = await WebAssembly.instantiateStreaming(fetch(url));
    return new Module(instance);
  }

  call(object) {
    const { memory, rc_reserve, rc_call, rc_answer } = this.#exports;
    const bytes = new TextEncoder().encode(JSON.stringify(object));
    // The memory may grow in any call, which makes older views of it useless.
    const address = rc_reserve(bytes.length);
    new Uint8Array(memory.buffer, address, bytes.length).set(bytes);
    const length = rc_call();
    return JSON.parse(new TextDecoder().decode(new Uint8Array(memory.buffer, rc_answer(), length)));
  }
}

/** Waits until the browser is online, as far as it knows. */
function online(signal) {
  if (navigator.onLine) return;
  return new Promise((resolve, reject) => {
    window.addEventListener("online", resolve, { once: true, signal });
    signal.addEventListener("abort", reject);
  });
}

/** A command that was refused; nothing has changed. */
export class CommandError extends Error {}

/** A request that ended without an answer. `outcome`: not_sent, unknown (it may have run), timed_out, cancelled. */
export class RequestError extends Error {
  constructor({ outcome, message }) {
    super(message);
    this.outcome = outcome;
  }
}

export class Client {
  #module;
  #clock = new Clock();
  #options;
  #queue = [];
  #pumping = false;
  #timer;
  #due = null;
  #socket = null;
  #calls = new Map();
  #requests = new Map();
  #listeners = new AbortController();
  #release = () => {};
  #revoked = false;
  #storedOnce = false;

  /**
   * Starts, once no other tab has the session. Options:
   * - `wasm`: address of the module
   * - `server`: base URL of the REST service
   * - `filters`: what to subscribe to
   * - `token`: `async ({ refused }) => ({ access_token, expires_in })`, asks the page's own backend
   * - `onEvent`: gets each event, in order. When it returns, the event counts as handled
   * - `key`: name of the session in localStorage, also of its lock
   * - `user`: who is logged in, by a name that stays the same, such as the `owner_id` of the token answer. What was stored
   *   for another user is not used then
   * - `restOverWebSocket`, `allowInsecure`, `webSocketHosts`: as in Config of the core
   * - `authCallsPerMinute`: as in RetryPolicy of the core, over reloads too. Default 5
   */
  static async start(options) {
    const client = new Client();
    client.#options = { key: "ringcentral-ws", ...options };
    client.#module = await Module.load(options.wasm);
    await client.#lock();
    try {
      client.#begin();
    } catch (error) {
      // Bad options, or a page without storage: the lock must not stay with a client that nobody has.
      client.#end();
      throw error;
    }
    return client;
  }

  /** Subscribes to these filters from now on. */
  subscribe(filters) {
    this.#command({ do: "subscribe", filters });
    this.#options.filters = filters;
    this.#save();
  }

  unsubscribe() {
    this.#command({ do: "unsubscribe" });
    this.#options.filters = null;
    this.#save();
  }

  /** A REST call. Resolves with any answer: `{ status, headers, body, via }`, the body as text. */
  request(path, { method = "GET", headers = {}, body = "" } = {}) {
    return new Promise((resolve, reject) => {
      const call = { do: "request", method, path, headers: Object.entries(headers), body };
      this.#command(call, (id) => this.#requests.set(id, { resolve, reject }));
    });
  }

  /** Tries to connect now. */
  recover() {
    this.#command({ do: "recover" });
  }

  /** Ends the session, or with `"detach"` leaves it to be continued. */
  close(mode = "revoke") {
    this.#command({ do: "close", mode });
  }

  // One tab at a time has the session. The others wait here, and the next one continues it when that tab is gone.
  #lock() {
    const { key, onEvent } = this.#options;
    return new Promise((locked) => {
      const hold = () => new Promise((release) => {
        this.#release = release;
        locked();
      });
      navigator.locks.request(key, { ifAvailable: true }, (lock) => {
        if (lock) return hold();
        onEvent({ event: "queued" });
        navigator.locks.request(key, hold);
      });
    });
  }

  #begin() {
    const { key, server, user, filters, restOverWebSocket, allowInsecure, webSocketHosts, authCallsPerMinute } =
      this.#options;
    const stored = this.#stored();
    const [a, b] = crypto.getRandomValues(new Uint32Array(2));
    const answer = this.#enter({
      do: "start",
      server,
      seed: (a >>> 11) * 2 ** 32 + b,
      unix: Date.now(),
      snapshot: stored.snapshot ?? null,
      user: user ?? null,
      websocket_hosts: webSocketHosts ?? [],
      rest_over_websocket: restOverWebSocket ?? false,
      allow_insecure: allowInsecure ?? false,
      auth_calls_per_minute: authCallsPerMinute ?? null,
    });
    if (typeof answer.restored === "string") {
      this.#options.onEvent({ event: "not_restored", message: answer.restored });
    }
    // A restored session goes on with its own filters, unless the page has others now.
    const same = answer.restored === true && JSON.stringify(stored.filters) === JSON.stringify(filters);
    if (filters && !same) this.#enter({ do: "subscribe", filters });
    this.#listen();
    this.#pump();
  }

  #stored() {
    const text = localStorage.getItem(this.#options.key);
    try {
      return JSON.parse(text ?? "{}") ?? {};
    } catch {
      // For the module to say what is wrong with it.
      return { snapshot: text };
    }
  }

  #listen() {
    const on = (target, name, then) => target.addEventListener(name, then, { signal: this.#listeners.signal });
    on(window, "online", () => this.#input({ do: "network", online: true }));
    on(window, "offline", () => this.#input({ do: "network", online: false }));
    // A page that comes out of the back/forward cache, or out of a freeze, was away. One that was only hidden may have
    // had its timers slowed down: #enter notices if that mattered.
    on(document, "freeze", () => this.#away());
    on(document, "resume", () => this.#input({ do: "resumed" }));
    on(window, "pageshow", (event) => event.persisted && this.#input({ do: "resumed" }));
    on(document, "visibilitychange", () => document.hidden || this.#input({ do: "timeout" }));
  }

  // One call of the module. What comes out is queued.
  #enter(what) {
    const now = this.#clock.now();
    // Before whatever waited: a late timer means that the page was away.
    if (this.#due !== null && now > this.#due + LATE) {
      this.#due = null;
      this.#enter({ do: "resumed" });
    }
    if (what.do === "resumed") this.#away();
    const answer = this.#module.call({ now, ...what });
    if (answer.error) throw new CommandError(answer.error);
    this.#queue.push(...answer.out);
    clearTimeout(this.#timer);
    this.#due = answer.at ?? null;
    if (this.#due !== null) {
      const wait = Math.min(Math.max(Math.ceil(this.#due - now), 0), LONGEST);
      this.#timer = setTimeout(() => this.#input({ do: "timeout" }), wait);
    }
    if (answer.wait === "finished") this.#end();
    return answer;
  }

  // Chromium discards what arrived for a frozen page when the connection breaks before the page goes on. So if it did
  // break, messages may be missing that the server will not send again.
  #away() {
    const socket = this.#socket;
    if (!socket) return;
    socket.away = true;
    clearTimeout(socket.back);
    socket.back = setTimeout(() => (socket.away = false), SETTLED);
  }

  #command(what, made = () => {}) {
    made(this.#enter(what).id);
    this.#pump();
  }

  #input(input) {
    this.#enter(input);
    this.#pump();
  }

  // Carries out what is queued, in order. Handlers may give commands meanwhile, which add to the queue.
  #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    let changed = false;
    for (let item; (item = this.#queue.shift()); ) {
      if (item.action) this.#act(item);
      else if (item.event === "snapshot_changed") changed = true;
      else this.#handle(item);
    }
    this.#pumping = false;
    // All that the snapshot covers has been handled, and nothing can come between (PST-4).
    if (changed) this.#save();
  }

  #save() {
    if (this.#pumping) return;
    const { key, filters } = this.#options;
    const { snapshot } = this.#module.call({ now: this.#clock.now(), do: "snapshot" });
    try {
      if (this.#revoked) localStorage.removeItem(key);
      else if (snapshot) localStorage.setItem(key, JSON.stringify({ filters, snapshot }));
    } catch (error) {
      // Full or forbidden: the session goes on, and is not continued by the next page.
      reportError(error);
    }
    // A session that goes on from an orderly end opens its socket after this (PST-2).
    if (!this.#storedOnce) {
      this.#storedOnce = true;
      this.#input({ do: "snapshot_stored" });
    }
  }

  #handle(event) {
    if (event.event === "response") {
      const request = this.#requests.get(event.id);
      this.#requests.delete(event.id);
      if (event.outcome === "response") request?.resolve(event);
      else request?.reject(new RequestError(event));
      return;
    }
    this.#revoked ||= event.reason === "revoked";
    try {
      this.#options.onEvent(event);
    } catch (error) {
      // The application's mistake must not stop the heartbeats.
      reportError(error);
    }
  }

  #end() {
    clearTimeout(this.#timer);
    this.#listeners.abort();
    this.#release();
  }

  #act(action) {
    switch (action.action) {
      case "authorize": return this.#authorize(action);
      case "fetch": return this.#fetch(action);
      case "abort": return this.#calls.get(action.id)?.abort();
      case "open": return this.#open(action);
      case "send": return this.#send(action);
      case "close": return this.#socket?.conn === action.conn && this.#socket.ws.close(action.code, action.reason);
      case "drop": return this.#socket?.conn === action.conn && this.#drop();
    }
  }

  async #authorize({ id, refused }) {
    try {
      const { access_token, expires_in } = await this.#options.token({ refused });
      this.#input({ do: "authorized", id, token: access_token, expires_in: expires_in ?? null });
    } catch (error) {
      const permanent = error?.permanent === true;
      this.#input({ do: "authorize_failed", id, permanent, message: String(error?.message ?? error) });
    }
  }

  async #fetch({ id, method, url, headers, body }) {
    const abort = new AbortController();
    this.#calls.set(id, abort);
    let input;
    let not_sent = true;
    try {
      // What cannot leave waits, rather than use up the Session's budget of calls; the Session's own deadline ends it.
      await online(abort.signal);
      not_sent = false;
      // No cookies and no cache: the token is all there is to say who calls.
      const options = { credentials: "omit", cache: "no-store", redirect: "error", signal: abort.signal };
      const response = await fetch(url, { method, headers, body, ...options });
      const text = await response.text();
      input = { do: "http_response", id, status: response.status, headers: [...response.headers], body: text };
    } catch (error) {
      input = { do: "http_failed", id, not_sent, message: String(error?.message ?? error) };
    }
    this.#calls.delete(id);
    this.#input(input);
  }

  #open({ conn, url }) {
    const not_sent = !navigator.onLine;
    if (not_sent) return this.#later({ do: "open_failed", conn, not_sent, message: "the browser is offline" });
    let ws;
    try {
      ws = new WebSocket(url);
    } catch (error) {
      // An https page may not open ws: nothing left.
      return this.#later({ do: "open_failed", conn, not_sent: true, message: error.name });
    }
    const socket = { conn, ws, blocked: false, away: false };
    this.#socket = socket;
    let open = false;
    ws.onopen = () => {
      open = true;
      this.#input({ do: "opened", conn });
    };
    ws.onmessage = ({ data }) => {
      this.#input(typeof data === "string" ? { do: "text", conn, text: data } : { do: "binary", conn });
    };
    ws.onclose = ({ code, reason }) => {
      this.#drop();
      if (socket.away) this.#input({ do: "deaf", conn });
      // 1005 and 1006 are the browser's own words for "no code came".
      const came = code === 1005 || code === 1006 ? null : code;
      if (open) this.#input({ do: "closed", conn, code: came, reason });
      else this.#input({ do: "open_failed", conn, not_sent, message: "the browser does not say why" });
    };
  }

  #send({ conn, text }) {
    const socket = this.#socket;
    if (socket?.conn !== conn) return;
    socket.ws.send(text);
    if (socket.ws.bufferedAmount > HIGH && !socket.blocked) {
      socket.blocked = true;
      this.#later({ do: "send_blocked", conn });
      this.#watchBuffer(socket);
    }
  }

  // A browser does not say when the buffer has emptied.
  #watchBuffer(socket) {
    if (this.#socket !== socket) return;
    if (socket.ws.bufferedAmount > LOW) return setTimeout(() => this.#watchBuffer(socket), 50);
    socket.blocked = false;
    this.#input({ do: "send_ready", conn: socket.conn });
  }

  // A browser cannot cut a connection. It closes it in its own time, and nobody listens any more.
  #drop() {
    const { ws } = this.#socket;
    ws.onopen = ws.onmessage = ws.onclose = null;
    ws.close();
    this.#socket = null;
  }

  #later(input) {
    queueMicrotask(() => this.#input(input));
  }
}
