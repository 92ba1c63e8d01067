// Reads masked and cut answers with the official OpenAI SDK for JavaScript and prints what it saw as one JSON object.
// Run with the working directory where the packages are installed: `node openai_answers.mjs BASE_URL LEAK CANARY`, the
// last two in base64: what the stand-in model is to say.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")).href);

const [baseURL, leak, canary] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-sdk-test-of-the-node-client", maxRetries: 0, timeout: 20_000 });
const messages = [{ role: "user", content: "What is the word?" }];
const says = (text) => ({ headers: { "x-stand-in-say": text, "x-stand-in-delta": "3" } });

async function streamed(text) {
  const seen = { text: "", finish: null };
  const stream = await client.chat.completions.create({ model: "demo", messages, stream: true }, says(text));
  for await (const chunk of stream) {
    seen.text += chunk.choices[0]?.delta?.content ?? "";
    seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
  }
  return seen;
}

async function refusal(text) {
  try {
    await client.chat.completions.create({ model: "demo", messages }, says(text));
    return null;
  } catch (error) {
    return { class: error.constructor.name, code: error.code };
  }
}

console.log(JSON.stringify({ masked: await streamed(leak), cut: await streamed(canary), refused: await refusal(canary) }));
