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
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(document.getElementById(button.dataset.copy));
    button.textContent = done ? "Copied" : "Selected";
    announce(done ? "Copied" : "Selected. Press Control and C to copy.");
    clearTimeout(back);
    back = setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// ---- Show password ----

function reveal(button, shown) {
  document.getElementById(button.getAttribute("aria-controls")).type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", shown);
  button.firstChild.data = shown ? "Hide" : "Show";
}

for (const button of all(".reveal")) {
  button.hidden = false;
  button.addEventListener("click", () => reveal(button, button.getAttribute("aria-pressed") !== "true"));
  // Sent as a password, so that the browser offers to keep it and never suggests it as text.
  button.form.addEventListener("submit", () => reveal(button, false));
}

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
  input.addEventListener("change", () => look(input));
}

// ---- The live examples on the home page ----

// Printed over a few lines when it is JSON, as it came when it is not.
function readable(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

const letters = (count, alphabet) =>
  Array.from(crypto.getRandomValues(new Uint32Array(count)), (n) => alphabet[n % alphabet.length]).join("");

function examples() {
  const name = `demo-${letters(6, "abcdefghjkmnpqrstuvwxyz23456789")}`;
  let password;
  let created = false;
  let token = document.getElementById("access-token")?.textContent;

  const show = (card, status, good, body) => {
    const mark = card.querySelector(".status");
    mark.textContent = status;
    mark.classList.toggle("good", good);
    mark.classList.toggle("bad", !good);
    card.querySelector(".answer").textContent = body;
    announce(`Answer: ${status}`);
  };

  const send = async (card, method, path, fields, headers = {}) => {
    const form = fields && new URLSearchParams(fields);
    const lines = [`${method} ${path}`, "Accept: application/json",
      ...Object.entries(headers).map(([key, value]) => `${key}: ${value}`)];
    if (form) lines.push("Content-Type: application/x-www-form-urlencoded", "", String(form).replaceAll("&", "\n&"));
    card.querySelector(".request").textContent = lines.join("\n");
    try {
      const answer = await fetch(path, {
        method, body: form, credentials: "omit", cache: "no-store",
        headers: { Accept: "application/json", ...headers },
      });
      const text = await answer.text();
      show(card, `${answer.status} ${answer.statusText}`.trim(), answer.ok, readable(text));
      return answer.ok ? JSON.parse(text) : undefined;
    } catch {
      show(card, "no answer", false, "The service could not be reached. Try again in a moment.");
      return undefined;
    }
  };

  const calls = {
    async register(card) {
      password ??= letters(16, "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789");
      const answer = await send(card, "POST", "/register", { username: name, email: `${name}@example.com`, password });
      created ||= Boolean(answer);
    },
    async login(card) {
      if (!created) {
        show(card, "not sent", false, `Press “Try it” on “Create an account” first: this call logs in as ${name}.`);
        return;
      }
      const answer = await send(card, "POST", "/login", { username: name, password });
      token = answer?.access_token ?? token;
    },
    async resource(card) {
      if (!token) {
        show(card, "not sent", false, "Press “Try it” on “Log in” first: this call needs the access token it answers with.");
        return;
      }
      await send(card, "GET", "/resource", undefined, { Authorization: `Bearer ${token}` });
    },
  };

  for (const element of all(".demo-name")) element.textContent = name;
  for (const element of all(".demo")) element.hidden = false;
  for (const button of all(".try")) {
    let busy = false;
    button.hidden = false;
    button.addEventListener("click", async () => {
      if (busy) return;
      busy = true;
      await calls[button.dataset.call](document.getElementById(button.dataset.call));
      busy = false;
    });
  }
}

if (document.querySelector(".try")) examples();
