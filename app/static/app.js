// What the pages do with JavaScript on top of what they do without it.
// Every control made alive here is `hidden` in the markup until then.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const live = document.getElementById("live");

// The same words twice in a row are announced twice.
function announce(text) {
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 50);
}

// ---- A refused form: bring the person to what needs them ----

// After `autofocus` had its turn, and never away from where the person is already.
addEventListener("load", () => requestAnimationFrame(() => {
  if (document.activeElement !== document.body) return;
  document.querySelector(".summary, [aria-invalid=true]")?.focus();
}));

// ---- What Facebook leaves at the end of the address ----

if (location.hash === "#_=_") history.replaceState(null, "", location.pathname + location.search);

// ---- Copy ----

async function copy(element) {
  const text = element.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http on another machine has no clipboard: select, and ask the old way.
    const selection = getSelection();
    selection.selectAllChildren(element);
    if (!document.execCommand("copy")) return false;
    selection.removeAllRanges();
  }
  return true;
}

for (const button of all(".copy")) {
  let back;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(document.getElementById(button.dataset.copy));
    const { done: copied, selected } = button.dataset;
    if (done) button.textContent = copied;
    announce(done ? copied : selected);
    clearTimeout(back);
    back = setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// ---- Show password ----

function reveal(button, shown) {
  // The pressed state alone says it: with another label too, "Hide password, pressed" would be heard.
  document.getElementById(button.getAttribute("aria-controls")).type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", shown);
}

for (const button of all(".reveal")) {
  button.hidden = false;
  button.addEventListener("click", () => reveal(button, button.getAttribute("aria-pressed") !== "true"));
  // Sent as a password, so that the browser offers to keep it and never suggests it as text.
  button.form.addEventListener("submit", () => reveal(button, false));
}

// ---- Exact times, in the reader's own zone ----

for (const time of all("time.exact")) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  time.textContent = format.format(new Date(time.dateTime));
}
// Where another text would move what stands beside it.
for (const time of all("time[data-exact]")) time.title = new Date(time.dateTime).toLocaleString(document.documentElement.lang);

// ---- When to try again, by the reader's own clock ----

for (const line of all("[data-clock]")) {
  const minute = 60_000;
  const again = Math.ceil((Date.now() + line.dataset.wait * 1000) / minute) * minute;
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" });
  line.textContent = line.dataset.clock.replace("{time}", format.format(again));
}

// ---- A form is sent once; its button says what is being done ----

const sent = new Set();

function takeAgain(form) {
  sent.delete(form);
  for (const button of all("[aria-disabled]", form)) {
    button.removeAttribute("aria-disabled");
    if (button.dataset.idle) button.textContent = button.dataset.idle;
  }
}

// Heard after the listeners of the forms themselves, which may send in another way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (sent.has(form)) {
    event.preventDefault();
    return;
  }
  sent.add(form);
  const button = event.submitter ?? form.querySelector("button:not([type=button])");
  button.setAttribute("aria-disabled", "true");
  if (button.dataset.busy) {
    button.style.minWidth = `${button.offsetWidth}px`;  // what follows stays where it is
    button.dataset.idle = button.textContent;
    button.textContent = button.dataset.busy;
    announce(button.dataset.busy);
  }
  setTimeout(takeAgain, 20_000, form);  // the person may have stopped the page from loading
});

// Back on a page that the browser kept as it was left.
addEventListener("pageshow", () => {
  for (const form of sent) takeAgain(form);
});

// ---- A look at each field when it is left; the server has the last word ----

function complaint(input) {
  const { validity, dataset } = input;
  const limit = Number(dataset.maxbytes);
  if (validity.valueMissing) return dataset.missing;
  if (validity.tooShort) return dataset.short;
  if (validity.patternMismatch || validity.typeMismatch) return dataset.mismatch;
  if (limit && new TextEncoder().encode(input.value.normalize("NFC")).length > limit) return dataset.long;
  return undefined;
}

function look(input) {
  const note = document.getElementById(`${input.id}-note`);
  const message = complaint(input);
  note.style.minHeight = `${note.offsetHeight}px`;  // what was tall stays tall: nothing below moves up
  note.textContent = message ?? note.dataset.hint ?? "";
  note.classList.toggle("error", Boolean(message));
  if (message) {
    input.setAttribute("aria-invalid", "true");
    announce(message);
  } else {
    input.removeAttribute("aria-invalid");
  }
}

for (const input of all(".field input, .field textarea")) {
  // A field passed by without typing is not judged.
  input.addEventListener("change", () => {
    if ("trim" in input.dataset) input.value = input.value.trim();
    look(input);
  });
}
