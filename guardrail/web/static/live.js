// What happens meanwhile: the list renews itself, and an open review says what became of it. Nothing is asked for while
// the page is hidden. What somebody typed stays; what a decision is bound to changes only when its reader says so.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);

const root = one("[data-live-page]");
const state = one("[data-live]");

// The page as it is now --------------------------------------------------------------------------

async function fetched(url, options = {}) {
  const answer = await fetch(url, { credentials: "same-origin", headers: { accept: "text/html" }, ...options });
  if (answer.redirected && new URL(answer.url).pathname === "/login") {
    location.reload(); // signed out meanwhile
    return null;
  }
  const type = answer.headers.get("content-type") ?? "";
  if (!type.startsWith("text/html")) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function swap(part, fresh) {
  if (!fresh || part.innerHTML === fresh.innerHTML) return;
  const held = part.contains(document.activeElement) ? document.activeElement : null;
  const row = held?.closest("[data-review]")?.dataset.review;
  part.replaceChildren(...document.importNode(fresh, true).childNodes);
  if (!held) return;
  const again = row ? one(`[data-review="${CSS.escape(row)}"] a`, part) : held.id ? document.getElementById(held.id) : null;
  (again ?? one("a, button", part))?.focus({ preventScroll: true });
}

function swapAll(fresh) {
  all("[data-live-part]").forEach((part) => swap(part, fresh.getElementById(part.id)));
  tick();
}

// One review -------------------------------------------------------------------------------------

function lock(locked) {
  all("[data-forms]").forEach((forms) => (forms.disabled = locked));
  all("[data-forms-nav] [data-go]").forEach((link) => link.toggleAttribute("aria-disabled", locked));
}

function bind(fresh) {
  root.dataset.revision = one("#review", fresh).dataset.revision;
  all("[data-revision-field]").forEach((field) => (field.value = root.dataset.revision));
}

function tell(text, ...buttons) {
  const news = one("#news");
  const said = document.createElement("p");
  said.textContent = text;
  const row = document.createElement("div");
  row.className = "row";
  row.append(...buttons);
  news.replaceChildren(said, row);
  news.hidden = false;
}

function button(name, id, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.id = id;
  made.textContent = name;
  made.addEventListener("click", act);
  return made;
}

const reload = () => button("Show it as it is now", "show-now", () => location.assign(location.pathname));

function last(fresh) {
  const events = all("#history-part li", fresh);
  return events.length ? events.at(-1).textContent.trim().replace(/\s+/g, " ") : "";
}

function meanwhile(fresh, { mine = false } = {}) {
  const now = one("#review", fresh);
  if (!now || now.dataset.review !== root.dataset.review) return;
  if (now.dataset.revision === root.dataset.revision && now.dataset.waits === root.dataset.waits) return;
  swapAll(fresh);
  const forms = one("[data-forms]", fresh);
  const held = one("#held", fresh);
  root.dataset.state = now.dataset.state;
  root.dataset.waits = now.dataset.waits;
  if (now.dataset.waits !== "yes") {
    lock(true);
    tell(`This review can no longer be decided. ${last(fresh)}`, reload());
  } else if (!forms || forms.disabled) {
    lock(true);
    tell(held ? held.textContent : `This review changed. ${last(fresh)}`);
  } else {
    lock(false);
    if (mine) {
      bind(fresh);
      one("#news").hidden = true;
      return;
    }
    const seen = button("I have seen it: go on", "seen", () => {
      bind(fresh);
      one("#news").hidden = true;
      one("#decide-section")?.scrollIntoView({ block: "nearest" });
    });
    tell(`This review changed while you look at it. ${last(fresh)}`, seen);
  }
  root.dataset.seen = now.dataset.revision;
}

// A form that is sent without leaving the page: claim, give back, comment.
export async function send(form) {
  try {
    const fresh = await fetched(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const problem = fresh && one("#problem", fresh);
    if (!fresh || !one("#review", fresh)) {
      location.reload();
      return;
    }
    meanwhile(fresh, { mine: !problem });
    if (problem) tell(problem.textContent.trim().replace(/\s+/g, " "), reload());
    else if (form.id === "comment") form.reset();
  } catch {
    tell("The server cannot be reached: nothing was sent.");
  }
}

// Events -----------------------------------------------------------------------------------------

let source = null;
let asking = false;
let again = false;
let wait = 0;
let asked = 0;
const SOON = 150; // milliseconds
const PAUSE = 1000;

function show(text, on) {
  if (!state) return;
  state.hidden = false;
  state.dataset.live = on ? "on" : "off";
  if (state.textContent !== text) state.textContent = text;
}

async function refresh() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  asked = Date.now();
  try {
    const fresh = await fetched(location.href);
    if (fresh && root.dataset.livePage === "list") swapAll(fresh);
    else if (fresh) meanwhile(fresh);
  } catch {
    show("Not connected", false);
  } finally {
    asking = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

function soon() {
  clearTimeout(wait);
  const pause = Math.max(SOON, PAUSE - (Date.now() - asked)); // many changes at once are one question
  wait = setTimeout(() => document.hidden || refresh(), pause);
}

function told(event) {
  if (root.dataset.livePage === "list") {
    soon();
    return;
  }
  const what = JSON.parse(event.data);
  const known = Math.max(Number(root.dataset.revision), Number(root.dataset.seen ?? 0));
  if (what.id === root.dataset.review && what.revision > known) soon();
}

function connect() {
  if (source || document.hidden) return;
  source = new EventSource("/api/v1/events");
  let before = false;
  source.addEventListener("open", () => {
    show("Live", true);
    if (before) soon(); // something may have been missed
    before = true;
  });
  source.addEventListener("error", () => {
    show("Not connected", false);
    if (source?.readyState === EventSource.CLOSED) {
      disconnect();
      setTimeout(connect, 20_000);
    }
  });
  source.addEventListener("review", told);
  source.addEventListener("reset", soon);
}

function disconnect() {
  source?.close();
  source = null;
}

// Deadlines --------------------------------------------------------------------------------------

const SAID = [300, 60, 0]; // seconds before a deadline at which it is said aloud
let skew = null;
let timer = 0;
let spoken; // the last of these that was said; null: none so far

export function words(seconds) {
  if (seconds <= 0) return "passed";
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = Math.floor(seconds % 60);
  if (days) return `in ${days} d${hours && days < 10 ? ` ${hours} h` : ""}`;
  if (hours) return `in ${hours} h${minutes ? ` ${minutes} min` : ""}`;
  if (minutes >= 5) return `in ${minutes} min`;
  return minutes ? `in ${minutes} min${rest ? ` ${rest} s` : ""}` : `in ${rest} s`;
}

function tick() {
  clearTimeout(timer);
  let soonest = Infinity;
  for (const due of all("time[data-due]")) {
    skew ??= Date.parse(due.dataset.now) - Date.now(); // how far the server's clock is ahead of this one
    const seconds = (Date.parse(due.dataset.due) - Date.now() - skew) / 1000;
    if (Number.isNaN(seconds)) continue;
    const text = words(seconds);
    if (due.textContent !== text) due.textContent = text;
    due.classList.toggle("late", seconds <= 0);
    if (due.hasAttribute("data-main")) speak(seconds, text);
    if (seconds > 0) soonest = Math.min(soonest, seconds);
  }
  if (soonest < Infinity && !document.hidden) timer = setTimeout(tick, soonest <= 320 ? 1000 : 15_000);
}

function speak(seconds, text) {
  const step = SAID.find((limit, index) => seconds <= limit && (SAID[index + 1] ?? -Infinity) < seconds) ?? null;
  if (step === spoken) return;
  const first = spoken === undefined;
  spoken = step;
  if (step === null || (first && seconds > 0)) return; // it stands on the page that was just read
  const region = one("#due-said");
  if (region) region.textContent = seconds <= 0 ? "The deadline has passed." : `To be decided ${text}.`;
  if (seconds <= 0 && root.dataset.waits === "yes") {
    root.dataset.waits = "no";
    lock(true);
    tell("The deadline has passed, which is a reject: nobody can decide any more.", reload());
  }
}

export function follow() {
  tick();
  if (!root) return;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      disconnect();
      clearTimeout(timer);
      clearTimeout(wait);
    } else {
      connect();
      soon();
      tick();
    }
  });
  addEventListener("pagehide", disconnect);
  connect();
}
