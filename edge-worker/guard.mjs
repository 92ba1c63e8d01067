// The portable entry: moves bytes between the caller, the guard and the model. What to decide is the wasm's business.
// It needs what Fetch-style hosts have: Request, Response, fetch, streams, crypto, timers.

import { Guard } from "./modelgate_edge.js";
import { GuardFailure, enter, entropy, instance, sleep, start, within } from "./instance.mjs";
import { answerHeaders, preflight, readBody, replay, readHeaders, respond, shareWith, withBody, withHeaders } from "./http.mjs";
import { tokens } from "./jwt.mjs";
import { Feed, linesOf, relayOf } from "./relay.mjs";
import { TimedOut, authorise, call, origin, routeOf, routesOf } from "./routes.mjs";

/** How long a lease of requests lasts, and a little more. */
const LEASE_MS = 2_050;
/** How often it is told that the ledger does not answer. */
const TELL_FAILURE_MS = 60_000;
/** How long a request waits for the first decisions, and a blocked one until the outbox has its event. */
const PATIENCE_MS = 1_000;
/** How often the relay is tried with an event that found no outbox, one second after the other. */
const TRIES = 20;

// What is said when not even a new instance can word the refusal.
const LAST_RESORT = {
  status: 503,
  headers: [["content-type", "application/json"], ["x-modelgate-verdict", "block"]],
  body: '{"error":{"message":"The request cannot be checked at the moment. Please try again.","type":"server_error"}}',
};

/** See guard.d.ts. Throws when a binding is wrong, so that a broken deployment does not start. */
export function createGuard(module, env, host = {}) {
  start(module);
  const routes = routesOf(env);
  const shared = new Shared(env, host);
  const shells = new Map();
  for (const route of routes) {
    if (!shells.has(route.policy)) shells.set(route.policy, new Shell(route.policy, env, shared));
  }
  return {
    fetch(request, ctx) {
      const url = new URL(request.url);
      const early = preflight(request, shared.cors);
      if (early) return Promise.resolve(early);
      const route = routeOf(routes, url.pathname);
      if (!route) return Promise.resolve(new Response("There is no such route.\n", { status: 404 }));
      const answered = shells.get(route.policy).fetch(request, ctx, route, url);
      return shared.cors ? answered.then((response) => shareWith(request, response, shared.cors)) : answered;
    },
    queue: (batch) => deliver(batch, shared.relay),
  };
}

/** What all policies of a deployment share. */
class Shared {
  constructor(env, host) {
    this.relay = relayOf(env);
    if (this.relay) origin(env.RELAY_URL, "RELAY_URL");
    else console.warn("modelgate: RELAY_URL or MODELGATE_WEBHOOK_KEY is not set, nothing is reported");
    this.addressOf = host.address ?? (() => undefined);
    this.ledger = host.ledger;
    this.limiter = host.limiter;
    this.refusesUncounted = env.LEDGER_FAILURE === "deny";
    this.outbox = this.relay && host.outbox;
    // Without an object each isolate pulls by itself.
    this.feed = this.relay && (host.feed ?? localFeed(env));
    this.tokens = tokens(env.JWT);
    this.cors = env.CORS && (typeof env.CORS === "string" ? JSON.parse(env.CORS) : env.CORS);
  }
}

function localFeed(env) {
  const feed = new Feed(relayOf(env));
  return {
    async since(edition, count) {
      await feed.pull();
      return feed.since(edition, count);
    },
  };
}

/** Hands a batch of a Cloudflare Queue to the relay. */
async function deliver(batch, relay) {
  const status = await relay?.send(batch.messages.map(({ body }) => body), 0);
  if (!(status >= 200 && status < 300)) batch.retryAll({ delaySeconds: 10 });
}

class Shell {
  constructor(policy, env, shared) {
    Object.assign(this, { shared, addressOf: shared.addressOf, ledger: shared.ledger, limiter: shared.limiter });
    const key = shared.relay && env.MODELGATE_WEBHOOK_KEY;
    this.make = () => new Guard(policy, key, env.NODE ?? "", Boolean(shared.outbox));
    this.guard = this.make();
    this.generation = instance.generation;
    this.relayUrl = shared.relay && shared.relay.url + this.guard.relayPath;
    this.calloutTimeout = this.guard.calloutTimeout;
    this.readsAnswers = this.guard.readsAnswers;
    this.claim = shared.tokens && this.guard.jwtClaim;
    this.security = [false, true].map((tls) => JSON.parse(this.guard.securityHeaders(tls)));
    // The decisions that the guard knows: so many pages of an edition, to be looked after again at a moment.
    this.known = { edition: "", pages: 0, next: this.guard.wantsDecisions && shared.feed ? 0 : Infinity };
    // Events in the instance's queue, and those that went down with an instance.
    this.waiting = 0;
    this.lost = 0;
    this.uncounted = 0;
    this.uncountedTold = 0;
  }

  /** Calls into the wasm. Whatever it throws has left the instance in an unknown state: no call enters it again. */
  call(body) {
    return enter(() => {
      if (this.generation !== instance.generation) this.renew();
      const result = body(this.guard);
      this.waiting = this.guard.waiting;
      return result;
    });
  }

  /** A guard in a new instance, whoever's trap took the old one away. */
  renew() {
    this.lost += this.waiting;
    this.waiting = 0;
    this.guard = this.make();
    this.generation = instance.generation;
    if (this.known.next < Infinity) this.known = { edition: "", pages: 0, next: 0 };
  }

  async fetch(request, ctx, route, { protocol, pathname, search }) {
    const security = this.security[Number(protocol === "https:")];
    const path = pathname.slice(route.path.length) || "/";
    const asked = { method: request.method, path, search, address: this.addressOf(request), security, route, ctx };
    let exchange;
    let status;
    try {
      if (Date.now() >= this.known.next) await this.lookForDecisions(ctx);
      if (this.claim) asked.user = await this.shared.tokens.claim(request.headers, this.claim);
      const headers = readHeaders(request.headers);
      const decided = await this.decide(request, asked, headers);
      exchange = decided.exchange;
      const { answer } = decided;
      const kept = this.tend(answer, ctx);
      this.tell(exchange, ctx);
      if (answer.reply) {
        // Who is refused can wait until what is said of it cannot be lost any more.
        if (kept) await within(PATIENCE_MS, kept);
        return respond(request, answer.reply, security);
      }
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
      const counting = this.count(exchange, asked);
      // The ledger's answer comes while the body does. A body that has no end in sight waits for it.
      let reading;
      if (counting) {
        const limit = this.enter(exchange, () => exchange.bodyLimit);
        if (request.body && length !== null && Number(length) <= limit) reading = readBody(request, length, limit);
        reading?.catch(() => {});
        const refused = await counting;
        if (refused) return { answer: refused, body: null, exchange };
      }
      const limit = this.enter(exchange, () => exchange.bodyLimit);
      if (limit < 0) {
        const answer = this.answer(() => exchange.answer());
        const body = reading && !answer.reply ? (await reading).body : request.body;
        return { answer, body, exchange };
      }
      const read = await (reading ?? readBody(request, length, limit));
      // Another request's trap took the instance away while this body arrived.
      if (exchange.generation !== instance.generation) {
        exchange = this.open(asked, text, true);
        this.call(() => exchange.count(Date.now()));
      }
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

  /** Counts a request. Where that takes a call, a promise; of an answer, if the request cannot be counted and must be. */
  count(exchange, asked) {
    const ask = this.enter(exchange, () => {
      if (this.ledger) {
        if (exchange.lease(Date.now())) return undefined;
        const ask = exchange.ask();
        if (ask) return ask;
      }
      if (this.limiter && exchange.client) return exchange.client;
      return exchange.count(Date.now());
    });
    if (ask === undefined) return undefined;
    return typeof ask === "bigint" ? this.limit(exchange, ask, asked) : this.ask(exchange, ask, asked);
  }

  async ask(exchange, ask, asked) {
    const { client } = exchange;
    const shard = this.shardOf(exchange);
    const answer = await this.ledger.ask(shard, ask);
    if (exchange.generation !== instance.generation) return undefined;
    const went = answer ? this.call(() => exchange.resume(answer, Date.now())) : 0;
    if (went === 2) asked.ctx.waitUntil(this.endLease(shard, client));
    return went === 0 ? this.unanswered(exchange, asked) : undefined;
  }

  async limit(exchange, client, asked) {
    const period = await this.limiter.limit(client);
    if (exchange.generation !== instance.generation) return undefined;
    if (period === undefined) return this.unanswered(exchange, asked);
    this.call(() => period > 0 ? exchange.refuse(period, Date.now()) : exchange.count(Date.now()));
    return undefined;
  }

  /** The ledger did not answer: the isolate counts by itself, or nothing passes; an event says so, now and then. */
  unanswered(exchange, { path, ctx }) {
    this.uncounted += 1;
    if (Date.now() - this.uncountedTold > TELL_FAILURE_MS) {
      const refused = this.shared.refusesUncounted;
      this.tend(this.answer((guard) => guard.ledgerFailed(this.uncounted, refused, Date.now(), entropy(10))), ctx);
      this.uncountedTold = Date.now();
      this.uncounted = 0;
    }
    if (this.shared.refusesUncounted) return this.answer((guard) => guard.uncounted(path));
    this.call(() => exchange.count(Date.now()));
    return undefined;
  }

  shardOf(exchange) {
    exchange.at ??= this.enter(exchange, () => exchange.shard(this.ledger.shards));
    return exchange.at;
  }

  /** Gives back what is left of a lease when it is over. */
  async endLease(shard, client) {
    const born = instance.generation;
    await sleep(LEASE_MS);
    if (born !== instance.generation) return;
    const left = this.call((guard) => guard.endLease(client, Date.now()));
    if (left) await this.ledger.tell(shard, left).catch((error) => console.warn(`modelgate: ledger: ${error}`));
  }

  /** Tells the ledger what a request adds to it. */
  tell(exchange, ctx) {
    if (!this.ledger) return;
    const told = this.call(() => exchange.takeOperations());
    if (told.length > 0) this.ledger.tellLater(this.shardOf(exchange), told, ctx);
  }

  /** Takes over what the security team decided. The isolate's first request waits for it, no other one. */
  async lookForDecisions(ctx) {
    const { known, shared: { feed, relay } } = this;
    const isFirst = known.next === 0;
    known.next = Date.now() + relay.interval;
    const looking = this.takeDecisions(known, feed).catch((error) => console.warn(`modelgate: decisions: ${error}`));
    ctx.waitUntil(looking);
    if (isFirst) await within(PATIENCE_MS, looking);
  }

  async takeDecisions(known, feed) {
    const born = instance.generation;
    const { edition, from, pages } = await feed.since(known.edition, known.pages);
    if (born !== instance.generation) return;
    if (from !== known.pages || edition !== known.edition) known.pages = 0;
    known.edition = edition;
    for (const { id, timestamp, signature, body, at } of pages) {
      const lines = linesOf(body);
      const wrong = this.call((guard) => guard.decide(known.pages === 0, id, timestamp, signature, body, lines, at));
      if (wrong) {
        // All of it again, the next time.
        known.edition = "";
        throw new Error(wrong);
      }
      known.pages += 1;
    }
  }

  /** Does what is to be done for events; a promise if some of them are on their way to the outbox. */
  tend({ errand, urgent }, ctx) {
    if (errand) ctx.waitUntil(this.run(errand));
    if (!urgent) return undefined;
    const kept = this.keep(urgent);
    ctx.waitUntil(kept);
    return kept;
  }

  /** Gives events to the outbox. If that takes none, the relay itself is tried for a while. */
  async keep(events) {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      try {
        await this.shared.outbox.put(events);
        return;
      } catch (error) {
        console.warn(`modelgate: outbox: ${error}`);
      }
      const status = await this.shared.relay.send(events, 0).catch(() => undefined);
      if (status >= 200 && status < 300) return;
      await sleep(1_000);
    }
    this.call((guard) => guard.lose(events.length));
  }

  /** A call about an exchange, which lives in the instance that began it. */
  enter(exchange, body) {
    if (exchange.generation !== instance.generation) throw new GuardFailure("the instance of this exchange is gone");
    return this.call(body);
  }

  /** The exchange is over. `status`: what the model's API answered. */
  free(exchange, status, ctx) {
    if (exchange.generation === instance.generation) {
      this.call(() => exchange.close(status, Date.now(), entropy(10)));
      const told = this.call(() => exchange.takeErrand());
      if (told && ctx) this.tend(JSON.parse(told), ctx);
      if (ctx) this.tell(exchange, ctx);
      const failure = this.ledger && this.call(() => exchange.takeFailure());
      if (ctx && failure?.length > 0) ctx.waitUntil(this.fail(exchange, instance.generation, failure, ctx));
      else this.call(() => exchange.free());
    }
    exchange.generation = undefined;
  }

  /** Tells the ledger of a failed attempt; it may be one too many. */
  async fail(exchange, born, failure, ctx) {
    try {
      const reply = await this.ledger.tell(this.shardOf(exchange), failure);
      if (born !== instance.generation) return;
      const told = reply && this.call(() => exchange.told(reply, Date.now(), entropy(10)));
      if (told) this.tend(JSON.parse(told), ctx);
    } catch (error) {
      console.warn(`modelgate: ledger: ${error}`);
    } finally {
      if (born === instance.generation) this.call(() => exchange.free());
    }
  }

  open({ method, path, search, address, user, route }, headers, hasBody) {
    const exchange = this.call((guard) => guard.open(
      method, path + search, route.name, address, user, headers, hasBody, Date.now(), entropy(20)));
    exchange.generation = instance.generation;
    return exchange;
  }

  answer(body) {
    return JSON.parse(this.call(body));
  }

  /** The model's response, or one of ours in its place: {ours}. */
  async forward(request, { path, search, security, route }, dropped, { answer, body }) {
    const { method, signal } = request;
    const kept = new Headers(request.headers);
    for (const name of dropped) kept.delete(name);
    // What is compressed cannot be judged as a stream.
    if (this.readsAnswers && kept.has("accept-encoding")) kept.set("accept-encoding", "identity");
    if (answer.body) kept.delete("content-encoding");
    authorise(kept, route);
    for (const [name, value] of answer.upstream ?? []) kept.set(name, value);
    // fetch() knows no body here; one that came all the same was judged and goes no further.
    const bodiless = method === "GET" || method === "HEAD";
    // Where the policy lets WebSockets through, the host joins both ends.
    if (method === "GET" && /^websocket$/i.test(request.headers.get("upgrade") ?? "")) kept.set("upgrade", "websocket");
    const init = { method, headers: kept, body: bodiless ? undefined : body, redirect: "manual", duplex: "half" };
    try {
      return await call(route, route.upstream + path + search, init, signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      console.error(`modelgate: upstream: ${error}`);
      const body = this.call((guard) => guard.upstreamFailure(path));
      const headers = [["content-type", "application/json"], ...answer.headers];
      const status = error instanceof TimedOut ? 504 : 502;
      return { ours: respond(request, { status, headers, body }, security) };
    }
  }

  /** The model's response as the caller gets it. `headers`: the guard's on the request. */
  async judge(request, asked, response, headers, exchange, ctx) {
    const { security } = asked;
    if (response.status === 101) return response;
    const told = answerHeaders(response.headers);
    const plan = this.enter(exchange, () =>
      JSON.parse(exchange.openAnswer(response.status, told, Date.now(), entropy(10))));
    this.tend(plan, ctx);
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
    this.tend(outcome, ctx);
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
            if (errand) this.tend(JSON.parse(errand), ctx);
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
      this.tend(answer, ctx);
      return respond(request, answer.reply, security);
    } catch (again) {
      console.error("modelgate: no new instance:", again.cause ?? again);
      return respond(request, LAST_RESORT);
    }
  }

  /** Carries events to the relay, as long as the wasm asks for it. Lives in one request's waitUntil. */
  async run({ watch, wait }) {
    const since = Date.now();
    const born = instance.generation;
    try {
      if (wait) await sleep(wait);
      // After a trap the errand's courier is gone, and its watch with it. Without the watch, one callout is all.
      for (let more = true; more && born === instance.generation; ) {
        const step = this.answer((guard) => guard.step(watch, since, Date.now(), entropy(10)));
        if (step.wait) {
          await sleep(step.wait);
        } else if (step.body) {
          const status = await this.post(step);
          if (born === instance.generation) this.call((guard) => guard.settle(step.id, status, Date.now()));
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
