/** Who opened this page. Every page and action asks for itself; proxy.ts only renews tokens. */

import { cookies, headers } from "next/headers";
import { cache } from "react";
import { ACCESS } from "./cookies";
import { verify, type Person } from "./loguserapp";

// Set by proxy.ts where the service could not be asked whether the session goes on.
export const AWAY = "x-service-away";

export type Visitor = Person & { token: string };

/** The person, undefined if nobody is logged in, "away" if only the service could tell. */
export const visitor = cache(async (): Promise<Visitor | "away" | undefined> => {
  const token = (await cookies()).get(ACCESS)?.value;
  const found = token ? await verify(token) : undefined;
  if (token && typeof found === "object") return { ...found, token };
  const isAway = found === "service_unavailable" || (await headers()).get(AWAY) === "1";
  return isAway ? "away" : undefined;
});
