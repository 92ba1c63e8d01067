// The module worker for Cloudflare and for plain workerd.

import { env } from "cloudflare:workers";
import module from "./modelgate_edge_bg.wasm";
import { createGuard } from "./guard.mjs";

/**
 * The caller's address as the host vouches for it. Cloudflare overwrites CF-Connecting-IP; plain workerd passes on
 * whatever the caller wrote there, but names the peer of the connection in `cf.clientIp`, with its port.
 */
function address(request) {
  const peer = request.cf?.clientIp;
  if (typeof peer === "string") return peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return request.headers.get("cf-connecting-ip") ?? undefined;
}

// At start-up and not at the first request: a deployment with a broken policy does not come up, the old one stays.
const guard = createGuard(module, env, { address });

export default {
  fetch: (request, _env, ctx) => guard.fetch(request, ctx),
};
