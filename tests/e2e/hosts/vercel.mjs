// The adapter for Vercel's Edge runtime on Node: `?module` is what that runtime knows and Node does not, and its proxy sets
// x-real-ip. node vercel.mjs FOLDER, settings in the environment.

import { register } from "node:module";
import { pathToFileURL } from "node:url";

const hooks = `
  import { readFile } from "node:fs/promises";
  export async function load(url, context, next) {
    if (!url.endsWith(".wasm?module")) return next(url, context);
    const bytes = (await readFile(new URL(url))).toString("base64");
    const source = "export default new WebAssembly.Module(Buffer.from('" + bytes + "', 'base64'));";
    return { format: "module", source, shortCircuit: true };
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const folder = process.argv[2];
const { default: handler, config } = await import(pathToFileURL(`${folder}/vercel.mjs`).href);
if (config.runtime !== "edge") throw new Error("it does not ask for the Edge runtime");
const { listen } = await import(pathToFileURL(`${folder}/node.mjs`).href);
await listen((request, ctx, address) => {
  const url = new URL(request.url);
  const path = url.pathname.slice(1);
  url.pathname = "/api/vercel";
  url.searchParams.set("path", path);
  const rewritten = new Request(url, request);
  rewritten.headers.set("x-real-ip", address);
  return handler(rewritten, ctx);
}, { port: Number(process.env.PORT) });
