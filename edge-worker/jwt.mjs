// Who is calling, by a JSON Web Token (RFC 7519): verified here, or by what stands in front of the worker.

/** Clocks differ by so many seconds. */
const LEEWAY_S = 60;
/** Longer ones are no tokens of ours. */
const MAX_TOKEN = 16_384;
/** How long keys that were fetched are used. */
const KEYS_MS = 600_000;
/** How long keys are not fetched again, whatever token asks for another one. */
const PATIENCE_MS = 30_000;
/** When they are tried again where that failed. */
const RETRY_MS = 1_000;

const ALGORITHMS = {
  RS256: { kty: "RSA", params: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } },
  RS512: { kty: "RSA", params: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" } },
  PS256: { kty: "RSA", params: { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 } },
  ES256: { kty: "EC", params: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } },
  EdDSA: { kty: "OKP", params: { name: "Ed25519" } },
};

/**
 * Reads tokens as the binding JWT says: `{jwks | jwks_url, issuer, audience, header?}`, or `{claims_header}` for claims that
 * a proxy has verified and hands on in base64url, which only a worker behind that proxy may believe.
 */
export function tokens(text) {
  if (!text) return undefined;
  const settings = typeof text === "string" ? JSON.parse(text) : text;
  const { jwks, jwks_url: url, issuer, audience, claims_header: verified } = settings;
  if (!verified && ((!jwks && !url) || !issuer || !audience)) {
    throw new TypeError("modelgate: the binding JWT needs jwks or jwks_url, issuer and audience, or claims_header");
  }
  return new Tokens(settings);
}

class Tokens {
  constructor({ jwks, jwks_url: url, issuer, audience, header = "authorization", claims_header: verified }) {
    Object.assign(this, { keys: jwks?.keys, url, issuer, audience, header, verified });
    this.fetched = -Infinity;
  }

  /** A claim of the request's token, undefined without a token that holds. */
  async claim(headers, name) {
    try {
      const claims = this.verified ? json(headers.get(this.verified)) : await this.verify(headers.get(this.header));
      const value = claims?.[name];
      return typeof value === "string" && value !== "" ? value : undefined;
    } catch {
      // Whatever is wrong with it: it is no token, and the caller is known by something else.
      return undefined;
    }
  }

  async verify(value) {
    const token = value?.replace(/^bearer +/i, "");
    if (!token || token.length > MAX_TOKEN) return undefined;
    const [head, claims, signature, ...more] = token.split(".");
    if (signature === undefined || more.length > 0) return undefined;
    const { alg, kid, crit } = json(head);
    const algorithm = Object.hasOwn(ALGORITHMS, alg) ? ALGORITHMS[alg] : undefined;
    if (!algorithm || crit) return undefined;
    const signed = new TextEncoder().encode(`${head}.${claims}`);
    for (const key of await this.candidates(algorithm.kty, alg, kid)) {
      // A key that the host cannot read says nothing of the next one.
      const imported = await crypto.subtle.importKey("jwk", key, algorithm.params, false, ["verify"]).catch(() => null);
      if (imported && await crypto.subtle.verify(algorithm.params, imported, bytes(signature), signed)) {
        return this.checked(json(claims));
      }
    }
    return undefined;
  }

  checked(claims) {
    const now = Date.now() / 1000;
    const audiences = [claims.aud].flat();
    const holds = claims.iss === this.issuer && audiences.includes(this.audience) && typeof claims.exp === "number" &&
      claims.exp + LEEWAY_S > now && (claims.nbf ?? 0) - LEEWAY_S < now;
    return holds ? claims : undefined;
  }

  /** The keys that a token may be signed with. */
  async candidates(kty, alg, kid) {
    const fit = () => (this.keys ?? []).filter((key) =>
      key.kty === kty && (key.alg ?? alg) === alg && (key.use ?? "sig") === "sig" && (!kid || key.kid === kid));
    const age = Date.now() - this.fetched;
    if (this.url && (age > KEYS_MS || (fit().length === 0 && age > PATIENCE_MS))) {
      this.fetched = Date.now();
      this.fetching = this.fetchKeys();
    }
    // Also whose token comes while another one has the keys fetched.
    if (fit().length === 0) await this.fetching;
    return fit().slice(0, 8).map(({ kty, n, e, crv, x, y }) => ({ kty, n, e, crv, x, y }));
  }

  async fetchKeys() {
    try {
      const response = await fetch(this.url, { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.keys = (await response.json()).keys;
    } catch (error) {
      console.warn(`modelgate: keys for tokens: ${error}`);
      this.fetched = Date.now() - PATIENCE_MS + RETRY_MS;
    }
  }
}

function bytes(text) {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

function json(text) {
  return JSON.parse(new TextDecoder().decode(bytes(text)));
}
