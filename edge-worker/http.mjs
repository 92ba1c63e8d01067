// Bodies and headers, as far as every Fetch-style host has them.

const OWN = "x-modelgate-";
// About one connection only (RFC 9110, section 7.6.1), or written anew by fetch().
const NOT_FORWARDED = new Set([
  "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
  "host", "content-length", "expect",
]);

/** Reads a body of at most `limit` bytes: {body}. Longer: {chunks, seen, rest}, with the reader of what follows. */
export async function readBody(stream, limit) {
  const reader = stream.getReader();
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

/** What goes to the model of a request's headers. */
export function requestHeaders(headers) {
  const named = headers.get("connection")?.toLowerCase().split(",").map((name) => name.trim()) ?? [];
  const kept = [];
  for (const pair of headers) {
    const name = pair[0];
    if (!NOT_FORWARDED.has(name) && !name.startsWith(OWN) && !named.includes(name)) kept.push(pair);
  }
  return kept;
}

/** A response of ours. */
export function respond(request, { status, headers, body }) {
  return new Response(request.method === "HEAD" ? null : body, { status, headers });
}

/** Gives a response the guard's headers. What the model's host sent under these names is not the guard's word. */
export function withHeaders(response, headers) {
  for (const name of [...response.headers.keys()]) {
    if (name.startsWith(OWN)) response.headers.delete(name);
  }
  for (const [name, value] of headers) response.headers.set(name, value);
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
