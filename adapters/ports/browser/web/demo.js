// A small application: it keeps a record of what it receives, and shows it. Its record outlives a reload, as the
// session does, so an event counts as handled when it is in the record.

import { Client, RequestError } from "./ringcentral-ws.js";

const EXTENSION = "/restapi/v1.0/account/~/extension/~";
const FILTERS = [`${EXTENSION}/message-store/instant?type=SMS`];
/** Rows kept and shown. */
const MOST = 200;

const record = JSON.parse(sessionStorage.getItem("record") ?? "[]");
const list = document.getElementById("list");
const state = document.getElementById("state");

const time = (ms) => new Date(ms).toLocaleTimeString("en-GB");

const words = {
  page: () => "loaded",
  queued: () => "another tab has the session; this one continues it when that tab is gone",
  waiting: (e) => `${e.message}; ${(e.delay_ms / 1000).toFixed(1)} s`,
  not_restored: (e) => e.message,
  connected: (e) => ({ fresh: "a new session", recovered: "the session continues", lost: "the session was lost" })[e.resumption],
  subscribed: (e) => e.filters.join(", "),
  notification: (e) => `${e.body.subject ?? JSON.stringify(e.body)}`,
  recovered: () => "missed notifications follow",
  recovery_failed: (e) => e.code ?? "the recovery window had passed",
  gap: (e) => `notifications may be missing between ${time(e.since)} and ${time(e.until)}: ${e.cause.replaceAll("_", " ")}`,
  disconnected: (e) => e.message,
  retry: (e) => `${e.message}; next try in ${(e.delay_ms / 1000).toFixed(1)} s`,
  answer: (e) => e.text,
  closed: (e) => e.message ?? e.reason,
};

function handle(event) {
  const row = { at: Date.now(), ...event };
  record.push(row);
  record.splice(0, record.length - MOST);
  sessionStorage.setItem("record", JSON.stringify(record));
  show(row);
  const isOfSubscription = event.waits_for === "subscription_limit";
  if (["connected", "disconnected", "closed", "waiting", "queued"].includes(event.event) && !isOfSubscription) {
    state.textContent = state.className = event.event;
  }
}

function show(row) {
  const tr = document.createElement("tr");
  tr.className = row.event;
  for (const text of [time(row.at), row.event.replaceAll("_", " "), words[row.event]?.(row) ?? JSON.stringify(row)]) {
    tr.insertCell().textContent = text;
  }
  list.prepend(tr);
}

/** The page's backend: it alone has the app's secret, and it keeps the login, without which there is no recovery. */
async function token({ refused }) {
  const response = await fetch(`/demo/token?refused=${refused}`, { cache: "no-store" });
  if (!response.ok) throw new Error(`the backend answered ${response.status}`);
  return response.json();
}

async function call() {
  try {
    const { status, via, body } = await client.request(EXTENSION);
    handle({ event: "answer", status, via, text: `${status} over the ${via}: ${JSON.parse(body).name}` });
  } catch (error) {
    const outcome = error instanceof RequestError ? error.outcome : "refused";
    handle({ event: "answer", outcome, text: `${outcome}: ${error.message}` });
  }
}

const post = (path) => fetch(path, { method: "POST" });
const click = (id, then) => document.getElementById(id).addEventListener("click", then);

record.forEach(show);
handle({ event: "page" });

let client;
click("sms", () => post("/demo/sms"));
click("cut", () => post("/demo/cut"));
click("restart", () => post("/demo/restart"));
click("rest", call);
click("reload", async () => {
  await post("/demo/cut?sms=3");
  location.reload();
});
click("clear", () => {
  record.length = 0;
  sessionStorage.removeItem("record");
  list.replaceChildren();
});

const { server } = await (await fetch("/demo/config")).json();
client = await Client.start({
  wasm: "ringcentral_ws_port_browser.wasm",
  server,
  filters: FILTERS,
  token,
  onEvent: handle,
  restOverWebSocket: true,
  // The stand-in has no such limit.
  authCallsPerMinute: 1000,
});
// For the console, and for the test.
Object.assign(window, { client, call });
