//! Who is calling: what the host vouches for, in the order the policy names.

use alloc::{format, string::String, vec::Vec};
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use policy::{ClientBy, Identity};
use sha2::{Digest as _, Sha256};
use wire::{Client, KeyIdentity};

use crate::{
    Guard, Head,
    head::{MAX_SHORT, printable},
    sip,
};

/// Characters of an API key that a report shows, for people.
const KEY_PREFIX: usize = 6;
/// Keys shorter than this show no prefix: it would be too much of them.
const MIN_KEY_FOR_PREFIX: usize = 20;
/// Longest API key that is taken for one.
const MAX_API_KEY: usize = 512;
/// Bytes kept from the right end of `X-Forwarded-For`; sixteen hops need less.
const MAX_FORWARDED: usize = 1024;

/// A caller's API key; lives until it is hashed and is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiKey(pub(crate) Vec<u8>);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

/// The credentials and addresses of a head, as they are being collected.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// The API key. Two different ones, or something that is no single key, are none: whoever reads the request behind the
    /// guard may take either, so a caller who adds one to another's would be somebody new each time.
    key: Option<ApiKey>,
    ambiguous: bool,
    /// What proxies wrote, its right end.
    forwarded: Vec<u8>,
    /// The user of a token that the host has verified.
    pub(crate) user: Option<String>,
}

impl Claims {
    /// Takes what a header says about the caller, if it is one of those that count.
    pub(crate) fn header(&mut self, identity: &Identity, name: &[u8], value: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if identity.trusted_hops > 0 && is("x-forwarded-for") {
            self.forwarded.extend_from_slice(value);
            self.forwarded.push(b',');
            let surplus = self.forwarded.len().saturating_sub(MAX_FORWARDED);
            self.forwarded.drain(..surplus);
        }
        if identity.api_key_headers.iter().any(|known| is(known)) {
            if !is("authorization") {
                self.take_key(value);
            } else if let Some((scheme, key)) = value.split_at_checked(7)
                && scheme.eq_ignore_ascii_case(b"bearer ")
            {
                self.take_key(key);
            }
        }
    }

    /// Takes the key out of a path's query, if it is there.
    pub(crate) fn query(&mut self, identity: &Identity, path: &str) {
        let Some(name) = &identity.api_key_query else { return };
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if key == name {
                self.take_key(value.as_bytes());
            }
        }
    }

    fn take_key(&mut self, key: &[u8]) {
        let key = key.trim_ascii();
        if key.is_empty() || key.len() > MAX_API_KEY {
            return;
        }
        // A host that joins headers of one name hands over several keys as one value.
        self.ambiguous |= key.iter().any(|byte| *byte <= b' ' || *byte == b',');
        match &self.key {
            Some(known) => self.ambiguous |= known.0 != key,
            None => self.key = Some(ApiKey(key.to_vec())),
        }
    }

    /// The key, if there is one and one alone; nobody sees it again.
    pub(crate) fn take(&mut self) -> Option<ApiKey> {
        self.key.take().filter(|_| !self.ambiguous)
    }

    /// The address that the proxies vouch for; `None` if they do not name one.
    pub(crate) fn forwarded(&self, hops: u8) -> Option<&str> {
        let place = usize::from(hops).checked_sub(1)?;
        let entries = self.forwarded.strip_suffix(b",")?.rsplit(|byte| *byte == b',');
        let entry = core::str::from_utf8(entries.skip(place).map(<[u8]>::trim_ascii).next()?).ok()?;
        address(entry).map(|(text, _)| text)
    }
}

/// An address without port and brackets, as text and as what it means.
fn address(text: &str) -> Option<(&str, IpAddr)> {
    if let Ok(address) = text.parse() {
        return Some((text, address));
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some((inside, inside.parse().ok()?));
    }
    let socket: SocketAddr = text.parse().ok()?;
    let (host, _) = text.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']), socket.ip()))
}

impl Guard {
    /// The caller as reports name them.
    pub(crate) fn client(&self, head: &mut Head) -> Client {
        let identity = &self.policy().document().identity;
        let key = head.claims.take().map(|ApiKey(key)| {
            let hash = self.digest("key", &key);
            let shown = if key.len() < MIN_KEY_FOR_PREFIX { 0 } else { KEY_PREFIX };
            KeyIdentity { hash: format!("{hash:032x}"), prefix: printable(&key, shown) }
        });
        let forwarded =
            head.claims.forwarded(identity.trusted_hops).map(|it| printable(it.as_bytes(), MAX_SHORT));
        Client { address: forwarded.or_else(|| head.address.clone()), key, user: head.claims.user.take() }
    }

    /// The caller as the ledger knows them. Callers without any identity share one record.
    pub(crate) fn fingerprint(&self, client: &Client) -> u64 {
        let order = self.policy().document().identity.client.order();
        let name = order.iter().find_map(|by| match by {
            ClientBy::Address => Some(address_name(client.address.as_deref()?)),
            ClientBy::ApiKey => Some(named(b'k', client.key.as_ref()?.hash.as_bytes())),
            ClientBy::JwtClaim => Some(named(b'u', client.user.as_deref()?.as_bytes())),
        });
        let name = name.or_else(|| client.address.as_deref().map(address_name));
        sip::hash(self.client_key, &name.unwrap_or_default())
    }

    /// The first 128 bits of SHA-256 over the identity key, the model, a purpose and a text. The model keeps the
    /// clients of two guards apart that share a ledger.
    pub(crate) fn digest(&self, purpose: &str, text: &[u8]) -> u128 {
        let mut hash = Sha256::new();
        hash.update(self.identity_key);
        for part in [self.policy().document().model.name.as_str().as_bytes(), purpose.as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(text);
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk::<16>().map_or(0, |first| u128::from_be_bytes(*first))
    }
}

/// Whoever has one IPv6 address has its whole network of 64 bits (RFC 6177), so that is one caller.
fn address_name(address: &str) -> Vec<u8> {
    match address.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(long)) => named(b'n', &(long.to_bits() >> 64).to_le_bytes()),
        _ => named(b'a', address.as_bytes()),
    }
}

/// What names a client, apart from what names others in another way.
fn named(by: u8, name: &[u8]) -> Vec<u8> {
    [&[by], name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(json: &str) -> Identity {
        let policy = format!(r#"{{"model":{{"name":"m"}},"identity":{json}}}"#);
        policy::Policy::from_json(policy.as_bytes()).unwrap().document().identity.clone()
    }

    fn claims(identity: &Identity, headers: &[(&str, &str)]) -> Claims {
        let mut claims = Claims::default();
        for (name, value) in headers {
            claims.header(identity, name.as_bytes(), value.as_bytes());
        }
        claims
    }

    fn key(headers: &[(&str, &str)]) -> Option<String> {
        let key = claims(&Identity::default(), headers).take();
        key.map(|key| String::from_utf8(key.0).unwrap())
    }

    #[test]
    fn one_key_is_taken_from_any_of_its_headers() {
        assert_eq!(key(&[("Authorization", "bearer abc")]).as_deref(), Some("abc"));
        assert_eq!(key(&[("X-Api-Key", " abc ")]).as_deref(), Some("abc"));
        assert_eq!(
            key(&[("x-goog-api-key", "abc"), ("authorization", "Bearer abc")]).as_deref(),
            Some("abc")
        );
        assert_eq!(key(&[("authorization", "Basic abc")]), None);
        assert_eq!(key(&[("authorization", "Bearer ")]), None);
    }

    #[test]
    fn two_keys_name_nobody() {
        assert_eq!(key(&[("authorization", "Bearer abc"), ("x-api-key", "other")]), None);
        assert_eq!(key(&[("x-api-key", "abc"), ("x-api-key", "other")]), None);
        assert_eq!(key(&[("x-api-key", "abc, other")]), None, "joined by the host");
        assert_eq!(key(&[("authorization", "Bearer abc, Bearer other")]), None);
    }

    #[test]
    fn only_named_headers_and_the_named_parameter_hold_keys() {
        let identity = identity(r#"{"api_key_headers":["x-tenant"],"api_key_query":"key"}"#);
        let mut tenant = claims(&identity, &[("x-tenant", "abc"), ("authorization", "Bearer other")]);
        assert_eq!(tenant.take(), Some(ApiKey(b"abc".to_vec())));
        let of_query = |path: &str| {
            let mut claims = Claims::default();
            claims.query(&identity, path);
            claims.take().map(|key| String::from_utf8(key.0).unwrap())
        };
        assert_eq!(of_query("/v1beta/models/g:generateContent?alt=sse&key=abc").as_deref(), Some("abc"));
        assert_eq!(of_query("/v1?key=abc#x").as_deref(), Some("abc"));
        assert_eq!(of_query("/v1?key=abc&key=other"), None);
        assert_eq!(of_query("/v1?monkey=abc"), None);
        assert_eq!(of_query("/v1"), None);
    }

    #[test]
    fn the_forwarded_address_is_read_from_the_right() {
        let hops = |number: u8, headers: &[&str]| {
            let identity = identity(&format!(r#"{{"trusted_hops":{number}}}"#));
            let headers: Vec<_> = headers.iter().map(|value| ("X-Forwarded-For", *value)).collect();
            claims(&identity, &headers).forwarded(number).map(String::from)
        };
        assert_eq!(hops(0, &["192.0.2.1"]), None, "nobody is trusted");
        assert_eq!(hops(1, &["203.0.113.9, 192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(hops(2, &["203.0.113.9, 192.0.2.1,10.0.0.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(hops(2, &["203.0.113.9", "192.0.2.1", "10.0.0.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(hops(2, &["192.0.2.1"]), None, "not through two proxies");
        assert_eq!(hops(1, &["192.0.2.1, someone"]), None);
        assert_eq!(hops(1, &["192.0.2.1,"]), None);
        assert_eq!(hops(1, &[]), None);
        assert_eq!(hops(1, &["192.0.2.1:4711"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(hops(1, &["[2001:db8::1]:4711"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(hops(1, &["[2001:db8::1]"]).as_deref(), Some("2001:db8::1"));
        let long = "203.0.113.9, ".repeat(10_000) + "192.0.2.1";
        assert_eq!(hops(1, &[&long]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn keys_are_not_printed() {
        let claims = claims(&Identity::default(), &[("x-api-key", "hunter2")]);
        assert!(!format!("{claims:?}").contains("hunter2"));
    }
}
