// Bodies and headers, as far as every Fetch-style host has them.

const OWN = "x-modelgate-";
// About one connection only (RFC 9110, section 7.6.1), or written anew by fetch().
const NOT_FORWARDED = new Set([
  "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
  "host", "content-length", "expect",
]);
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Reads a body of at most `limit` bytes: {body}. Longer: {chunks, seen, rest}, with the reader of what follows.
 * `length`: the content-length, whose framing the host has enforced; without one the body is read piece by piece.
 */
export async function readBody(request, length, limit) {
  if (length !== null && Number(length) <= limit) return { body: new Uint8Array(await request.arrayBuffer()) };
  const reader = request.body.getReader();
  const chunks = [];
  let seen = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { body: chunks.length === 1 ? chunks[0] : joined(chunks, seen) };
    chunks.push(value);
    seen += value.byteLength;
    if (seen > limit) return { chunks, seen, rest: reader };
  }
}

/** The whole body again, after readBody found it too long to be held. */
export function replay({ chunks, rest }) {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = chunks.length > 0 ? { value: chunks.shift() } : await rest.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => rest.cancel(reason),
  });
}

/**
 * One pass over a request's headers: `text`, all of them as the wasm reads them (name LF value LF), `length`, the
 * content-length, and `dropped`, the names that do not go to the model.
 */
export function readHeaders(headers) {
  let text = "";
  let length = null;
  const dropped = [];
  headers.forEach((value, name) => {
    text += `${name}\n${value}\n`;
    if (NOT_FORWARDED.has(name) || name.startsWith(OWN)) dropped.push(name);
    if (name === "content-length") length = value;
    if (name === "connection") dropped.push(...value.split(",").map((token) => token.trim()).filter((token) => TOKEN.test(token)));
  });
  return { text, length, dropped };
}

/**
 * The answer to a browser's question whether a page may call (Fetch standard, CORS protocol), where `cors` says who may:
 * `{origins, headers?, max_age?}`. undefined: it is no such question.
 */
export function preflight(request, cors) {
  const origin = request.headers.get("origin");
  const method = request.headers.get("access-control-request-method");
  if (!cors || request.method !== "OPTIONS" || !origin || !method) return undefined;
  const headers = { vary: "origin, access-control-request-method, access-control-request-headers" };
  if (!mayCall(origin, cors)) return new Response(null, { status: 403, headers });
  return new Response(null, {
    status: 204,
    headers: {
      ...headers,
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
      "access-control-allow-headers": (cors.headers ?? ["authorization", "content-type", "x-api-key"]).join(", "),
      "access-control-max-age": String(cors.max_age ?? 600),
    },
  });
}

/** Lets a page whose origin may call read the answer. */
export function shareWith(request, response, cors) {
  const origin = request.headers.get("origin");
  if (!cors || !origin || response.status === 101 || !mayCall(origin, cors)) return response;
  const shared = new Response(response.body, response);
  shared.headers.set("access-control-allow-origin", origin);
  shared.headers.append("vary", "origin");
  shared.headers.set("access-control-expose-headers", "x-modelgate-verdict, x-modelgate-event, retry-after");
  return shared;
}

function mayCall(origin, { origins }) {
  return origins.includes(origin) || origins.includes("*");
}

/** A response of ours. */
export function respond(request, { status, headers, body }, security = []) {
  return new Response(request.method === "HEAD" ? null : body, { status, headers: [...headers, ...security] });
}

/** An answer's headers as the wasm reads them; that its body was compressed, fetch() has undone. */
export function answerHeaders(headers) {
  let text = "";
  headers.forEach((value, name) => {
    if (name !== "content-encoding") text += `${name}\n${value}\n`;
  });
  return text;
}

/** An answer with another body, of which its headers say nothing that does not hold any more. */
export function withBody(response, body) {
  const changed = new Response(body, response);
  changed.headers.delete("content-encoding");
  changed.headers.delete("content-length");
  return changed;
}

/** Gives a response the guard's headers. What the model's host sent under these names is not the guard's word. */
export function withHeaders(response, headers, security = []) {
  const foreign = [];
  response.headers.forEach((_, name) => {
    if (name.startsWith(OWN)) foreign.push(name);
  });
  for (const name of foreign) response.headers.delete(name);
  // Two events of one exchange, of its request and of its answer, are both named.
  for (const [name, value] of headers) response.headers.append(name, value);
  for (const [name, value] of security) response.headers.set(name, value);
  return response;
}

function joined(chunks, length) {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
