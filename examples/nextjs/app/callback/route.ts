import { createHash, timingSafeEqual } from "node:crypto";
import type { NextRequest, NextResponse } from "next/server";
import { localPath } from "@/lib/begin";
import { forget, keepTokens, LOGIN, REFRESH } from "@/lib/cookies";
import { leadTo } from "@/lib/redirect";
import { exchange, logOut } from "@/lib/service";

/** The person comes back from the service with a one-time code, or with a refusal. */
export async function GET(request: NextRequest): Promise<NextResponse> {
  const [state = "", verifier = "", next = "/"] = (request.cookies.get(LOGIN)?.value ?? "").split(".");
  const query = request.nextUrl.searchParams;

  // Else a link of another site could log the person in to somebody else's account.
  // It leaves the cookie alone, which may be of a login that goes on in another tab.
  if (!state || !isSame(query.get("state") ?? "", state)) return leadTo("/refused?why=state");
  if (query.has("error")) return refused(query.get("error") === "access_denied" ? "denied" : "away");

  const pair = await exchange(query.get("code") ?? "", verifier, request.headers.get("User-Agent"));
  if (pair === "over") return refused("code");
  if (pair === "away") return refused("away");

  const former = request.cookies.get(REFRESH)?.value;
  if (former) await logOut(former); // one browser, one session
  const response = leadTo(localPath(next));
  keepTokens(response.cookies, pair);
  forget(response.cookies, LOGIN);
  return response;
}

function refused(why: "denied" | "code" | "away"): NextResponse {
  const response = leadTo(`/refused?why=${why}`);
  forget(response.cookies, LOGIN); // one use
  return response;
}

function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
