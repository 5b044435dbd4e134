/** The cookies of this front end. All are HttpOnly: no script of the browser sees a token. */

import { decodeJwt } from "jose";
import type { NextResponse } from "next/server";
import { IS_HTTPS } from "./settings";
import type { Pair } from "./service";

// Browsers take a __Host- cookie only over https, for this host alone and for every path.
const prefix = IS_HTTPS ? "__Host-" : "";
export const ACCESS = `${prefix}access`;
export const REFRESH = `${prefix}refresh`;
export const LOGIN = `${prefix}login`;

export const OPTIONS = { httpOnly: true, secure: IS_HTTPS, sameSite: "lax", path: "/" } as const;

type Jar = NextResponse["cookies"];

export function keepTokens(jar: Jar, pair: Pair): void {
  // The browser drops each when its token ends, whatever the clocks of the servers say.
  jar.set(ACCESS, pair.access, { ...OPTIONS, maxAge: lifetime(pair.access) });
  jar.set(REFRESH, pair.refresh, { ...OPTIONS, maxAge: lifetime(pair.refresh) });
}

export function forget(jar: Jar, ...names: string[]): void {
  for (const name of names) jar.set(name, "", { ...OPTIONS, maxAge: 0 });
}

function lifetime(token: string): number {
  const { exp = 0, iat = 0 } = decodeJwt(token);
  return exp - iat;
}
