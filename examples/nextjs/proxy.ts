/** Runs before every page, and is the one place that renews tokens: pages cannot set cookies. */

import { randomBytes } from "node:crypto";
import { NextResponse, type NextRequest } from "next/server";
import { ACCESS, forget, keepTokens, REFRESH } from "@/lib/cookies";
import { verify } from "@/lib/loguserapp";
import { AWAY } from "@/lib/person";
import { refresh, type Outcome } from "@/lib/service";

export const config = {
  matcher: [
    {
      // Not those that set or end the session themselves, nor files.
      source: "/((?!api/|login$|register$|callback$|logout$|_next/|icon.svg).*)",
      // The browser may drop the answer to a prefetch, and new tokens with it.
      missing: [{ type: "header", key: "next-router-prefetch" }],
    },
  ],
};

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const renewed = await renew(request);

  // To the page of this same request: the new tokens, as if the browser had sent them.
  if (renewed === "over") request.cookies.delete([ACCESS, REFRESH]);
  else if (typeof renewed === "object") {
    request.cookies.set(ACCESS, renewed.access);
    request.cookies.set(REFRESH, renewed.refresh);
  }
  const headers = new Headers(request.headers);
  headers.set(AWAY, renewed === "away" ? "1" : "");
  const policy = contentSecurityPolicy();
  headers.set("Content-Security-Policy", policy); // where Next.js finds the nonce

  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Content-Security-Policy", policy);
  if (renewed === "over") forget(response.cookies, ACCESS, REFRESH);
  else if (typeof renewed === "object") keepTokens(response.cookies, renewed);
  return response;
}

/** New tokens where the old ones end or are refused; undefined where they stay as they are. */
async function renew(request: NextRequest): Promise<Outcome | undefined> {
  const access = request.cookies.get(ACCESS)?.value;
  const refreshToken = request.cookies.get(REFRESH)?.value;
  const found = access ? await verify(access) : undefined;
  if (typeof found === "object" && !endsSoon(found)) return undefined;
  if (!refreshToken) return undefined;

  const outcome = await refresh(refreshToken);
  // What the token still has to live is enough for this page.
  return outcome === "away" && typeof found === "object" ? undefined : outcome;
}

function endsSoon({ expiresAt, lifetime }: { expiresAt: number; lifetime: number }): boolean {
  return expiresAt - Date.now() / 1000 < Math.min(60, lifetime / 5);
}

function contentSecurityPolicy(): string {
  const nonce = randomBytes(16).toString("base64");
  const inDevelopment = process.env.NODE_ENV === "development";
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'${inDevelopment ? " 'unsafe-eval'" : ""}`,
    `style-src 'self'${inDevelopment ? " 'unsafe-inline'" : ""}`,
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
