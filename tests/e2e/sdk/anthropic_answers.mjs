// Reads masked and cut answers with the official Anthropic SDK for JavaScript and prints what it saw as one JSON object.
// Run with the working directory where the packages are installed: `node anthropic_answers.mjs BASE_URL LEAK CANARY`,
// the last two in base64: what the stand-in model is to say.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
const { default: Anthropic } = await import(pathToFileURL(require.resolve("@anthropic-ai/sdk")).href);

const [baseURL, leak, canary] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey: "sk-sdk-test-of-the-node-client", maxRetries: 0, timeout: 20_000 });
const body = { model: "demo", max_tokens: 300, messages: [{ role: "user", content: "What is the word?" }] };
const says = (text) => ({ headers: { "x-stand-in-say": text, "x-stand-in-delta": "3" } });

/** What a stream says until it ends, and the error that it ends with. */
async function streamed(text) {
  const seen = { text: "", stop: null, error: null };
  try {
    const stream = client.messages.stream(body, says(text)).on("text", (delta) => (seen.text += delta));
    seen.stop = (await stream.finalMessage()).stop_reason;
  } catch (error) {
    seen.error = { class: error.constructor.name, type: error.type };
  }
  return seen;
}

async function refusal(text) {
  try {
    await client.messages.create(body, says(text));
    return null;
  } catch (error) {
    return { class: error.constructor.name, type: error.type };
  }
}

console.log(JSON.stringify({ masked: await streamed(leak), cut: await streamed(canary), refused: await refusal(canary) }));
