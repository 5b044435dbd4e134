/** Whether an access token is good: keys, revoked list, checks. Copy this file and fetched.ts. */

import { decodeProtectedHeader, errors, importJWK, jwtVerify, type JWK, type JWTPayload } from "jose";
import { Fetched } from "./fetched";
import { LOGUSERAPP_INTERNAL_URL, LOGUSERAPP_URL } from "./settings";

export type Person = { id: string; sid: string; expiresAt: number; lifetime: number };
export type Refusal = "token_invalid" | "token_expired" | "token_revoked" | "service_unavailable";

const LEEWAY = 150; // seconds that two clocks may be apart
const KEYS_MAX_AGE_MS = 300_000; // by then a key that was retired is refused here too
const KEYS_COOLDOWN_MS = 10_000; // how often unknown keys may cause a fetch
const LIST_MAX_AGE_MS = 1_000;

type Key = Awaited<ReturnType<typeof importJWK>>;
type Keys = Map<string, Key>; // by kid
type Revoked = Map<string, number>; // sid -> until, in Unix seconds

/** The keys by name: those for ES256 alone. */
async function parseKeys(body: unknown): Promise<Keys> {
  const keys: Keys = new Map();
  for (const { kty, crv, x, y, kid } of (body as { keys: JWK[] }).keys) {
    if (kty !== "EC" || crv !== "P-256" || typeof kid !== "string") continue;
    const key = await importJWK({ kty, crv, x, y }, "ES256").catch(() => undefined);
    if (key) keys.set(kid, key);
  }
  if (keys.size === 0) throw new Error("no key for ES256");
  return keys;
}

function parseRevoked(body: unknown, before: Revoked = new Map()): Revoked {
  const { revoked } = body as { revoked: { sid: string; until: number }[] };
  const now = Date.now() / 1000;
  // A session leaves the list when its last token ends, which a slow clock learns later.
  const list = new Map([...before].filter(([, until]) => until + LEEWAY > now));
  for (const { sid, until } of revoked) {
    if (typeof sid !== "string" || typeof until !== "number") throw new Error("not a revoked list");
    list.set(sid, until);
  }
  return list;
}

// Next.js bundles proxy.ts and the pages apart, each with its own copy of this module. One process
// needs one set of keys, so it hangs on the process.
const shared = ((globalThis as Record<symbol, unknown>)[Symbol.for("loguserapp")] ??= {
  keys: new Fetched(`${LOGUSERAPP_INTERNAL_URL}/.well-known/jwks.json`, 64 * 1024, parseKeys),
  revoked: new Fetched(`${LOGUSERAPP_INTERNAL_URL}/api/auth/revoked/`, 10_000_000, parseRevoked),
}) as { keys: Fetched<Keys>; revoked: Fetched<Revoked> };

/** The person of an access token, or why there is none. */
export async function verify(token: string): Promise<Person | Refusal> {
  const kid = kidOf(token);
  const keys = await keysFor(kid);
  if (!keys) return "service_unavailable";
  const key = keys.get(kid);
  const found = key ? await verifySignature(token, key) : "token_invalid";
  if (typeof found === "string") return found;
  const revoked = await shared.revoked.get(LIST_MAX_AGE_MS);
  if (!revoked) return "service_unavailable";
  return revoked.has(found.sid) ? "token_revoked" : found;
}

async function verifySignature(token: string, key: Key): Promise<Person | Refusal> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ["ES256"],
      typ: "at+jwt",
      issuer: LOGUSERAPP_URL,
      audience: LOGUSERAPP_URL,
      requiredClaims: ["exp", "nbf", "sub", "sid", "type"],
      clockTolerance: LEEWAY,
    });
    return personOf(payload) ?? "token_invalid";
  } catch (error) {
    const isExpired = error instanceof errors.JWTExpired && personOf(error.payload);
    return isExpired ? "token_expired" : "token_invalid";
  }
}

function personOf({ sub, sid, type, iat, exp }: JWTPayload): Person | undefined {
  if (type !== "access" || !sub || typeof sid !== "string" || !sid) return undefined;
  const [from, until] = [iat ?? 0, exp ?? 0];
  return { id: sub, sid, expiresAt: until, lifetime: until - from };
}

/** The keys, fetched again if this one is new. */
async function keysFor(kid: string): Promise<Keys | undefined> {
  const keys = await shared.keys.get(KEYS_MAX_AGE_MS);
  return keys?.has(kid) ? keys : shared.keys.get(KEYS_COOLDOWN_MS);
}

/** The name of a token's key, "" where it has none. */
function kidOf(token: string): string {
  try {
    return decodeProtectedHeader(token).kid ?? "";
  } catch {
    return "";
  }
}
