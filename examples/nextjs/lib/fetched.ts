/** A document of the service, kept in memory and asked for again by one request at a time. */

import { setTimeout as sleep } from "node:timers/promises";

// How soon a fetch that failed is tried again.
const RETRY_MS = 1_000;
// The time for a whole answer of the service, and how long others wait for the one who asks.
const DEADLINE_MS = 2_000;
const PATIENCE_MS = 200;

export class Fetched<T> {
  #value: T | undefined;
  #etag = "";
  #askedAt = -Infinity;
  #hasFailed = false;
  #pending: Promise<void> | undefined;

  constructor(
    readonly url: string,
    readonly maxBytes: number,
    /** Makes the value of a body and of the former value; throws if the body is no good. */
    readonly parse: (body: unknown, before: T | undefined) => T | Promise<T>,
  ) {}

  /** The value, asked for again if it is older than `maxAge` milliseconds; undefined at first. */
  async get(maxAge: number): Promise<T | undefined> {
    if (this.#isDue(maxAge)) {
      if (this.#pending) await Promise.race([this.#pending, sleep(this.#patience())]);
      else await (this.#pending = this.#ask());
    }
    return this.#value;
  }

  #isDue(maxAge: number): boolean {
    const age = performance.now() - this.#askedAt;
    return age > (this.#hasFailed ? RETRY_MS : maxAge);
  }

  #patience(): number {
    if (this.#value === undefined) return DEADLINE_MS;
    return this.#hasFailed ? 0 : PATIENCE_MS;
  }

  async #ask(): Promise<void> {
    try {
      const answer = await fetch(this.url, {
        headers: this.#etag ? { "If-None-Match": this.#etag } : {},
        signal: AbortSignal.timeout(DEADLINE_MS),
        redirect: "error",
        cache: "no-store",
      });
      const body = await read(answer, this.maxBytes);
      if (answer.status === 200) {
        this.#value = await this.parse(JSON.parse(body), this.#value);
        this.#etag = answer.headers.get("ETag") ?? "";
      } else if (answer.status !== 304 || this.#value === undefined) {
        throw new Error(`status ${answer.status}`);
      }
      this.#hasFailed = false;
    } catch (error) {
      // Whatever is no good answer is none: the last value goes on counting.
      this.#hasFailed = true;
      console.error(`loguserapp: no good answer from ${this.url}: ${error}`);
    } finally {
      this.#askedAt = performance.now();
      this.#pending = undefined;
    }
  }
}

async function read(answer: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
