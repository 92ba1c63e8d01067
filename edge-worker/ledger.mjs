// The way to a ledger that is kept elsewhere.

import { sleep, within } from "./instance.mjs";

/** What requests add is told together with what others add within so many milliseconds. */
const TELL_MS = 10;
/** Whoever was to tell it and did not within so many, does not any more. */
const LOST_MS = 5_000;
/** Messages in one call. */
const FULL = 256;

/** A ledger in Durable Objects, `shards` of them. */
export class ObjectLedger {
  constructor(namespace, shards, timeout) {
    Object.assign(this, { namespace, shards, timeout });
    this.ids = [];
    this.telling = new Map();
  }

  object(shard) {
    this.ids[shard] ??= this.namespace.idFromName(`ledger-${shard}`);
    return this.namespace.get(this.ids[shard]);
  }

  /** The answer to what a request asks, undefined if it does not come in time. */
  async ask(shard, bytes) {
    try {
      return await within(this.timeout, this.object(shard).ask(bytes));
    } catch (error) {
      console.warn(`modelgate: ledger: ${error}`);
      return undefined;
    }
  }

  /** Tells what has a reply. */
  async tell(shard, bytes) {
    try {
      return await this.object(shard).tell(bytes);
    } catch {
      // Once more: an object that moves or starts anew refuses what comes meanwhile.
      return this.object(shard).tell(bytes);
    }
  }

  /** Tells what has no reply, with what others have to tell. */
  tellLater(shard, bytes, ctx) {
    const waiting = this.telling.get(shard);
    if (waiting && waiting.messages.length < FULL && Date.now() - waiting.since < LOST_MS) {
      waiting.messages.push(bytes);
      return;
    }
    const mine = { messages: [bytes], since: Date.now() };
    this.telling.set(shard, mine);
    ctx.waitUntil(this.tellAll(shard, mine));
  }

  async tellAll(shard, mine) {
    await sleep(TELL_MS);
    if (this.telling.get(shard) === mine) this.telling.delete(shard);
    try {
      await this.tell(shard, joined(mine.messages));
    } catch (error) {
      console.warn(`modelgate: ledger: ${mine.messages.length} messages were lost: ${error}`);
    }
  }
}

/** Cloudflare's rate limiting binding: it counts requests by itself, in one place of the world; all else is in memory. */
export class BindingLedger {
  constructor(binding, period, timeout) {
    Object.assign(this, { binding, period, timeout });
  }

  /** For how long a client has to wait, 0 if it has not, undefined without an answer. */
  async limit(client) {
    try {
      const told = await within(this.timeout, this.binding.limit({ key: client.toString(16) }));
      return told && (told.success ? 0 : this.period);
    } catch (error) {
      console.warn(`modelgate: rate limiting: ${error}`);
      return undefined;
    }
  }
}

export function joined(messages) {
  if (messages.length === 1) return messages[0];
  const whole = new Uint8Array(messages.reduce((length, message) => length + message.length, 0));
  let at = 0;
  for (const message of messages) {
    whole.set(message, at);
    at += message.length;
  }
  return whole;
}
