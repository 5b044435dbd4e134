/** The start of a login: the person goes to the service, which sends them back to /callback. */

import { createHash, randomBytes } from "node:crypto";
import { NextResponse, type NextRequest } from "next/server";
import { LOGIN, OPTIONS } from "./cookies";
import { APP_URL, LOGUSERAPP_URL } from "./settings";

export const REDIRECT_URI = `${APP_URL}/callback`;
const MINUTES = 30; // a person may have to register, or look for a password

export function begin(request: NextRequest, page: "login" | "register"): NextResponse {
  const state = randomBytes(32).toString("base64url");
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    redirect_uri: REDIRECT_URI,
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const response = new NextResponse(null, { status: 303 });
  response.headers.set("Location", `${LOGUSERAPP_URL}/${page}?${query}`);
  response.headers.set("Cache-Control", "no-store");
  const next = localPath(request.nextUrl.searchParams.get("next"));
  response.cookies.set(LOGIN, `${state}.${verifier}.${next}`, { ...OPTIONS, maxAge: MINUTES * 60 });
  return response;
}

/** A path of this front end, so that no link leads a person elsewhere after the login. */
export function localPath(text: string | null): string {
  return text && /^\/[a-z]*$/.test(text) ? text : "/";
}
