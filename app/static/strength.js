// A new password is judged by the service's own rule when its field is left.
// What the browser can tell by itself, app.js has said by then.

const live = document.getElementById("live");

async function judge(input) {
  const fields = new URLSearchParams({ password: input.value });
  for (const name of ["csrf_token", "username", "email"]) {
    const value = input.form.elements[name]?.value.trim();
    if (value) fields.set(name, value);
  }
  const answer = await fetch(input.dataset.strength, {
    method: "POST", body: fields, headers: { Accept: "text/html" },
  });
  return answer.ok ? (await answer.json()).message : "";
}

function show(input, message) {
  const note = document.getElementById(`${input.id}-note`);
  note.textContent = message;
  note.classList.add("error");
  input.setAttribute("aria-invalid", "true");
  live.textContent = message;
}

for (const input of document.querySelectorAll("input[data-strength]")) {
  input.addEventListener("change", async () => {
    const judged = input.value;
    if (!judged || input.getAttribute("aria-invalid")) return;
    // Nothing is said where the service does not answer: it decides when the form is sent.
    const message = await judge(input).catch(() => "");
    if (message && input.value === judged) show(input, message);
  });
}
