import { APP_URL } from "./settings";

/** Whether a form of this front end sent a request, and not another site's (CSRF).
 *
 * Server actions need no such check: Next.js compares Origin and Host before it runs them.
 */
export function isOwnForm(request: Request): boolean {
  const site = request.headers.get("Sec-Fetch-Site");
  return site ? site === "same-origin" : request.headers.get("Origin") === APP_URL;
}
