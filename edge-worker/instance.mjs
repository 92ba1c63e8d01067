// The one wasm instance of an isolate. Guards and Durable Objects share it; a trap in any of them poisons it for all.

import { initSync, __wbg_reset_state as resetState } from "./modelgate_edge.js";

/** Goes up with each trap: what was made in an earlier generation is gone. */
export const instance = { generation: 0 };
let poisoned = false;

/** A failure inside the wasm, as opposed to one of the caller, the model or the relay. */
export class GuardFailure extends Error {}

/** `module`: the compiled wasm. Again it does nothing. */
export function start(module) {
  initSync({ module });
}

/** Calls into the wasm. Whatever it throws has left the instance in an unknown state: the next call gets a new one. */
export function enter(body) {
  const called = instance.generation;
  try {
    if (poisoned) resetState();
    poisoned = false;
    return body();
  } catch (cause) {
    if (called === instance.generation) {
      instance.generation += 1;
      poisoned = true;
    }
    throw new GuardFailure("the guard failed", { cause });
  }
}

/** Random bytes drawn at once: drawing some costs much more than drawing some more. None may be drawn before a request. */
const DRAWN = 1000;
let drawn = new Uint8Array(0);

export function entropy(bytes) {
  if (drawn.length < bytes) drawn = crypto.getRandomValues(new Uint8Array(DRAWN));
  const taken = drawn.subarray(0, bytes);
  drawn = drawn.subarray(bytes);
  return taken;
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What a promise comes to within so many milliseconds, undefined if it comes to nothing. */
export async function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
