// The portable entry: moves bytes between the caller, the guard and the model. What to decide is the wasm's business.
// It needs what Fetch-style hosts have: Request, Response, fetch, streams, crypto, timers.

import { Guard, initSync, __wbg_reset_state as resetState } from "./modelgate_edge.js";
import { readBody, replay, readHeaders, respond, withHeaders } from "./http.mjs";

// All guards of an isolate share the one wasm instance; a trap in any of them poisons it for all.
let generation = 0;
let poisoned = false;

// What is said when not even a new instance can word the refusal.
const LAST_RESORT = {
  status: 503,
  headers: [["content-type", "application/json"], ["x-modelgate-verdict", "block"]],
  body: '{"error":{"message":"The request cannot be checked at the moment. Please try again.","type":"server_error"}}',
};

/** A failure inside the wasm, as opposed to one of the caller, the model or the relay. */
class GuardFailure extends Error {}

/** See guard.d.ts. Throws when a binding is wrong, so that a broken deployment does not start. */
export function createGuard(module, env, host = {}) {
  initSync({ module });
  const shell = new Shell(env, host);
  return { fetch: (request, ctx) => shell.fetch(request, ctx) };
}

class Shell {
  constructor(env, host) {
    this.upstream = origin(env, "UPSTREAM");
    const relay = env.RELAY_URL ? origin(env, "RELAY_URL") : undefined;
    const key = env.MODELGATE_WEBHOOK_KEY || undefined;
    if (!relay || !key) console.warn("modelgate: RELAY_URL or MODELGATE_WEBHOOK_KEY is not set, nothing is reported");
    this.make = () => new Guard(env.POLICY ?? "", relay && key, env.NODE ?? "");
    this.addressOf = host.address ?? (() => undefined);
    this.guard = this.make();
    this.generation = generation;
    this.relayUrl = relay + this.guard.relayPath;
    this.calloutTimeout = this.guard.calloutTimeout;
    // Events in the instance's queue, and those that went down with an instance.
    this.waiting = 0;
    this.lost = 0;
  }

  /** Calls into the wasm. Whatever it throws has left the instance in an unknown state: no call enters it again. */
  call(body) {
    const called = generation;
    try {
      if (this.generation !== generation) this.renew();
      const result = body(this.guard);
      this.waiting = this.guard.waiting;
      return result;
    } catch (cause) {
      if (called === generation) {
        generation += 1;
        poisoned = true;
      }
      throw new GuardFailure("the guard failed", { cause });
    }
  }

  /** A guard in a new instance, whoever's trap took the old one away. */
  renew() {
    if (poisoned) resetState();
    poisoned = false;
    this.lost += this.waiting;
    this.waiting = 0;
    this.guard = this.make();
    this.generation = generation;
  }

  async fetch(request, ctx) {
    const { pathname, search } = new URL(request.url);
    const asked = { method: request.method, path: pathname, address: this.addressOf(request) };
    try {
      const headers = readHeaders(request.headers);
      const { answer, body } = await this.decide(request, asked, headers);
      if (answer.errand) ctx.waitUntil(this.run(answer.errand));
      if (answer.reply) return respond(request, answer.reply);
      return await this.forward(request, pathname, search, headers.dropped, body, answer.headers);
    } catch (error) {
      if (!(error instanceof GuardFailure)) throw error;
      return this.refuse(request, asked, error, ctx);
    }
  }

  /** The guard's answer, and the body to send on: bytes, a stream or null. */
  async decide(request, asked, { text, length }) {
    let exchange = this.open(asked, text, request.body !== null);
    try {
      const limit = this.call(() => exchange.bodyLimit);
      if (limit < 0) return { answer: this.answer(() => exchange.answer()), body: request.body };
      const read = await readBody(request, length, limit);
      // Another request's trap took the instance away while this body arrived.
      if (exchange.generation !== generation) exchange = this.open(asked, text, true);
      if (!read.rest) return { answer: this.answer(() => exchange.judge(read.body, Date.now())), body: read.body };
      const answer = this.answer(() => exchange.tooLarge(read.seen, Date.now()));
      if (!answer.reply) return { answer, body: replay(read) };
      read.rest.cancel().catch(() => {});
      return { answer, body: null };
    } finally {
      if (exchange.generation === generation) this.call(() => exchange.free());
    }
  }

  open({ method, path, address }, headers, hasBody) {
    const exchange = this.call((guard) =>
      guard.open(method, path, address, headers, hasBody, Date.now(), entropy(20)));
    exchange.generation = generation;
    return exchange;
  }

  answer(body) {
    return JSON.parse(this.call(body));
  }

  async forward(request, path, search, dropped, body, headers) {
    const { method, signal } = request;
    const kept = new Headers(request.headers);
    for (const name of dropped) kept.delete(name);
    // fetch() knows no body here; one that came all the same was judged and goes no further.
    const bodiless = method === "GET" || method === "HEAD";
    let response;
    try {
      response = await fetch(this.upstream + path + search, {
        method,
        headers: kept,
        body: bodiless ? undefined : body,
        redirect: "manual",
        duplex: "half",
        signal,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      console.error(`modelgate: upstream: ${error}`);
      const body = this.call((guard) => guard.upstreamFailure(path));
      return respond(request, { status: 502, headers: [["content-type", "application/json"], ...headers], body });
    }
    return withHeaders(new Response(response.body, response), headers);
  }

  /** Failure mode "deny": what cannot be checked does not pass. */
  refuse(request, { method, path, address }, error, ctx) {
    console.error("modelgate:", error.message, error.cause?.stack ?? error.cause);
    try {
      const answer = this.answer((guard) =>
        guard.trapped(method, path, address, this.lost, Date.now(), entropy(10)));
      this.lost = 0;
      if (answer.errand) ctx.waitUntil(this.run(answer.errand));
      return respond(request, answer.reply);
    } catch (again) {
      console.error("modelgate: no new instance:", again.cause ?? again);
      return respond(request, LAST_RESORT);
    }
  }

  /** Carries events to the relay, as long as the wasm asks for it. Lives in one request's waitUntil. */
  async run({ watch, wait }) {
    const since = Date.now();
    const born = generation;
    try {
      if (wait) await sleep(wait);
      // After a trap the errand's courier is gone, and its watch with it. Without the watch, one callout is all.
      for (let more = true; more && born === generation; ) {
        const step = this.answer((guard) => guard.step(watch, since, Date.now(), entropy(10)));
        if (step.wait) {
          await sleep(step.wait);
        } else if (step.body) {
          const status = await this.post(step);
          if (born === generation) this.call((guard) => guard.settle(step.id, status, Date.now()));
          more = watch;
        } else {
          more = false;
        }
      }
    } catch (error) {
      console.error("modelgate: events:", error.message, error.cause?.stack ?? error.cause);
    }
  }

  /** The relay's status, undefined without an answer. */
  async post({ headers, body }) {
    try {
      const signal = AbortSignal.timeout(this.calloutTimeout);
      const response = await fetch(this.relayUrl, { method: "POST", headers, body, redirect: "manual", signal });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      console.warn(`modelgate: relay: ${error}`);
      return undefined;
    }
  }
}

/** An http(s) URL without its trailing slash. */
function origin(env, name) {
  const url = URL.canParse(env[name]) ? new URL(env[name]) : undefined;
  if (!/^https?:$/.test(url?.protocol) || url.search || url.hash) {
    throw new TypeError(`modelgate: the binding ${name} must be an http or https URL without query`);
  }
  return url.href.replace(/\/+$/, "");
}

function entropy(bytes) {
  return crypto.getRandomValues(new Uint8Array(bytes));
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
