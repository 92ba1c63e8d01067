/** What a deployment configures. */
export interface Bindings {
  /** The policy as JSON text. */
  POLICY: string;
  /** The model API: an http or https URL; the request's path and query are appended. */
  UPSTREAM: string;
  /** The alert-relay: an http or https URL; the policy's `relay.path` is appended. Without it nothing is reported. */
  RELAY_URL?: string;
  /** The key that signs reports, `whsec_…`. A secret. Without it nothing is reported. */
  MODELGATE_WEBHOOK_KEY?: string | null;
  /** The name of this place in events. */
  NODE?: string;
}

/** What differs between hosts. */
export interface Host {
  /** The caller's address without its port, as the host vouches for it, never as the caller claims it. */
  address?(request: Request): string | undefined;
}

export interface Guarded {
  /** Judges a request, asks the model if it may, and reports. Never rejects because of the guard itself. */
  fetch(request: Request, ctx: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
}

/**
 * A guard in front of a model API. All guards of an isolate share one wasm instance.
 *
 * @param module the compiled `modelgate_edge_bg.wasm`
 * @throws when a binding or the policy is wrong
 */
export function createGuard(module: WebAssembly.Module, env: Bindings, host?: Host): Guarded;
