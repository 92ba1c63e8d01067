// The module worker for Cloudflare and for plain workerd.

import { env } from "cloudflare:workers";
import module from "./modelgate_edge_bg.wasm";
import { createGuard } from "./guard.mjs";

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

// At start-up and not at the first request: a deployment with a broken policy does not come up, the old one stays.
const guard = createGuard(module, env, { address });

export default {
  fetch: (request, _env, ctx) => guard.fetch(request, ctx),
};
