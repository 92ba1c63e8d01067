//! Where findings do not count.

use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::{
    read::{Answer, Blank, Refusal, Target, blank, object},
    time::UnixMs,
    values::{Role, RuleName},
};

/// A case in which some rules do not count. What is left out is no condition; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The rules, by id or by a prefix such as `secret.*`. At least one.
    pub rules: Vec<RuleName>,
    /// The request's path, or its beginning followed by `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Names of routes, as the host gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// Callers: an address, a range such as `10.0.0.0/8`, or `key:` and the hash of an API key, as events show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientName>,
    /// The roles of the texts in which the rules do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// When it ends: a date or a time in UTC, such as `2027-01-31` or `2027-01-31T18:00:00Z`. A date ends at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMs>,
    /// Why it is there, for whoever reads it next year.
    pub reason: String,
}

/// What an exception may depend on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// The request's path without its query.
    pub path: &'a str,
    /// The route's name; empty if the host has none.
    pub route: &'a str,
    /// The caller's address, as the host vouches for it.
    pub address: Option<&'a str>,
    /// The hash of the caller's API key.
    pub key_hash: Option<&'a str>,
}

impl Exception {
    /// Whether a finding of this rule in a text of this role does not count.
    pub(crate) fn covers(&self, rule: &str, role: Option<Role>, here: &Circumstances<'_>) -> bool {
        self.rules.iter().any(|name| name.fits(rule))
            && (self.roles.is_empty() || role.is_some_and(|role| self.roles.contains(&role)))
            && self.applies(here)
    }

    /// Whether it holds for a request at all.
    fn applies(&self, here: &Circumstances<'_>) -> bool {
        let path_fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => here.path.starts_with(beginning),
            None => here.path == pattern,
        };
        self.until.is_none_or(|until| here.now_ms < until.0)
            && (self.paths.is_empty() || self.paths.iter().any(path_fits))
            && (self.routes.is_empty() || self.routes.iter().any(|route| route == here.route))
            && (self.clients.is_empty() || self.clients.iter().any(|client| client.fits(here)))
    }

    /// Holds the fields against each other.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.rules.is_empty() {
            return Err(format!("the exception \"{}\" names no rule", self.reason));
        }
        if self.reason.trim().is_empty() {
            return Err("an exception gives no reason".into());
        }
        Ok(())
    }
}

/// A caller or a range of callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientName {
    /// The addresses that share the first `bits` bits with this one.
    Range {
        /// The range's first address.
        address: IpAddr,
        /// Bits that count.
        bits: u8,
    },
    /// The hash of an API key.
    Key(String),
}

impl ClientName {
    /// Whether it is this caller.
    #[must_use]
    pub fn fits(&self, here: &Circumstances<'_>) -> bool {
        match self {
            Self::Key(hash) => here.key_hash == Some(hash),
            Self::Range { address, bits } => here
                .address
                .and_then(|text| text.parse::<IpAddr>().ok())
                .is_some_and(|caller| first_bits(caller, *bits) == first_bits(*address, *bits)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(hash) = text.strip_prefix("key:") {
            let is_hash = hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            return is_hash.then(|| Self::Key(hash.to_ascii_lowercase()));
        }
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(all), |bits| bits.parse().ok().filter(|bits| *bits <= all))?;
        // `10.1.2.3/8` is more likely a slip than a range.
        (first_bits(address, bits) == first_bits(address, all)).then_some(Self::Range { address, bits })
    }
}

/// The first bits of an address, the others 0, and whether it is of the older kind. A mapped address is the older one.
fn first_bits(address: IpAddr, bits: u8) -> (bool, u128) {
    let (is_v4, value, all) = match address.to_canonical() {
        IpAddr::V4(address) => (true, u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (false, address.to_bits(), 128),
    };
    let rest = all - u32::from(bits).min(all);
    (is_v4, value.checked_shr(rest).and_then(|value| value.checked_shl(rest)).unwrap_or(0))
}

impl Serialize for ClientName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Range { address, bits } => serializer.collect_str(&format_args!("{address}/{bits}")),
            Self::Key(hash) => serializer.collect_str(&format_args!("key:{hash}")),
        }
    }
}

impl Target for ClientName {
    fn expecting(&self) -> &'static str {
        "a caller"
    }

    fn text(&mut self, text: &str) -> Answer {
        *self = Self::parse(text).ok_or_else(|| {
            let forms = "an address, a range such as 10.0.0.0/8, or key: with 32 hexadecimal digits";
            Refusal::Message(format!("the client {text:?} is not {forms}"))
        })?;
        Ok(())
    }
}

impl Blank for ClientName {
    fn blank() -> Self {
        Self::Key(String::new())
    }
}

object!(Exception, needs [rules, reason], takes [paths, routes, clients, roles, until]);
blank!(Exception);

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ClientName {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "ClientName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(key:[0-9A-Fa-f]{32}|[0-9A-Fa-f.:]+(/[0-9]{1,3})?)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Option<ClientName> {
        ClientName::parse(text)
    }

    #[test]
    fn a_range_holds_the_addresses_that_share_its_bits() {
        let cases = [
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
        ];
        for (range, address, fits) in cases {
            let here = Circumstances { address: Some(address), ..Circumstances::default() };
            assert_eq!(client(range).unwrap().fits(&here), fits, "{range} {address}");
        }
    }

    #[test]
    fn what_is_no_client_is_refused() {
        for text in ["", "10.0.0.0/33", "10.1.2.3/8", "::/129", "example.org", "key:12", "10.0.0.0/-1", "/8"]
        {
            assert_eq!(client(text), None, "{text}");
        }
    }

    #[test]
    fn a_caller_without_address_fits_no_range() {
        assert!(!client("0.0.0.0/0").unwrap().fits(&Circumstances::default()));
        let here = Circumstances { address: Some("unix:/tmp/x"), ..Circumstances::default() };
        assert!(!client("0.0.0.0/0").unwrap().fits(&here));
    }
}
