// The portable entry: moves bytes between the caller, the guard and the model. What to decide is the wasm's business.
// It needs what Fetch-style hosts have: Request, Response, fetch, streams, crypto, timers.

import { Guard, initSync, __wbg_reset_state as resetState } from "./modelgate_edge.js";
import { answerHeaders, readBody, replay, readHeaders, respond, withBody, withHeaders } from "./http.mjs";

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
    this.readsAnswers = this.guard.readsAnswers;
    this.security = [false, true].map((tls) => JSON.parse(this.guard.securityHeaders(tls)));
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
    const { protocol, pathname, search } = new URL(request.url);
    const security = this.security[Number(protocol === "https:")];
    const asked = { method: request.method, path: pathname, search, address: this.addressOf(request), security };
    let exchange;
    let status;
    try {
      const headers = readHeaders(request.headers);
      const decided = await this.decide(request, asked, headers);
      exchange = decided.exchange;
      const { answer } = decided;
      if (answer.errand) ctx.waitUntil(this.run(answer.errand));
      if (answer.reply) return respond(request, answer.reply, security);
      const response = await this.forward(request, asked, headers.dropped, decided);
      if (response.ours) return response.ours;
      status = response.status;
      return await this.judge(request, asked, response, answer.headers, exchange, ctx);
    } catch (error) {
      if (!(error instanceof GuardFailure)) throw error;
      return this.refuse(request, asked, error, ctx);
    } finally {
      if (exchange && !exchange.streams) this.free(exchange, status, ctx);
    }
  }

  /** The guard's answer, the body to send on (bytes, a stream or null), and the exchange that judges the model's answer. */
  async decide(request, asked, { text, length }) {
    let exchange = this.open(asked, text, request.body !== null);
    try {
      const limit = this.enter(exchange, () => exchange.bodyLimit);
      if (limit < 0) return { answer: this.answer(() => exchange.answer()), body: request.body, exchange };
      const read = await readBody(request, length, limit);
      // Another request's trap took the instance away while this body arrived.
      if (exchange.generation !== generation) exchange = this.open(asked, text, true);
      if (!read.rest) {
        const answer = this.answer(() => exchange.judge(read.body, Date.now()));
        return { answer, body: answer.body ? this.call(() => exchange.takeBody()) : read.body, exchange };
      }
      const answer = this.answer(() => exchange.tooLarge(read.seen, Date.now()));
      if (!answer.reply) return { answer, body: replay(read), exchange };
      read.rest.cancel().catch(() => {});
      return { answer, body: null, exchange };
    } catch (error) {
      this.free(exchange);
      throw error;
    }
  }

  /** A call about an exchange, which lives in the instance that began it. */
  enter(exchange, body) {
    if (exchange.generation !== generation) throw new GuardFailure("the instance of this exchange is gone");
    return this.call(body);
  }

  /** The exchange is over. `status`: what the model's API answered. */
  free(exchange, status, ctx) {
    if (exchange.generation === generation) {
      const told = this.call(() => exchange.close(status, Date.now(), entropy(10)));
      const errand = told && JSON.parse(told).errand;
      if (errand) ctx?.waitUntil(this.run(errand));
      this.call(() => exchange.free());
    }
    exchange.generation = undefined;
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

  /** The model's response, or one of ours in its place: {ours}. */
  async forward(request, { path, search, security }, dropped, { answer, body }) {
    const { method, signal } = request;
    const kept = new Headers(request.headers);
    for (const name of dropped) kept.delete(name);
    // What is compressed cannot be judged as a stream.
    if (this.readsAnswers && kept.has("accept-encoding")) kept.set("accept-encoding", "identity");
    if (answer.body) kept.delete("content-encoding");
    for (const [name, value] of answer.upstream ?? []) kept.set(name, value);
    // fetch() knows no body here; one that came all the same was judged and goes no further.
    const bodiless = method === "GET" || method === "HEAD";
    try {
      return await fetch(this.upstream + path + search, {
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
      const headers = [["content-type", "application/json"], ...answer.headers];
      return { ours: respond(request, { status: 502, headers, body }, security) };
    }
  }

  /** The model's response as the caller gets it. `headers`: the guard's on the request. */
  async judge(request, asked, response, headers, exchange, ctx) {
    const { security } = asked;
    const told = answerHeaders(response.headers);
    const plan = this.enter(exchange, () =>
      JSON.parse(exchange.openAnswer(response.status, told, Date.now(), entropy(10))));
    if (plan.errand) ctx.waitUntil(this.run(plan.errand));
    if (plan.plan === "refuse") {
      response.body?.cancel().catch(() => {});
      return respond(request, plan.reply, security);
    }
    if (plan.plan === "stream") {
      exchange.streams = true;
      const body = this.judged(request, asked, response, exchange, ctx);
      return withHeaders(withBody(response, body), headers, security);
    }
    if (plan.plan === "pass") return withHeaders(new Response(response.body, response), headers, security);
    const read = await readBody(response, response.headers.get("content-length"), plan.limit);
    const outcome = JSON.parse(this.enter(exchange, () => read.rest
      ? exchange.answerTooLarge(Date.now(), entropy(10))
      : exchange.judgeAnswer(read.body, Date.now(), entropy(10))));
    if (outcome.errand) ctx.waitUntil(this.run(outcome.errand));
    if (outcome.reply) {
      read.rest?.cancel().catch(() => {});
      return respond(request, outcome.reply, security);
    }
    const own = outcome.body ? this.call(() => exchange.takeBody()) : undefined;
    const changed = withBody(response, own ?? (read.rest ? replay(read) : read.body));
    return withHeaders(changed, outcome.headers, security);
  }

  /** A stream as far as it may go on. Events are sent when something is found, not at its end, which may never come. */
  judged(request, asked, { status, body }, exchange, ctx) {
    const reader = body.getReader();
    const none = new Uint8Array(0);
    return new ReadableStream({
      pull: async (controller) => {
        try {
          for (;;) {
            const { done, value } = await reader.read();
            const bytes = this.enter(exchange, () =>
              exchange.pushAnswer(value ?? none, done, Date.now(), entropy(10)));
            const errand = this.call(() => exchange.takeErrand());
            if (errand) ctx.waitUntil(this.run(JSON.parse(errand)));
            if (bytes.byteLength > 0) controller.enqueue(bytes);
            if (done || this.call(() => exchange.ended)) {
              controller.close();
              this.free(exchange, status, ctx);
              if (!done) reader.cancel().catch(() => {});
              return;
            }
            if (bytes.byteLength > 0) return;
          }
        } catch (error) {
          reader.cancel(error).catch(() => {});
          // The status is gone; what is left is to break off, and to say so.
          if (error instanceof GuardFailure) this.refuse(request, asked, error, ctx);
          else this.free(exchange, status, ctx);
          controller.error(error);
        }
      },
      cancel: (reason) => {
        this.free(exchange, status, ctx);
        return reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
  }

  /** Failure mode "deny": what cannot be checked does not pass. */
  refuse(request, { method, path, address, security }, error, ctx) {
    console.error("modelgate:", error.message, error.cause?.stack ?? error.cause);
    try {
      const answer = this.answer((guard) =>
        guard.trapped(method, path, address, this.lost, Date.now(), entropy(10)));
      this.lost = 0;
      if (answer.errand) ctx.waitUntil(this.run(answer.errand));
      return respond(request, answer.reply, security);
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
