// Tokens of every kind, good and bad. `node tokens.mjs FOLDER PORT`: judges them by the worker's own reader, under a clock and
// with keys that change; prints what came of it, and tokens for the worker itself; then serves their keys on the port.

import { createServer } from "node:http";
import { createHmac } from "node:crypto";
import { pathToFileURL } from "node:url";

const [, , folder, port] = process.argv;
const { tokens } = await import(pathToFileURL(`${folder}/jwt.mjs`));
const { subtle } = crypto;
const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

const RSA = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

async function pair(kid, alg, params) {
  const { publicKey, privateKey } = await subtle.generateKey(params, true, ["sign", "verify"]);
  const jwk = { ...await subtle.exportKey("jwk", publicKey), kid, alg, use: "sig" };
  const sign = async (signed) => Buffer.from(await subtle.sign(params, privateKey, Buffer.from(signed))).toString("base64url");
  return { jwk, sign };
}

const [first, second, curve] = [await pair("a", "RS256", RSA), await pair("b", "RS256", RSA), await pair("c", "ES256", EC)];
const now = Math.floor(Date.now() / 1000);
const good = { iss: "https://login.example", aud: "models", sub: "mallory", exp: now + 3600 };

async function token(key, head = {}, claims = {}) {
  const { kid, alg } = key.jwk;
  const signed = `${encode({ alg, kid, typ: "JWT", ...head })}.${encode({ ...good, ...claims })}`;
  return `${signed}.${await key.sign(signed)}`;
}

/** Signed with the public key as though it were a shared secret. */
function confused(secret) {
  const signed = `${encode({ alg: "HS256", kid: "a" })}.${encode(good)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

const valid = await token(first);
const [head, claims, signature] = valid.split(".");
const all = {
  rs256: valid,
  es256: await token(curve),
  without_kid: await token(first, { kid: undefined }),
  several_audiences: await token(first, {}, { aud: ["other", "models"] }),
  other_kid: await token(first, { kid: "b" }),
  unknown_kid: await token(first, { kid: "x" }),
  not_yet_known_key: await token(second),
  expired: await token(first, {}, { exp: now - 3600 }),
  without_end: await token(first, {}, { exp: undefined }),
  not_yet: await token(first, {}, { nbf: now + 3600 }),
  other_issuer: await token(first, {}, { iss: "https://evil.example" }),
  other_audience: await token(first, {}, { aud: "photos" }),
  none: `${encode({ alg: "none" })}.${encode(good)}.`,
  none_signed: await token(first, { alg: "none" }),
  public_key_as_secret: confused(JSON.stringify(first.jwk)),
  modulus_as_secret: confused(Buffer.from(first.jwk.n, "base64url")),
  other_algorithm: await token(first, { alg: "ES256" }),
  critical: await token(first, { crit: ["b64"] }),
  changed_claims: `${head}.${encode({ ...good, sub: "mallory", admin: true })}.${signature}`,
  cut: valid.slice(0, -4),
  in_four_parts: `${valid}.${signature}`,
  too_long: await token(first, {}, { pad: "x".repeat(20_000) }),
  no_token: "sk-nothing-of-the-kind",
};

const settings = { jwks_url: "https://login.example/keys", issuer: good.iss, audience: "models" };
const broken = { kty: "RSA", kid: "a", alg: "RS256", n: "!", e: "AQAB" };
let [served, fetches, clock] = [[broken, first.jwk, curve.jwk], 0, Date.now()];
let status = 200;
const real = { fetch: globalThis.fetch, now: Date.now };
globalThis.fetch = async () => {
  fetches += 1;
  await new Promise((resolve) => setTimeout(resolve, 20));
  return status === 200 ? Response.json({ keys: served }) : new Response("", { status });
};
Date.now = () => clock;
console.warn = () => {};

const whom = (reader, token) => reader.claim(new Headers({ authorization: `Bearer ${token}` }), "sub");
const table = {};
const reader = tokens(settings);
// The first come together, before there is any key.
table.at_once = await Promise.all([whom(reader, valid), whom(reader, valid), whom(reader, all.es256)]);
table.fetched_at_once = fetches;
for (const [name, token] of Object.entries(all)) table[name] = await whom(reader, token) ?? null;
// Unknown keys do not have the keys fetched with each token.
table.fetched_for_unknown = fetches;
// The issuer goes over to another key: it is looked for after the pause, and the old one holds until it is gone.
served = [first.jwk, second.jwk];
table.rotated_at_once = await whom(reader, all.not_yet_known_key) ?? null;
clock += 31_000;
table.rotated_later = await whom(reader, all.not_yet_known_key) ?? null;
served = [second.jwk];
clock += 601_000;
table.old_key_gone = await whom(reader, await token(curve, {}, { exp: now + 7200 })) ?? null;
table.old_rsa_gone = await whom(reader, await token(first, {}, { exp: now + 7200 })) ?? null;
// An issuer that is away for a moment is asked again soon.
const late = tokens(settings);
[status, served] = [503, [first.jwk]];
table.away = await whom(late, await token(first, {}, { exp: now + 7200 })) ?? null;
status = 200;
clock += 1_100;
table.back = await whom(late, await token(first, {}, { exp: now + 7200 })) ?? null;
globalThis.fetch = real.fetch;
Date.now = real.now;

createServer((_, response) => response.end(JSON.stringify({ keys: [first.jwk, curve.jwk] }))).listen(Number(port), "127.0.0.1", () => {
  console.log(JSON.stringify({ table, tokens: all }));
});
