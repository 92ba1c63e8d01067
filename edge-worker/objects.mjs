// Durable Objects, each with its own SQLite: the ledger of clients, the outbox of events, the feed of decisions.

import { DurableObject } from "cloudflare:workers";
import { Ledger } from "./modelgate_edge.js";
import { enter, instance } from "./instance.mjs";
import { joined } from "./ledger.mjs";
import { Feed, relayOf } from "./relay.mjs";

/** Slots nobody touched for so long are forgotten: longer than any session that a policy may name, which is a week. */
const KEEP_MS = 8 * 86_400_000;
/** How often that is looked after. */
const SWEEP_MS = 3_600_000;
/** Events that wait for the relay at the most; the oldest are dropped, and counted. */
const MAX_EVENTS = 100_000;
/** Events in one callout. */
const BATCH = 100;
/** Callouts of one alarm; a further one goes on. */
const CALLOUTS = 20;
/** Pause after a callout that failed, doubled with each further one. */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** SQLite in an object takes values of 2 MB. */
const PIECE = 1 << 20;
/** A feed that nobody asks for is not pulled any more. */
const IDLE_INTERVALS = 30;

/** The ledger of one shard: in memory as long as the object lives, and each slot that changes is written before the answer. */
export class ModelgateLedger extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS slots (slot INTEGER PRIMARY KEY, bytes BLOB NOT NULL, seen INTEGER NOT NULL)");
    this.load();
  }

  load() {
    enter(() => {
      this.ledger = new Ledger();
      for (const { slot, bytes } of this.sql.exec("SELECT slot, bytes FROM slots")) {
        this.ledger.put(slot, new Uint8Array(bytes));
      }
    });
    this.generation = instance.generation;
  }

  /** What a request asks, answered; undefined if the bytes are no question. */
  ask(bytes) {
    return this.run((now) => this.ledger.ask(bytes, now));
  }

  /** What requests add; the reply, undefined if the bytes are no operations. */
  tell(bytes) {
    return this.run((now) => this.ledger.operate(bytes, now));
  }

  run(body) {
    if (this.generation !== instance.generation) this.load();
    const now = Date.now();
    const { result, changed } = enter(() => {
      const result = body(now);
      return { result, changed: Array.from(this.ledger.takeChanged(), (slot) => [slot, this.ledger.slot(slot)]) };
    });
    for (const [slot, bytes] of changed) {
      this.sql.exec("INSERT OR REPLACE INTO slots (slot, bytes, seen) VALUES (?, ?, ?)", slot, bytes, now);
    }
    if (!this.swept) {
      this.swept = true;
      this.ctx.waitUntil(this.sweepLater());
    }
    return result;
  }

  async sweepLater() {
    if (await this.ctx.storage.getAlarm() === null) await this.ctx.storage.setAlarm(Date.now() + SWEEP_MS);
  }

  async alarm() {
    if (this.generation !== instance.generation) this.load();
    const old = this.sql.exec("DELETE FROM slots WHERE seen < ? RETURNING slot", Date.now() - KEEP_MS).toArray();
    enter(() => old.forEach(({ slot }) => this.ledger.remove(slot)));
    const left = this.sql.exec("SELECT count(*) AS n FROM slots").one().n;
    this.swept = left > 0;
    if (left > 0) await this.ctx.storage.setAlarm(Date.now() + SWEEP_MS);
  }
}

/** Events that must not be lost: kept until the relay has taken them. */
export class ModelgateOutbox extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)");
    this.sql.exec("CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL)");
    this.pause = 0;
    this.batch = BATCH;
    this.relay = relayOf(env);
  }

  /** Takes events, each as its JSON; when this has come back, they are written down. */
  async put(events) {
    for (const body of events) this.sql.exec("INSERT INTO events (body) VALUES (?)", body);
    const over = this.waiting() - MAX_EVENTS;
    if (over > 0) {
      this.sql.exec("DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?)", over);
      this.drop(over);
    }
    if (await this.ctx.storage.getAlarm() === null) await this.ctx.storage.setAlarm(Date.now());
  }

  waiting() {
    return this.sql.exec("SELECT count(*) AS n FROM events").one().n;
  }

  dropped() {
    return this.sql.exec("SELECT value FROM numbers WHERE name = 'dropped'").toArray()[0]?.value ?? 0;
  }

  /** Counts events that had to be given up and that the relay does not know of; a negative number: it knows. */
  drop(count) {
    this.sql.exec(
      "INSERT INTO numbers VALUES ('dropped', ?1) ON CONFLICT (name) DO UPDATE SET value = value + ?1", count);
  }

  async alarm() {
    for (let callouts = 0; callouts < CALLOUTS; callouts += 1) {
      const rows = this.sql.exec("SELECT id, body FROM events ORDER BY id LIMIT ?", this.batch).toArray();
      const dropped = this.dropped();
      if (rows.length === 0 && dropped === 0) return;
      const status = await this.relay?.send(rows.map(({ body }) => body), dropped);
      if (status >= 200 && status < 300) {
        this.remove(rows);
        this.drop(-dropped);
        this.pause = 0;
        this.batch = BATCH;
      } else if (rows.length > 0 && [400, 413, 422].includes(status)) {
        // The relay will never take it. Of several it may be one alone that is wrong.
        if (rows.length === 1) {
          this.remove(rows);
          this.drop(1);
        }
        this.batch = Math.max(1, rows.length >> 1);
      } else {
        this.pause = Math.min(Math.max(this.pause * 2, FIRST_PAUSE_MS), MAX_PAUSE_MS);
        await this.ctx.storage.setAlarm(Date.now() + this.pause);
        return;
      }
    }
    await this.ctx.storage.setAlarm(Date.now());
  }

  remove(rows) {
    for (const { id } of rows) this.sql.exec("DELETE FROM events WHERE id = ?", id);
  }
}

/** The decisions: pulled once for all isolates, and still known when the relay is away and everything starts anew. */
export class ModelgateFeed extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec(
      "CREATE TABLE IF NOT EXISTS pages (page INTEGER, piece INTEGER, head TEXT, body BLOB, PRIMARY KEY (page, piece))");
    const kept = [];
    for (const { page, head, body } of this.sql.exec("SELECT page, head, body FROM pages ORDER BY page, piece")) {
      kept[page] ??= { ...JSON.parse(head), pieces: [] };
      kept[page].pieces.push(new Uint8Array(body));
    }
    const pages = kept.map(({ pieces, ...head }) => ({ ...head, body: joined(pieces) }));
    const relay = relayOf(env);
    this.asked = Date.now();
    this.feed = relay && new Feed(relay, { kept: pages, keep: (page, anew) => this.keep(page, anew) });
  }

  keep({ body, ...head }, anew) {
    if (anew) this.sql.exec("DELETE FROM pages");
    const page = this.feed.pages.length - 1;
    for (let piece = 0; piece * PIECE <= body.length; piece += 1) {
      const bytes = body.slice(piece * PIECE, (piece + 1) * PIECE);
      this.sql.exec("INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)", page, piece, JSON.stringify(head), bytes);
    }
  }

  /** What an isolate lacks that has taken over so many pages of an edition. */
  async since(edition, count) {
    if (!this.feed) return { edition: "", from: 0, pages: [] };
    this.asked = Date.now();
    if (await this.ctx.storage.getAlarm() === null) await this.alarm();
    return this.feed.since(edition, count);
  }

  async alarm() {
    if (!this.feed) return;
    await this.feed.pull();
    const { interval } = this.feed.relay;
    if (Date.now() - this.asked < IDLE_INTERVALS * interval) await this.ctx.storage.setAlarm(Date.now() + interval);
  }
}
