// The page: logging in, the fetch that is held until something changes, the sections, the keys.
import { byId, el, say } from "./dom.js";
import { Cards } from "./cards.js";
import { closeDialogs } from "./dialogs.js";
import { show as showSection } from "./lists.js";

const KEY = "stdioguard-key";
const SECTIONS = ["waiting", "decisions", "sessions", "grants"];
let key = sessionStorage.getItem(KEY) || "";
let section = "waiting";

/** Ask the server for something; `body` makes it a request that changes something. Throws an `Error` with the server's words. */
export async function request(path, body) {
  const headers = { "x-stdioguard-key": key };
  const options = { headers, cache: "no-store", credentials: "same-origin", redirect: "error" };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  const answer = await fetch(path, options);
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  throw Object.assign(new Error(found.error || `The server answered ${answer.status}.`), { status: answer.status });
}

async function logIn() {
  const token = /^#login=([\w-]{20,100})$/.exec(location.hash)?.[1];
  if (token === undefined) return key !== "";
  history.replaceState(null, "", "/"); // the link is used up; it stays in no address bar
  try {
    ({ key } = await request("/api/login", { token }));
    sessionStorage.setItem(KEY, key);
    return true;
  } catch (error) {
    if (key !== "") return true;
    lock(error.message);
    return false;
  }
}

function lock(why) {
  key = "";
  sessionStorage.removeItem(KEY);
  closeDialogs();
  if (why) byId("locked-why").textContent = why;
  byId("locked").hidden = false;
  document.querySelector(".tabs").hidden = true;
  for (const name of SECTIONS) byId(name).hidden = true;
  state("gone", "Not logged in");
}

function state(name, words) {
  const place = byId("link");
  place.dataset.state = name;
  if (place.textContent !== words) place.textContent = words;
}

const cards = new Cards(request);
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Fetch what waits, over and over: each answer comes when something has changed. */
async function follow() {
  let known = "";
  let failures = 0;
  for (;;) {
    try {
      const found = await request(`/api/waiting?known=${encodeURIComponent(known)}`);
      failures = 0;
      state("live", "Live");
      cards.setClock(found.clock, found.now);
      if (found.version !== known) cards.update(found);
      known = found.version;
    } catch (error) {
      if (error.status === 401) return lock(error.message);
      failures += 1;
      state("gone", "Not connected");
      if (failures === 3) {
        cards.freeze();
        say("The connection to stdioguard is lost. Nothing can be decided here until it is back.", true);
      }
      await pause(Math.min(500 * failures, 5000));
      known = "";
    }
  }
}

function select(name, focus = false) {
  section = name;
  for (const one of SECTIONS) {
    const tab = byId(`tab-${one}`);
    const here = one === name;
    tab.setAttribute("aria-selected", String(here));
    tab.tabIndex = here ? 0 : -1;
    byId(one).hidden = !here;
    if (here && focus) tab.focus();
  }
  if (name !== "waiting") showSection(name, request);
}

function keys(event) {
  // Where a dialog has just closed the focus is in it for a moment yet: a key that comes then is the page's.
  const typing = event.target.closest?.("input, select, textarea, dialog")?.checkVisibility();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || key === "") return;
  const steps = {
    j: () => cards.step(1), k: () => cards.step(-1), a: () => cards.goTo("once"), d: () => cards.goTo("deny"), "?": () => byId("help").showModal(),
  };
  if (/^[1-4]$/.test(event.key)) select(SECTIONS[Number(event.key) - 1], true);
  else if (Object.hasOwn(steps, event.key)) {
    if (section !== "waiting" && event.key !== "?") select("waiting");
    steps[event.key]();
  } else return;
  event.preventDefault();
}

function wire() {
  for (const name of SECTIONS) byId(`tab-${name}`).addEventListener("click", () => select(name));
  document.querySelector(".tabs").addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (move === undefined) return;
    select(SECTIONS[(SECTIONS.indexOf(section) + move + SECTIONS.length) % SECTIONS.length], true);
    event.preventDefault();
  });
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close("cancel"));
  document.addEventListener("keydown", keys);
  setInterval(() => cards.tick(), 1000);
  setInterval(() => section !== "waiting" && !document.hidden && key && showSection(section, request, true), 4000);
}

wire();
if (await logIn()) {
  document.querySelector(".tabs").hidden = false;
  byId("waiting").hidden = false;
  follow();
} else lock();
