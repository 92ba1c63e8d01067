// Node 20 and later: a server of node:http in front of the guard.
//
//   import { serve } from "./node.mjs";
//   const { server, close } = await serve(process.env, { port: 8787 });

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGuard } from "./guard.mjs";

/** A guard that listens on `hostname` (loopback unless another is named) and `port`. */
export async function serve(env, { port, hostname, ...host } = {}) {
  const module = await WebAssembly.compile(await readFile(new URL("./modelgate_edge_bg.wasm", import.meta.url)));
  const addresses = new WeakMap();
  const guard = createGuard(module, env, { address: (request) => addresses.get(request), ...host });
  return listen((request, ctx, address) => {
    addresses.set(request, address);
    return guard.fetch(request, ctx);
  }, { port, hostname });
}

/** A server of `node:http` that asks `handle(request, ctx, address)`; `close` waits for what is under way. */
export async function listen(handle, { port = 8787, hostname = "127.0.0.1" } = {}) {
  const pending = new Set();
  const ctx = {
    waitUntil(promise) {
      const settled = promise.catch((error) => console.error("modelgate:", error)).finally(() => pending.delete(settled));
      pending.add(settled);
    },
  };
  const server = createServer((incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) gone.abort();
    });
    answer(handle, ctx, incoming, outgoing, gone.signal).catch((error) => {
      if (!gone.signal.aborted) console.error("modelgate:", error);
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(502).end();
    });
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, hostname, resolve));
  return {
    server,
    async close() {
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(pending);
    },
  };
}

async function answer(handle, ctx, incoming, outgoing, signal) {
  const address = incoming.socket.remoteAddress?.replace(/^::ffff:/, "");
  await write(await handle(requestOf(incoming, signal), ctx, address), outgoing);
}

function requestOf(incoming, signal) {
  const { method, headers, url } = incoming;
  const hasBody = headers["content-length"] > 0 || headers["transfer-encoding"] !== undefined;
  const fetchHeaders = new Headers();
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    fetchHeaders.append(incoming.rawHeaders[at], incoming.rawHeaders[at + 1]);
  }
  const body = hasBody && method !== "GET" && method !== "HEAD" ? Readable.toWeb(incoming) : null;
  const target = new URL(url.startsWith("/") ? `http://${headers.host ?? "localhost"}${url}` : url);
  return new Request(target, { method, headers: fetchHeaders, body, duplex: "half", signal });
}

async function write(response, outgoing) {
  const headers = [];
  response.headers.forEach((value, name) => headers.push(name, value));
  outgoing.writeHead(response.status, headers);
  outgoing.flushHeaders();
  if (response.body) await pipeline(Readable.fromWeb(response.body), outgoing);
  else outgoing.end();
}
