// The module worker for Cloudflare and for plain workerd.

import { env } from "cloudflare:workers";
import module from "./modelgate_edge_bg.wasm";
import { createGuard } from "./guard.mjs";
import { BindingLedger, ObjectLedger } from "./ledger.mjs";

export { ModelgateFeed, ModelgateLedger, ModelgateOutbox } from "./objects.mjs";

let plain;

/**
 * The caller's address as the host vouches for it. Cloudflare overwrites CF-Connecting-IP; plain workerd hands on what
 * the caller wrote there, but names the connection's peer with its port in `cf.clientIp`. Which of the two this is, is
 * looked up once: reading `cf` parses JSON.
 */
function address(request) {
  plain ??= typeof request.cf?.clientIp === "string";
  if (!plain) return request.headers.get("cf-connecting-ip") ?? undefined;
  return request.cf?.clientIp?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** What a binding chooses: the first name where nothing is said and its object is bound, else memory. */
function chosen(name, choices) {
  const [first] = Object.keys(choices);
  const choice = env[name] ?? (env[choices[first]] ? first : "memory");
  if (choice === "memory") return undefined;
  if (!Object.hasOwn(choices, choice)) throw new TypeError(`modelgate: ${name} must be ${Object.keys(choices).join(", ")} or memory`);
  if (!env[choices[choice]]) throw new TypeError(`modelgate: ${name} = ${choice} needs the binding ${choices[choice]}`);
  return choice;
}

/** A whole number in a binding. */
function number(name, otherwise) {
  const value = Number(env[name] ?? otherwise);
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`modelgate: ${name} must be a whole number of 1 or more`);
  return value;
}

function object(namespace, name) {
  return namespace.get(namespace.idFromName(name));
}

const ledger = chosen("LEDGER", { "durable-object": "LEDGER_OBJECT", "rate-limit-binding": "RATE_LIMITER" });
const outbox = chosen("OUTBOX", { "durable-object": "OUTBOX_OBJECT", queue: "OUTBOX_QUEUE" });
const timeout = number("LEDGER_TIMEOUT_MS", 500);
const outboxes = number("OUTBOXES", 4);
let turn = 0;

const host = {
  address,
  ledger: ledger === "durable-object"
    ? new ObjectLedger(env.LEDGER_OBJECT, number("LEDGER_SHARDS", 256), timeout)
    : undefined,
  limiter: ledger === "rate-limit-binding"
    ? new BindingLedger(env.RATE_LIMITER, number("RATE_LIMIT_PERIOD_MS", 60_000), timeout)
    : undefined,
  outbox: {
    "durable-object": {
      put(events) {
        turn = (turn + 1) % outboxes;
        return object(env.OUTBOX_OBJECT, `outbox-${turn}`).put(events);
      },
    },
    queue: { put: (events) => env.OUTBOX_QUEUE.sendBatch(events.map((body) => ({ body, contentType: "text" }))) },
  }[outbox],
  feed: env.FEED_OBJECT && { since: (edition, pages) => object(env.FEED_OBJECT, "decisions").since(edition, pages) },
};

// At start-up and not at the first request: a deployment with a broken policy does not come up, the old one stays.
const guard = createGuard(module, env, host);

export default {
  fetch: (request, _env, ctx) => guard.fetch(request, ctx),
  queue: (batch) => guard.queue(batch),
};
