// Tries calls on the page of the API: Swagger UI is loaded when it is asked for, and not before.

const button = document.getElementById("try");
const reference = document.getElementById("reference");
const host = document.getElementById("swagger-ui");
const { url, token, scriptSrc, styleHref } = host.dataset;
const { loading, back, failed } = button.dataset;
const inviting = button.textContent;

function add(element, attributes) {
  return new Promise((resolve, reject) => {
    Object.assign(element, attributes, { onload: resolve, onerror: () => { element.remove(); reject(); } });
    document.head.append(element);
  });
}

// Swagger UI's dark colours hang on a class of <html>: follow the system's setting.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);

async function load() {
  await Promise.all([
    add(document.createElement("link"), { rel: "stylesheet", href: styleHref }),
    add(document.createElement("script"), { src: scriptSrc }),
  ]);
  dark.addEventListener("change", follow);
  follow();
  await new Promise((resolve) => {
    const ui = SwaggerUIBundle({
      url,
      dom_id: "#swagger-ui",
      deepLinking: true,
      defaultModelsExpandDepth: -1,
      tryItOutEnabled: true,
      // The validator's badge would ask another host.
      validatorUrl: null,
      // A call goes to the service this page came from, under whatever name the person reached it
      // (the page may fetch from nowhere else), and asks for a program's answer.
      requestInterceptor(request) {
        if (request.loadSpec) return request;
        const { pathname, search } = new URL(request.url, location);
        request.url = location.origin + pathname + search;
        request.headers.accept = "application/json";
        return request;
      },
      onComplete() {
        if (token) ui.preauthorizeApiKey("accessToken", token);
        resolve();
      },
    });
  });
}

function show(trying) {
  host.hidden = !trying;
  reference.hidden = trying;
  button.textContent = trying ? back : inviting;
  if (!trying) return;
  // The page has its main part already.
  host.querySelector("main")?.setAttribute("role", "group");
  host.focus({ preventScroll: true });
}

let loaded = false;
let busy = false;

button.hidden = false;
button.addEventListener("click", async () => {
  if (busy) return;
  if (loaded) {
    show(host.hidden);
    return;
  }
  busy = true;
  button.setAttribute("aria-disabled", "true");
  button.textContent = loading;
  document.getElementById("live").textContent = loading;
  try {
    await load();
    loaded = true;
    show(true);
  } catch {
    button.textContent = failed;
    document.getElementById("live").textContent = failed;
  }
  button.removeAttribute("aria-disabled");
  busy = false;
});
