// From the compiled wasm to the first answer, in milliseconds: node startup.mjs FOLDER

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const { createGuard } = await import(pathToFileURL(`${folder}/guard.mjs`).href);
const module = await WebAssembly.compile(await readFile(`${folder}/modelgate_edge_bg.wasm`));
globalThis.fetch = async () => new Response("{}", { headers: { "content-type": "application/json" } });
console.warn = () => {};
const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }] });
const request = new Request("http://edge/v1/chat/completions", {
  method: "POST", body, headers: { "content-type": "application/json" },
});

const start = performance.now();
const guard = createGuard(module, { POLICY: '{"model":{"name":"demo"}}', UPSTREAM: "http://model.invalid" });
const answer = await guard.fetch(request, { waitUntil() {} });
const time = performance.now() - start;
if (answer.headers.get("x-modelgate-verdict") !== "allow") throw new Error("not judged");
console.log(time.toFixed(1));
