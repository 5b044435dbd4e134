/** The settings: environment variables, or the file .env. */

function address(name: string, standard: string): string {
  const text = (process.env[name] || standard).replace(/\/$/, "");
  const { protocol } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") {
    throw new Error(`${name} must begin with https:// or http://.`);
  }
  return text;
}

// PUBLIC_URL of the service: where browsers go, and `iss` and `aud` of its tokens.
export const LOGUSERAPP_URL = address("LOGUSERAPP_URL", "http://127.0.0.1:5000");
// Where this program reaches the service.
export const LOGUSERAPP_INTERNAL_URL = address("LOGUSERAPP_INTERNAL_URL", LOGUSERAPP_URL);
// Where browsers reach this front end. Never taken from the Host header.
export const APP_URL = address("APP_URL", "http://127.0.0.1:3000");
export const LARAVEL_URL = address("LARAVEL_URL", "http://127.0.0.1:8001");

export const IS_HTTPS = APP_URL.startsWith("https:");

if (!IS_HTTPS && !/^(127\.0\.0\.1|localhost|\[::1\])$/.test(new URL(APP_URL).hostname)) {
  throw new Error("APP_URL must begin with https://: over http anyone in between reads the tokens.");
}
