// Ledgers of all kinds before one guard: node ledgers.mjs FOLDER. Prints what came of it as JSON.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const load = (name) => import(pathToFileURL(`${folder}/${name}`).href);
const [{ createGuard }, { BindingLedger, ObjectLedger }, { Ledger }] =
  await Promise.all(["guard.mjs", "ledger.mjs", "modelgate_edge.js"].map(load));
const module = await WebAssembly.compile(await readFile(`${folder}/modelgate_edge_bg.wasm`));

// The clock stands still, at the beginning of a minute: how fast the machine is does not matter.
let now = Math.ceil(Date.now() / 60_000) * 60_000 + 1_000;
Date.now = () => now;

const limits = { max_requests_per_minute: 160, burst: 1000000, repeats: "allow" };
const env = {
  POLICY: JSON.stringify({ model: { name: "demo" }, limits }),
  UPSTREAM: "http://model.invalid",
  RELAY_URL: "http://relay.invalid",
  MODELGATE_WEBHOOK_KEY: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
};
console.warn = () => {};
// The model answers; the relay is away.
globalThis.fetch = async (url) => {
  if (String(url).startsWith("http://relay")) throw new TypeError("away");
  return new Response("{}", { headers: { "content-type": "application/json" } });
};
const events = [];
const outbox = { put: async (kept) => events.push(...kept.map((text) => JSON.parse(text))) };
const left = [];
const ctx = { waitUntil: (promise) => left.push(promise) };
const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }] });

function ask(guard) {
  const headers = { "content-type": "application/json", "content-length": String(body.length) };
  return guard.fetch(new Request("http://edge/v1/chat/completions", { method: "POST", headers, body }), ctx);
}

function guardWith(host, more = {}) {
  return createGuard(module, { ...env, ...more }, { address: () => "192.0.2.1", outbox, ...host });
}

/** How many of so many requests pass, made by turns through these guards. */
async function passed(guards, requests) {
  let passed = 0;
  for (let number = 0; number < requests; number += 1) {
    if ((await ask(guards[number % guards.length])).status === 200) passed += 1;
  }
  return passed;
}

/** A namespace with one object that runs the wasm's ledger and counts the questions. */
function namespace() {
  const asked = { questions: 0 };
  let ledger;
  const object = {
    async ask(bytes) {
      ledger ??= new Ledger();
      asked.questions += 1;
      return ledger.ask(bytes, Date.now());
    },
    tell: async (bytes) => ledger.operate(bytes, Date.now()),
  };
  return { asked, idFromName: (name) => name, get: () => object };
}

const result = {};

// Two isolates, one ledger: never more than the limit, and fewer questions than requests.
const shared = namespace();
const isolates = [0, 1].map(() => guardWith({ ledger: new ObjectLedger(shared, 1, 500) }));
result.shared = { passed: await passed(isolates, 400), questions: shared.asked.questions };
// What was leased and not used is there again when the lease is over.
const leasing = namespace();
const one = guardWith({ ledger: new ObjectLedger(leasing, 1, 500) });
const before = await passed([one], 20);
now += 2_100;
await new Promise((resolve) => setTimeout(resolve, 2_500));
const other = guardWith({ ledger: new ObjectLedger(leasing, 1, 500) });
result.returned = before + await passed([other], 400);

// A ledger that says nothing, and one that breaks.
const silent = { idFromName: (name) => name, get: () => ({ ask: () => new Promise(() => {}), tell: async () => undefined }) };
const broken = { idFromName: (name) => name, get: () => ({ ask: async () => { throw new Error("gone"); }, tell: async () => undefined }) };
const rubbish = { idFromName: (name) => name, get: () => ({ ask: async () => new Uint8Array([9, 9]), tell: async () => undefined }) };
result.silent = await passed([guardWith({ ledger: new ObjectLedger(silent, 1, 5) })], 170);
result.broken = await passed([guardWith({ ledger: new ObjectLedger(broken, 1, 5) })], 170);
result.rubbish = await passed([guardWith({ ledger: new ObjectLedger(rubbish, 1, 5) })], 170);
events.length = 0;
const refused = await ask(guardWith({ ledger: new ObjectLedger(silent, 1, 5) }, { LEDGER_FAILURE: "deny" }));
result.denied = { status: refused.status, verdict: refused.headers.get("x-modelgate-verdict"), body: await refused.json() };
result.events = events.map((event) => event.findings[0].rule);

// The host's own rate limiting.
let calls = 0;
const limit = async ({ key }) => ({ success: /^[0-9a-f]+$/.test(key) && (calls += 1) <= 3 });
const limited = guardWith({ limiter: new BindingLedger({ limit }, 60000, 500) });
result.limited = await passed([limited], 5);
const over = await ask(limited);
result.over = { status: over.status, retry: over.headers.get("retry-after") };

console.log(JSON.stringify(result));
process.exit(0);
