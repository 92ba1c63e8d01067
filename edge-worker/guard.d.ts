/** What a deployment configures. */
export interface Bindings {
  /** The policy as JSON text. */
  POLICY: string;
  /** The model API: an http or https URL; the request's path and query are appended. Not needed with ROUTES. */
  UPSTREAM?: string;
  /** Several model APIs, as JSON text or as a list. */
  ROUTES?: string | Route[];
  /** The alert-relay: an http or https URL; the policy's `relay.path` is appended. Without it nothing is reported. */
  RELAY_URL?: string;
  /** The key that signs reports, `whsec_…`. A secret. Without it nothing is reported. */
  MODELGATE_WEBHOOK_KEY?: string | null;
  /** The name of this place in events. */
  NODE?: string;
  /** What happens to a request whose client cannot be counted: `memory` (the default) counts it here, `deny` refuses it. */
  LEDGER_FAILURE?: "memory" | "deny";
  /** Whom a JSON Web Token names, as JSON text or as it is. */
  JWT?: string | Tokens;
  /** Which pages may call from a browser, as JSON text or as it is. */
  CORS?: string | Cors;
  /** Policies and secrets that routes name. */
  [name: string]: unknown;
}

/** One model API behind the worker. */
export interface Route {
  /** The beginning of the paths that go there; it is taken off. `/` if left out. */
  path?: string;
  /** The route's name in events and in the policy; its path if left out. */
  name?: string;
  /** The model API: an http or https URL. */
  upstream: string;
  /** The protocol, in place of the policy's `model.protocol`. */
  protocol?: string;
  /** The binding that holds the policy; POLICY if left out. */
  policy?: string;
  /** The key that goes on in place of the caller's own. */
  credential?: {
    /** The binding that holds the secret. */
    secret: string;
    /** `authorization` if left out. */
    header?: string;
    /** What stands before the secret; `Bearer ` in `authorization`, else nothing. */
    prefix?: string;
  };
  /** Milliseconds in which the answer has to begin; 0 or left out: no limit. */
  timeout_ms?: number;
  /** How often a call is made again that may be repeated, 0 to 5. */
  retries?: number;
}

/** Tokens that are verified here, or claims that a proxy has verified. */
export type Tokens =
  | { jwks?: { keys: object[] }; jwks_url?: string; issuer: string; audience: string; header?: string }
  | { claims_header: string };

/** Which pages may call from a browser. */
export interface Cors {
  /** Their origins; `*` for all. */
  origins: string[];
  /** The headers they may send. */
  headers?: string[];
  /** For how many seconds a browser remembers it. */
  max_age?: number;
}

/** A ledger of clients that is kept elsewhere; the bytes are the wasm's business. */
export interface Ledger {
  /** In how many parts it is kept. */
  shards: number;
  /** Asks it. Never rejects; undefined: no answer in time. */
  ask(shard: number, bytes: Uint8Array): Promise<Uint8Array | undefined>;
  /** Tells it something, and brings its reply. */
  tell(shard: number, bytes: Uint8Array): Promise<Uint8Array | undefined>;
  /** Tells it something that has no reply. */
  tellLater(shard: number, bytes: Uint8Array, ctx: Context): void;
}

/** A page of decisions, as the relay signed it and as it was pulled at `at`, Unix milliseconds. */
export interface Page {
  at: number;
  id: string;
  timestamp: string;
  signature: string;
  body: Uint8Array;
}

/** What differs between hosts. */
export interface Host {
  /** The caller's address without its port, as the host vouches for it, never as the caller claims it. */
  address?(request: Request): string | undefined;
  /** Where clients are counted; in memory if left out. */
  ledger?: Ledger;
  /** Counts requests in place of a ledger: for how many milliseconds a client has to wait, undefined without an answer. */
  limiter?: { limit(client: bigint): Promise<number | undefined> };
  /** Takes critical events, each as its JSON; when it has resolved, they cannot be lost. */
  outbox?: { put(events: string[]): Promise<unknown> };
  /** Brings decisions; without it the guard pulls by itself. */
  feed?: { since(edition: string, pages: number): Promise<{ edition: string; from: number; pages: Page[] }> };
}

/** What a host offers to a request. */
export interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

export interface Guarded {
  /** Judges a request, asks the model if it may, and reports. Never rejects because of the guard itself. */
  fetch(request: Request, ctx: Context): Promise<Response>;
  /** Hands a batch of a Cloudflare Queue to the relay. */
  queue(batch: { messages: readonly { body: string }[]; retryAll(options?: { delaySeconds: number }): void }): Promise<void>;
}

/**
 * A guard in front of a model API. All guards of an isolate share one wasm instance.
 *
 * @param module the compiled `modelgate_edge_bg.wasm`
 * @throws when a binding or the policy is wrong
 */
export function createGuard(module: WebAssembly.Module, env: Bindings, host?: Host): Guarded;
