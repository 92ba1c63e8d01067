// What travels to and from the relay apart from a guard's own queue: the outbox's events and the decisions.

import { Desk } from "./modelgate_edge.js";
import { enter, entropy, instance } from "./instance.mjs";

/** A pulled page may have so many bytes. It is what the wasm takes. */
const MAX_PAGE = 4 << 20;
/** Pages that are kept of a feed; then it is pulled anew, which brings one page for all. */
const MAX_PAGES = 64;

/** The relay, as a deployment configures it; nothing without its address or the key. */
export function relayOf(env) {
  if (!env.RELAY_URL || !env.MODELGATE_WEBHOOK_KEY) return undefined;
  return new Relay(env.RELAY_URL.replace(/\/+$/, ""), env.POLICY ?? "", env.MODELGATE_WEBHOOK_KEY);
}

class Relay {
  constructor(url, policy, key) {
    this.url = url;
    this.make = () => new Desk(policy, key);
    this.begin();
    const { relayPath, calloutTimeout, interval } = this.desk;
    Object.assign(this, { relayPath, calloutTimeout, interval });
  }

  /** A desk that knows no decision yet. */
  begin() {
    this.desk = this.make();
    this.generation = instance.generation;
  }

  get lostDesk() {
    return this.generation !== instance.generation;
  }

  /** Sends events, each as its JSON, and tells that others were dropped; the relay's status, undefined without an answer. */
  async send(events, dropped) {
    const sealed = enter(() => {
      if (this.lostDesk) this.begin();
      return JSON.parse(this.desk.seal(events.join(","), dropped, Date.now(), entropy(10)));
    });
    try {
      const response = await fetch(this.url + this.relayPath, {
        method: "POST", ...sealed, redirect: "manual", signal: AbortSignal.timeout(this.calloutTimeout),
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      console.warn(`modelgate: relay: ${error}`);
      return undefined;
    }
  }

  /** Asks for new decisions if it is time to: a page of them, null if there is nothing new, undefined if it is not time. */
  async pull() {
    const asked = enter(() => this.desk.nextPull(Date.now(), entropy(10)));
    if (!asked) return undefined;
    const { headers, body: path } = JSON.parse(asked);
    const page = { at: Date.now(), id: "", timestamp: "", signature: "", body: new Uint8Array(0) };
    let status;
    try {
      const signal = AbortSignal.timeout(this.calloutTimeout);
      const response = await fetch(this.url + path, { headers, redirect: "manual", signal });
      const header = (name) => response.headers.get(`webhook-${name}`) ?? "";
      Object.assign(page, { id: header("id"), timestamp: header("timestamp"), signature: header("signature") });
      if (Number(response.headers.get("content-length") ?? 0) > MAX_PAGE) throw new RangeError("the feed is too long");
      page.body = new Uint8Array(await response.arrayBuffer());
      status = response.status;
    } catch (error) {
      console.warn(`modelgate: decisions: ${error}`);
    }
    page.at = Date.now();
    const wrong = this.take(status, page);
    if (wrong) console.warn(`modelgate: decisions: ${wrong}`);
    return !wrong && status === 200 ? page : null;
  }

  /** Has the desk take a page in; says what is wrong with it. */
  take(status, { id, timestamp, signature, body, at }) {
    return enter(() => {
      const lines = status === 200 ? linesOf(body) : "";
      return this.desk.settle(status, id, timestamp, signature, body, lines, at);
    });
  }
}

/** A page taken apart, as the wasm reads it: hosts have a JSON reader, the wasm would have to bring one. */
export function linesOf(body) {
  let feed;
  try {
    feed = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return "";
  }
  const { v, epoch, serial, reset, more, entries } = feed ?? {};
  if (!Array.isArray(entries)) return "";
  const head = [v, epoch, serial, Number(reset === true), Number(more === true)];
  const rows = entries.map((it) => [it?.id, it?.action, it?.until ?? 0, it?.rate ?? 0, it?.scope, it?.value]);
  // What holds a line's end or a tab is no decision; a line without fields says so.
  const line = (fields) => (fields.some((field) => /[\t\r\n]/.test(field)) ? "" : fields.join("\t"));
  return [head, ...rows].map(line).join("\n") + "\n";
}

/**
 * The pages of decisions since the feed began anew, each as the relay signed it: whoever takes them over checks them by
 * itself. `kept`: pages from before; `keep(page, anew)` writes one down.
 */
export class Feed {
  constructor(relay, { kept = [], keep = () => {} } = {}) {
    this.relay = relay;
    this.keep = keep;
    this.pages = kept;
    this.begin();
  }

  /** The desk learns from the pages how far it is. */
  begin() {
    this.edition = crypto.randomUUID();
    this.relay.begin();
    if (this.pages.some((page) => this.relay.take(200, page))) {
      this.pages = [];
      this.relay.begin();
    }
  }

  /** What somebody lacks who has taken over so many pages of an edition. */
  since(edition, count) {
    const has = edition === this.edition ? count : 0;
    return { edition: this.edition, from: has, pages: this.pages.slice(has) };
  }

  /** Pulls what is new, if it is time to. */
  async pull() {
    this.pulling ??= this.pullAll().finally(() => {
      this.pulling = undefined;
    });
    return this.pulling;
  }

  async pullAll() {
    if (this.relay.lostDesk) this.begin();
    if (this.pages.length >= MAX_PAGES) this.relay.begin();
    for (;;) {
      const page = await this.relay.pull();
      if (!page) return;
      const anew = linesOf(page.body).split("\t", 4)[3] === "1";
      if (anew) {
        this.edition = crypto.randomUUID();
        this.pages = [];
      }
      this.pages.push(page);
      this.keep(page, anew);
    }
  }
}
