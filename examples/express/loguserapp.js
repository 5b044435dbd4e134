// Trust the access tokens of loguserapp in an Express program: copy this file into your own.
//
//   app.get("/orders", tokenRequired, (req, res) => res.json(ordersOf(req.user)));

import { setTimeout as sleep } from "node:timers/promises";

import { errors, importJWK, jwtVerify } from "jose";

// The PUBLIC_URL of the service, and where this program reaches it.
const URL_ = (process.env.LOGUSERAPP_URL ?? "http://127.0.0.1:5000").replace(/\/$/, "");
const INTERNAL_URL = (process.env.LOGUSERAPP_INTERNAL_URL ?? URL_).replace(/\/$/, "");

// How far the clocks of the service and of this machine may be apart.
const LEEWAY_S = 150;
// The age at which the revoked list is asked for again.
const REVOKED_MAX_AGE_MS = 1000;
// The age at which the keys are asked for again: a key that was retired is refused by then.
const KEYS_MAX_AGE_MS = 300_000;
// How often an unknown key may cause a fetch of the keys.
const KEYS_COOLDOWN_MS = 10_000;
// How soon a fetch that failed is tried again.
const RETRY_MS = 1000;
// The time for a whole answer of the service, and how long others wait for the one who asks.
const DEADLINE_MS = 2000;
const PATIENCE_MS = 200;

const DETAILS = {
  token_missing: "An access token is required.",
  token_invalid: "The access token is invalid.",
  token_expired: "The access token has expired.",
  token_revoked: "The access token has been revoked.",
  service_unavailable: "The login service cannot be reached.",
};

class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

// Lets those in who send a good access token, as `req.user` and `req.claims`.
export async function tokenRequired(req, res, next) {
  try {
    req.claims = await verify(bearerToken(req));
    req.user = req.claims.sub;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    sendProblem(res, error.code);
    return;
  }
  next();
}

// The token of the Authorization header; neither cookie nor query counts.
function bearerToken(req) {
  // Node keeps the first of two headers in `req.headers`, and both here.
  const sent = req.headersDistinct.authorization ?? [];
  const [, scheme, token] = /^(\S*) *(.*)$/s.exec(sent.join(","));
  if (scheme.toLowerCase() !== "bearer") throw new Refused("token_missing");
  return token;
}

// The claims of a good access token.
export async function verify(token) {
  const claims = await verifySignature(token);
  if (claims.type !== "access") throw new Refused("token_invalid");
  if ((await revoked.get(REVOKED_MAX_AGE_MS)).has(claims.sid)) throw new Refused("token_revoked");
  return claims;
}

async function verifySignature(token) {
  try {
    const { payload } = await jwtVerify(token, (header) => findKey(header.kid), {
      algorithms: ["ES256"],
      typ: "at+jwt",
      issuer: URL_,
      audience: URL_,
      clockTolerance: LEEWAY_S,
      requiredClaims: ["exp", "nbf", "sub", "sid", "type"],
    });
    return payload;
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(error instanceof errors.JWTExpired ? "token_expired" : "token_invalid");
  }
}

// The key of this name, fetched if it is new. jose's createRemoteJWKSet bounds no size, forgets its
// keys after a time even if the service is away, and does not wait between two failures.
async function findKey(kid) {
  const key = (await keys.get(KEYS_MAX_AGE_MS)).get(kid) ?? (await keys.get(KEYS_COOLDOWN_MS)).get(kid);
  if (!key) throw new Refused("token_invalid");
  return key;
}

// A refusal as problem details (RFC 9457) with the challenge of RFC 6750.
function sendProblem(res, code) {
  const status = code === "service_unavailable" ? 503 : 401;
  const title = status === 503 ? "Service Unavailable" : "Unauthorized";
  res.status(status).type("application/problem+json").set("Cache-Control", "no-store");
  if (status === 503) res.set("Retry-After", "5");
  else res.set("WWW-Authenticate", code === "token_missing" ? "Bearer" : 'Bearer error="invalid_token"');
  res.send(JSON.stringify({ type: "about:blank", title, status, detail: DETAILS[code], code }));
}

// A document of the service, kept in memory and asked for again by one request at a time.
class Document {
  #url;
  #maxBytes;
  #read; // makes the value of a body and of the former value
  #value = null;
  #etag = null;
  #askedAt = -Infinity;
  #hasFailed = false;
  #pending = null;

  constructor(url, maxBytes, read) {
    this.#url = url;
    this.#maxBytes = maxBytes;
    this.#read = read;
  }

  // The document, asked for again if it is older than `maxAge` milliseconds.
  async get(maxAge) {
    if (this.#isDue(maxAge)) {
      if (this.#pending) await Promise.race([this.#pending, sleep(this.#patience())]);
      else await (this.#pending = this.#ask());
    }
    if (this.#value === null) throw new Refused("service_unavailable");
    return this.#value;
  }

  #isDue(maxAge) {
    const age = performance.now() - this.#askedAt;
    return age > (this.#hasFailed ? RETRY_MS : maxAge);
  }

  #patience() {
    if (this.#value === null) return DEADLINE_MS;
    return this.#hasFailed ? 0 : PATIENCE_MS;
  }

  async #ask() {
    try {
      const { status, etag, body } = await fetchWithin(this.#url, this.#maxBytes, this.#etag);
      if (status === 200) {
        this.#value = await this.#read(JSON.parse(body), this.#value);
        this.#etag = etag;
      } else if (status !== 304 || this.#value === null) {
        throw new Error(`status ${status}`);
      }
      this.#hasFailed = false;
    } catch (error) {
      // Whatever is no good answer is none.
      this.#hasFailed = true;
      console.warn(`no answer from ${this.#url}: ${error.message}`);
    } finally {
      this.#askedAt = performance.now();
      this.#pending = null;
    }
  }
}

// GETs a document; the deadline holds for the whole answer.
async function fetchWithin(url, maxBytes, etag) {
  const response = await fetch(url, {
    headers: etag ? { "If-None-Match": etag } : {},
    redirect: "manual",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const pieces = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > maxBytes) throw new Error("too long");
    pieces.push(piece);
  }
  const body = Buffer.concat(pieces).toString();
  return { status: response.status, etag: response.headers.get("ETag"), body };
}

// The keys by name: those for ES256 alone.
async function readKeys(found) {
  const keys = new Map();
  for (const { kty, crv, x, y, kid } of found.keys) {
    if (kty !== "EC" || crv !== "P-256" || typeof kid !== "string") continue;
    const key = await importJWK({ kty, crv, x, y }, "ES256").catch(() => null);
    if (key) keys.set(kid, key);
  }
  if (keys.size === 0) throw new Error("no key for ES256");
  return keys;
}

// The revoked sessions, each with the time at which its last token expires. A session that left the
// list stays here for the time in which LEEWAY_S could let its token in.
function readRevoked(found, before) {
  const now = Date.now() / 1000;
  const left = [...(before ?? [])].filter(([, until]) => until + LEEWAY_S > now);
  const listed = found.revoked.map(({ sid, until }) => {
    if (typeof sid !== "string" || typeof until !== "number") throw new Error("not a session");
    return [sid, until];
  });
  return new Map([...left, ...listed]);
}

const keys = new Document(`${INTERNAL_URL}/.well-known/jwks.json`, 64 * 1024, readKeys);
const revoked = new Document(`${INTERNAL_URL}/api/auth/revoked/`, 10 * 1024 * 1024, readRevoked);
