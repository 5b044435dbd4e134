/** The calls to the service that open, renew and end this front end's sessions. */

import { LOGUSERAPP_INTERNAL_URL } from "./settings";

export type Pair = { access: string; refresh: string };
/** "over": the service said so, and nothing else does. "away": it did not say. */
export type Outcome = Pair | "over" | "away";

const TIMEOUT_MS = 5_000;

/** Call the service; undefined if it gave no answer in time. */
export async function call(path: string, init: RequestInit = {}): Promise<Response | undefined> {
  try {
    return await fetch(`${LOGUSERAPP_INTERNAL_URL}/api/auth/${path}`, {
      ...init,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "error",
      cache: "no-store",
    });
  } catch {
    return undefined;
  }
}

export function post(path: string, body: object, userAgent?: string | null) {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  // So that the person's list of devices names the browser, not Node.js.
  if (userAgent) headers["User-Agent"] = userAgent;
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Exchange the one-time code of a login. */
export async function exchange(code: string, verifier: string, userAgent: string | null): Promise<Outcome> {
  const answer = await post("social/token/", { code, code_verifier: verifier }, userAgent);
  if (answer?.status === 400) return "over";
  return pairOf(answer);
}

// On the process, so that all bundles share it: see loguserapp.ts.
const pending = ((globalThis as Record<symbol, unknown>)[Symbol.for("loguserapp.pending")] ??=
  new Map()) as Map<string, Promise<Outcome>>;

/** Renew the tokens. Requests that come with one refresh token at a time share one call. */
export function refresh(token: string): Promise<Outcome> {
  let outcome = pending.get(token);
  if (!outcome) {
    outcome = refreshNow(token).finally(() => pending.delete(token));
    pending.set(token, outcome);
  }
  return outcome;
}

async function refreshNow(token: string): Promise<Outcome> {
  const answer = await post("token/refresh/", { refresh: token });
  if (answer?.status === 401) {
    const problem = await answer.json().catch(() => ({}));
    return problem.code === "token_not_valid" ? "over" : "away";
  }
  return pairOf(answer);
}

/** End the session of a refresh token; false if the service did not say that it has ended. */
export async function logOut(token: string): Promise<boolean> {
  const answer = await post("logout/", { refresh: token });
  return answer?.status === 200 || answer?.status === 401;
}

async function pairOf(answer: Response | undefined): Promise<Outcome> {
  if (answer?.status !== 200) return "away";
  const { access, refresh } = await answer.json().catch(() => ({}));
  return typeof access === "string" && typeof refresh === "string" ? { access, refresh } : "away";
}
