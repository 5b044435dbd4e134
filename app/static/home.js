// The home page: its examples are tried for real, and the token is unfolded.

const all = (selector) => [...document.querySelectorAll(selector)];

// ---- The same language everywhere ----

for (const input of all(".tabs input")) {
  input.addEventListener("change", () => {
    for (const other of all(`.tabs input[value=${input.value}]`)) other.checked = true;
  });
}

// ---- The token ----

for (const button of all(".unfold")) {
  const box = document.getElementById(button.getAttribute("aria-controls"));
  const more = button.textContent;
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = !box.classList.toggle("fold");
    button.setAttribute("aria-expanded", open);
    button.textContent = open ? button.dataset.less : more;
  });
}

// In the person's own time zone. A new line in place of the old one: no text of it moves.
for (const line of all(".until")) {
  const local = line.cloneNode(true);
  const time = local.querySelector("time");
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  time.textContent = clock.format(new Date(time.dateTime));
  line.replaceWith(local);
}

// ---- Only what scrolls is a stop for the keyboard ----

const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => reach(target)));

function reach(box) {
  const scrolls = box.scrollHeight > box.clientHeight;
  const attributes = { tabindex: "0", role: "region", "aria-label": box.dataset.label };
  for (const [name, value] of Object.entries(attributes)) {
    if (scrolls) box.setAttribute(name, value);
    else box.removeAttribute(name);
  }
}

for (const box of all(".answer-box")) sizes.observe(box);

// ---- The examples ----

// Printed over a few lines when it is JSON, as it came when it is not.
function readable(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function madeUpPassword() {
  const alphabet = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
  return Array.from(crypto.getRandomValues(new Uint32Array(16)), (n) => alphabet[n % alphabet.length]).join("");
}

function examples(texts) {
  const { name } = texts;
  // Before the access token ends that deletes the account.
  const LIFE = 10 * 60_000;
  const password = madeUpPassword();
  let created = false;
  let token;        // of "Log in", for the person to use
  let removing;     // an access token that deletes the account when the person leaves

  const show = (card, status, kind, body) => {
    const mark = card.querySelector(".status");
    mark.textContent = status;
    mark.classList.toggle("good", kind === "good");
    mark.classList.toggle("bad", kind === "bad");
    card.querySelector(".answer").textContent = body;
    reach(card.querySelector(".answer-box"));
  };

  const ask = (method, path, fields, headers = {}) => fetch(path, {
    method, body: fields && new URLSearchParams(fields), credentials: "omit", cache: "no-store",
    headers: { Accept: "application/json", ...headers },
  });

  const send = async (card, method, path, fields, headers = {}) => {
    const lines = [`${method} ${path}`, "Accept: application/json",
      ...Object.entries(headers).map(([key, value]) => `${key}: ${value}`)];
    if (fields) lines.push("Content-Type: application/x-www-form-urlencoded", "", String(new URLSearchParams(fields)).replaceAll("&", "\n&"));
    card.querySelector(".request").textContent = lines.join("\n");
    card.querySelector("input[value=HTTP]").checked = true;
    show(card, texts.waiting, "", "…");
    try {
      const answer = await ask(method, path, fields, headers);
      const text = await answer.text();
      show(card, `${answer.status} ${answer.statusText}`.trim(), answer.ok ? "good" : "bad", readable(text));
      return answer.ok ? JSON.parse(text) : undefined;
    } catch {
      show(card, texts.silent, "bad", texts.unreachable);
      return undefined;
    }
  };

  const loggedIn = async () => {
    const answer = await ask("POST", "/login", { username: name, password });
    return answer.ok ? (await answer.json()).access_token : undefined;
  };

  // `keepalive` lets it be sent while the page goes away; then nothing can be awaited.
  const remove = () => {
    if (!created || !removing) return;
    created = false;
    token = undefined;
    fetch("/api/auth/me/", {
      method: "DELETE", keepalive: true, credentials: "omit",
      body: new URLSearchParams({ current_password: password }),
      headers: { Accept: "application/json", Authorization: `Bearer ${removing}` },
    }).catch(() => {});
  };

  const calls = {
    async register(card) {
      if (!await send(card, "POST", "/register", { username: name, email: `${name}@example.com`, password })) return;
      created = true;
      removing = await loggedIn().catch(() => undefined);
      setTimeout(remove, LIFE);
    },
    async login(card) {
      if (!created) {
        show(card, texts.unsent, "bad", texts.registerFirst);
        return;
      }
      const answer = await send(card, "POST", "/login", { username: name, password });
      token = answer?.access_token ?? token;
      removing ??= token;
    },
    async resource(card) {
      if (!token) {
        show(card, texts.unsent, "bad", texts.loginFirst);
        return;
      }
      await send(card, "GET", "/resource", undefined, { Authorization: `Bearer ${token}` });
    },
  };

  addEventListener("pagehide", remove);
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

const demo = document.querySelector(".demo");
if (demo) examples(demo.dataset);
