// Several model APIs behind one worker: which path goes where, by whose policy, with whose credential.

/** Answers after which a call that may be repeated is made again. */
const AGAIN = new Set([502, 503, 504]);
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** Pause before a call is made again, doubled with each. */
const PAUSE_MS = 100;

/** A binding that is wrong. */
function wrong(what) {
  return new TypeError(`modelgate: ${what}`);
}

/** An http(s) URL without its trailing slash. */
export function origin(text, name) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!/^https?:$/.test(url?.protocol) || url.search || url.hash) {
    throw wrong(`the binding ${name} must be an http or https URL without query`);
  }
  return url.href.replace(/\/+$/, "");
}

/** The routes of a deployment, those with the longest path first. */
export function routesOf(env) {
  if (!env.ROUTES) return [route({ upstream: env.UPSTREAM }, "UPSTREAM", env)];
  const list = typeof env.ROUTES === "string" ? JSON.parse(env.ROUTES) : env.ROUTES;
  if (!Array.isArray(list) || list.length === 0 || list.length > 100) throw wrong("ROUTES must list 1 to 100 routes");
  const routes = list.map((raw, index) => route(raw, `ROUTES[${index}]`, env));
  return routes.sort((one, other) => other.path.length - one.path.length);
}

const FIELDS = ["path", "name", "upstream", "protocol", "policy", "credential", "timeout_ms", "retries"];

function route(raw, place, env) {
  const strange = Object.keys(raw).find((name) => !FIELDS.includes(name));
  if (strange) throw wrong(`${place} has an unknown field ${strange}`);
  const { path = "/", name, protocol, policy, credential, timeout_ms: timeout = 0, retries = 0 } = raw;
  if (!path.startsWith("/")) throw wrong(`${place}: the path must begin with /`);
  if (!Number.isInteger(timeout) || timeout < 0) throw wrong(`${place}: timeout_ms must be a whole number`);
  if (!Number.isInteger(retries) || retries < 0 || retries > 5) throw wrong(`${place}: retries must be 0 to 5`);
  return {
    path: path.replace(/\/+$/, ""),
    name: name ?? (path === "/" ? "" : path),
    upstream: origin(raw.upstream, place),
    policy: policyOf(env, policy, protocol, place),
    credential: credential && secret(credential, place, env),
    timeout,
    retries,
  };
}

/** The policy's text: of the binding that the route names, or POLICY; with the route's own protocol in it. */
function policyOf(env, name, protocol, place) {
  if (name !== undefined && typeof env[name] !== "string") throw wrong(`${place}: there is no binding ${name}`);
  const text = env[name ?? "POLICY"] ?? "";
  if (protocol === undefined) return text;
  const document = JSON.parse(text);
  return JSON.stringify({ ...document, model: { ...document.model, protocol } });
}

/** The header that shows the model's API a key of ours in place of the caller's. The key is a secret binding. */
function secret({ header = "authorization", prefix, secret: name }, place, env) {
  if (!NAME.test(header)) throw wrong(`${place}: ${header} is no header's name`);
  if (!env[name]) throw wrong(`${place}: there is no secret binding ${name}`);
  const before = prefix ?? (header.toLowerCase() === "authorization" ? "Bearer " : "");
  return { header: header.toLowerCase(), value: before + env[name] };
}

/** The route of a path; none if no path fits. */
export function routeOf(routes, pathname) {
  return routes.find(({ path }) => pathname.startsWith(path) && [undefined, "/"].includes(pathname[path.length]));
}

/** Callers' own credentials, which do not go on where ours does. */
const CREDENTIALS = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/** Puts a route's credential in place of the caller's. */
export function authorise(headers, { credential }) {
  if (!credential) return;
  for (const name of CREDENTIALS) headers.delete(name);
  headers.set(credential.header, credential.value);
}

/** An upstream that did not answer within its time. */
export class TimedOut extends Error {}

/** Asks the model's API; what may be repeated is asked again, as often as the route says. */
export async function call({ timeout, retries }, url, init, caller) {
  const repeats = IDEMPOTENT.has(init.method) || init.headers.has("idempotency-key");
  const left = repeats && !(init.body instanceof ReadableStream) ? retries : 0;
  for (let attempt = 0; ; attempt += 1) {
    const isLast = attempt >= left;
    try {
      const response = await timed(timeout, url, init, caller);
      if (isLast || !AGAIN.has(response.status)) return response;
      response.body?.cancel().catch(() => {});
    } catch (error) {
      if (isLast || caller?.aborted) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS << attempt));
  }
}

/** `fetch` whose answer has to begin in time; how long it then takes is not limited. */
async function timed(timeout, url, init, caller) {
  if (!timeout) return fetch(url, { ...init, signal: caller });
  const controller = new AbortController();
  const giveUp = () => controller.abort(caller.reason);
  caller?.addEventListener("abort", giveUp);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, timeout);
  try {
    return await fetch(url, { ...init, signal: controller.signal });
  } catch (error) {
    throw late ? new TimedOut(`no answer within ${timeout} ms`) : error;
  } finally {
    clearTimeout(timer);
  }
}
