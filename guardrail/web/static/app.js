// Keys, the choice of a look, and what makes forms safer to press. Every page works without it.
// No key decides: the most that one does is to go to a form, whose button is then pressed on purpose.

import { follow, send } from "./live.js";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);

// The look -------------------------------------------------------------------------------------

const look = one("[data-theme-switch]");
const system = matchMedia("(prefers-color-scheme: dark)");

function showLook() {
  const button = one("button", look);
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : system.matches;
  button.value = dark ? "light" : "dark";
  button.textContent = dark ? "Light" : "Dark";
}

if (look) {
  showLook();
  system.addEventListener("change", showLook);
  look.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = one("button", look).value;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.documentElement.dataset.theme = chosen;
    document.cookie = `theme=${chosen}; path=/; max-age=31536000; samesite=lax${secure}`;
    showLook();
  });
}

// Forms ----------------------------------------------------------------------------------------

const POSTED = "form[method=post]:not([data-theme-switch])";
const STAYS = new Set(["claim", "release", "comment"]); // sent without leaving the page, so that nothing typed is lost

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches(POSTED)) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  if (STAYS.has(form.id) && one("#review")) {
    event.preventDefault();
    send(form).finally(() => delete form.dataset.sent);
  }
});
addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => delete form.dataset.sent));

// The forms of a decision ------------------------------------------------------------------------

const FIRST = {
  approve: "#to-open a, #approve-button",
  edit: ".form input:not([type=hidden]), .form textarea, .form select, input:not([type=hidden]):not([disabled]), textarea, select",
  reject: "input[type=radio]",
  respond: "textarea",
};
const ANCHORS = { decide: "approve", edit: "edit", reject: "reject", respond: "respond" };

function open(kind) {
  const choice = one(`[data-choice="${kind}"]`);
  if (!choice || one("#decide-forms")?.disabled) {
    one("#held, #news:not([hidden]), #no-decision, #decision")?.scrollIntoView({ block: "center" });
    return;
  }
  choice.open = true;
  choice.scrollIntoView({ block: "nearest" });
  const first = all(FIRST[kind], choice).find((field) => field.getClientRects().length > 0);
  (first ?? one("summary", choice)).focus();
}

document.addEventListener("click", (event) => {
  const go = event.target.closest?.("[data-go]");
  if (!go || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(go.dataset.go);
});
if (one("#review") && ANCHORS[location.hash.slice(1)]) open(ANCHORS[location.hash.slice(1)]);

const again = one(".choice[open]");
if (again && !location.hash) (one("[aria-invalid='true']", again) ?? one("#problem") ?? again).scrollIntoView({ block: "center" });

// Keys -------------------------------------------------------------------------------------------

const help = one("#help");
const OFF = "guardrail keys off";
const ORDER = "guardrail order of the list";

function remembered(storage, name) {
  try {
    return storage.getItem(name);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(storage, name, value) {
  try {
    storage.setItem(name, value);
  } catch {
    // then not
  }
}

const rows = () => all("a[data-open-review]");

function mark(link) {
  all("tr[data-current]").forEach((row) => delete row.dataset.current);
  if (link) link.closest("tr").dataset.current = "yes";
}

document.addEventListener("focusin", (event) => {
  if (event.target.matches?.("a[data-open-review]")) mark(event.target);
});

function current() {
  return one("tr[data-current] a[data-open-review]");
}

function step(by) {
  const links = rows();
  if (links.length) {
    const at = links.indexOf(current());
    const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
    return;
  }
  const order = JSON.parse(remembered(sessionStorage, ORDER) ?? "[]");
  const at = order.indexOf(location.pathname);
  if (at >= 0 && order[at + by]) location.assign(order[at + by]);
}

function enter(hash = "") {
  const link = current();
  if (!link) return;
  remember(sessionStorage, ORDER, JSON.stringify(rows().map((row) => row.getAttribute("href"))));
  location.assign(link.getAttribute("href") + hash);
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("a[data-open-review]")) {
    remember(sessionStorage, ORDER, JSON.stringify(rows().map((row) => row.getAttribute("href"))));
  }
});

function toForm(kind) {
  if (one("#review")) open(kind);
  else enter(`#${Object.keys(ANCHORS).find((anchor) => ANCHORS[anchor] === kind)}`);
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  o: () => enter(),
  u: () => one("#back")?.click(),
  c: () => one("#claim-button")?.click(),
  a: () => toForm("approve"),
  e: () => toForm("edit"),
  r: () => toForm("reject"),
  m: () => toForm("respond"),
};

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
  if (typing(event.target) || one("dialog[open]")) return;
  if (event.key === "?" && help) {
    event.preventDefault();
    help.showModal();
    return;
  }
  const act = KEYS[event.key];
  if (!act || event.shiftKey || remembered(localStorage, OFF)) return;
  if (event.repeat && event.key !== "j" && event.key !== "k") return;
  event.preventDefault();
  act();
});

if (help) {
  all("[data-help]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
  });
  const on = one("#keys-on");
  on.checked = !remembered(localStorage, OFF);
  on.addEventListener("change", () => remember(localStorage, OFF, on.checked ? "" : "yes"));
}

follow();
