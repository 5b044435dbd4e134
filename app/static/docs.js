// Draws the API documentation from the service's own description.

const host = document.getElementById("swagger-ui");

// Swagger UI's dark colours hang on a class of <html>: follow the system's setting.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: host.dataset.url,
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // The validator's badge would ask another host.
  validatorUrl: null,
  // A call goes to the service this page came from, under whatever name the person reached it (the
  // page may fetch from nowhere else), and asks for a program's answer.
  requestInterceptor(request) {
    if (request.loadSpec) return request;
    const { pathname, search } = new URL(request.url, location);
    request.url = location.origin + pathname + search;
    request.headers.accept = "application/json";
    return request;
  },
});
