// Keys of the judging room. A letter goes to an answer, which Enter then gives: a slip of the finger judges nothing.
// Links only lead on, and are followed at once. Without a script every button works.
const OFF = "guardrail keys off";
const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

function off() {
  try {
    return localStorage.getItem(OFF);
  } catch {
    return null;
  }
}

// before the keys that all pages share
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.key === "Escape" && event.target.matches?.("textarea")) event.target.blur();
  if (typing(event.target) || document.querySelector("dialog[open]") || off()) return;
  const found = /^[a-z]$/.test(event.key) && document.querySelector(`[data-key="${event.key}"]`);
  if (!found) return;
  event.preventDefault();
  if (found.matches("a")) found.click();
  else found.focus();
}, { capture: true });
