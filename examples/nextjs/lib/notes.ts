/** The notes back end, which trusts the same access token. */

import { LARAVEL_URL } from "./settings";

export type Note = { id: number; text: string; created_at: string };

const TIMEOUT_MS = 5_000;

export async function listNotes(token: string): Promise<Note[] | "over" | "away"> {
  const answer = await send(token);
  if (answer?.status === 401) return "over";
  if (answer?.status !== 200) return "away";
  const body = await answer.json().catch(() => ({}));
  return Array.isArray(body.notes) ? body.notes : "away";
}

export async function addNote(token: string, text: string): Promise<Note | "refused" | "over" | "away"> {
  const answer = await send(token, { method: "POST", body: JSON.stringify({ text }) });
  if (answer?.status === 201) return answer.json();
  if (answer?.status === 422) return "refused";
  return answer?.status === 401 ? "over" : "away";
}

async function send(token: string, init: RequestInit = {}): Promise<Response | undefined> {
  try {
    return await fetch(`${LARAVEL_URL}/api/notes`, {
      ...init,
      headers: {
        Accept: "application/json",
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json",
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "error",
      cache: "no-store",
    });
  } catch {
    return undefined;
  }
}
