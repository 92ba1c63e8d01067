// Vercel's Edge runtime: an Edge Function for all paths. Put the modules into api/ and route to this one:
//
//   vercel.json: { "rewrites": [{ "source": "/(.*)", "destination": "/api/vercel?path=$1" }] }

import module from "./modelgate_edge_bg.wasm?module";
import { createGuard } from "./guard.mjs";

export const config = { runtime: "edge" };

/** Vercel overwrites this header; callers cannot set it. */
const address = (request) => request.headers.get("x-real-ip") ?? undefined;
const guard = createGuard(module, process.env, { address });

export default function handler(request, context) {
  return guard.fetch(original(request), context);
}

/** The request as the caller sent it, before the rewrite put its path into the query. */
function original(request) {
  const url = new URL(request.url);
  const path = url.searchParams.get("path");
  if (!url.pathname.endsWith("/vercel") || path === null) return request;
  url.pathname = `/${path}`;
  url.searchParams.delete("path");
  return new Request(url, request);
}
