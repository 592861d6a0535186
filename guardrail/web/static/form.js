// What forms and folded values gain from a script: nothing here is needed, every button works without it.

const parse = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

// A folded value is fetched when it is opened; the form's token that it was opened comes with it.
async function unfold(fold) {
  if (!(fold instanceof HTMLDetailsElement) || !fold.open || !fold.dataset.src || "loading" in fold.dataset) return;
  fold.dataset.loading = "";
  try {
    const answer = await fetch(fold.dataset.src.split("#")[0], { headers: { accept: "text/html" } });
    const found = answer.ok && !answer.redirected ? (await parse(answer)).getElementById(fold.id) : null;
    if (found && "opened" in found.dataset) fold.replaceWith(document.adoptNode(found));
  } catch {
    // the link in it is still there
  }
  delete fold.dataset.loading;
}

document.addEventListener("toggle", (event) => unfold(event.target), true);
// those that somebody opened while the page was still loading
document.querySelectorAll("details[open][data-src]").forEach(unfold);

// Buttons that only change the form: the page comes back with it, and its fields are put in place of these.
const changes = /^(add:|remove:|as:|json$|fields$|check$)/;

const change = async (form, button) => {
  const sent = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") sent.append(name, value);
  sent.set("do", button.value);
  const answer = await fetch(form.getAttribute("action"), { method: "POST", body: sent, headers: { accept: "text/html" } });
  const page = await parse(answer);
  const fields = page.querySelector("[data-edit-fields]");
  if (!fields || answer.redirected) throw new Error("not the form");
  const old = form.querySelector("[data-edit-fields]");
  const had = new Set([...old.querySelectorAll("[id]")].map((one) => one.id));
  old.replaceWith(document.adoptNode(fields));
  const preview = page.querySelector("[data-edit-preview]");
  const place = document.querySelector("[data-edit-preview]");
  if (preview && place) place.replaceWith(document.adoptNode(preview));
  const added = [...fields.querySelectorAll("input[id], textarea[id], select[id]")].find((one) => !had.has(one.id));
  (button.value.startsWith("add:") && added ? added : document.getElementById(button.id))?.focus();
};

// Before whatever else listens for forms that are sent, since these are not.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  if (!button || button.name !== "do" || !changes.test(button.value) || !form.querySelector("[data-edit-fields]")) return;
  event.preventDefault();
  if ("changing" in form.dataset) return;
  form.dataset.changing = "";
  change(form, button)
    .catch(() => {
      const plain = document.createElement("input");
      plain.type = "hidden";
      plain.name = "do";
      plain.value = button.value;
      form.append(plain);
      form.submit();
    })
    .finally(() => delete form.dataset.changing);
}, true);

// Another kind of a value is put in place when it is chosen.
document.addEventListener("change", (event) => {
  const chosen = event.target;
  if (chosen instanceof HTMLSelectElement && "kind" in chosen.dataset) {
    document.getElementById(`${chosen.id}-as`)?.click();
  }
});

// Whoever fills something in wants it to be sent.
document.addEventListener("input", (event) => {
  const box = event.target.id && document.querySelector(`input[data-switch="${CSS.escape(event.target.id)}"]`);
  if (box && event.target.value !== "") {
    document.querySelectorAll(`input[data-switch="${CSS.escape(event.target.id)}"]`).forEach((one) => { one.checked = true; });
  }
});
