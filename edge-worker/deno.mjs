// Deno 2: a server in front of the guard.
//
//   deno run --allow-net --allow-env --allow-read deno.mjs    # settings come from the environment, PORT among them

import { createGuard } from "./guard.mjs";

/** Listens on `hostname` (loopback unless another is named) and `port`. */
export async function serve(env, { port = 8787, hostname = "127.0.0.1", ...host } = {}) {
  const module = await WebAssembly.compile(await Deno.readFile(new URL("./modelgate_edge_bg.wasm", import.meta.url)));
  const addresses = new WeakMap();
  const guard = createGuard(module, env, { address: (request) => addresses.get(request), ...host });
  // The process goes on after an answer, so what is left to do needs no keeping.
  const ctx = { waitUntil: (promise) => promise.catch((error) => console.error("modelgate:", error)) };
  return Deno.serve({ port, hostname }, (request, { remoteAddr }) => {
    addresses.set(request, remoteAddr.hostname);
    return guard.fetch(request, ctx);
  });
}

if (import.meta.main) await serve(Deno.env.toObject(), { port: Number(Deno.env.get("PORT") ?? 8787) });
