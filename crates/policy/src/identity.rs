//! What a client is.

use alloc::{format, string::String, vec::Vec};

use serde::{Serialize, Serializer};

use crate::{
    read::{Answer, Blank as _, Form, Next, Refusal, Target, not_above, object, within},
    values::ClientBy,
};

/// What a client is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// What makes two requests come from the same client.
    pub client: ClientOrder,
    /// Proxies of yours between the caller and the peer of the connection, 0 to 16, each of which appends to
    /// `X-Forwarded-For` the address it was called from: the caller's address is so many from the right. 0: the header does
    /// not count. In Envoy leave it at 0 and set the connection manager's `xff_num_trusted_hops`, which does the same.
    #[cfg_attr(feature = "schema", schemars(range(max = 16)))]
    pub trusted_hops: u8,
    /// The headers in which callers show an API key, in lower case; of `authorization` what follows `Bearer`. Name the one
    /// that the model's API reads. Two different keys in one request name nobody. At most 8.
    #[cfg_attr(feature = "schema", schemars(length(max = 8)))]
    pub api_key_headers: Vec<String>,
    /// The parameter of the query in which callers show an API key, such as `key`. `null`: none.
    pub api_key_query: Option<String>,
    /// The claim of a verified JSON Web Token that names the user, such as `sub`. `null`: none.
    pub jwt_claim: Option<String>,
    /// Under which name Envoy's `jwt_authn` filter, which comes before this one, puts the token's claims into the metadata:
    /// its `payload_in_metadata`.
    pub jwt_payload: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            client: ClientOrder::default(),
            trusted_hops: 0,
            api_key_headers: ["authorization", "x-api-key", "api-key", "x-goog-api-key"]
                .map(String::from)
                .into(),
            api_key_query: None,
            jwt_claim: None,
            jwt_payload: "jwt_payload".into(),
        }
    }
}

object!(Identity, needs [], takes [
    client: order(), trusted_hops: within(0, 16), api_key_headers: header_names(), api_key_query, jwt_claim, jwt_payload,
]);

/// Names of headers, in place of the default's.
struct HeaderNames<'a> {
    names: &'a mut Vec<String>,
    count: usize,
}

const fn header_names<'a>(_: &str, names: &'a mut Vec<String>) -> HeaderNames<'a> {
    HeaderNames { names, count: 0 }
}

impl Target for HeaderNames<'_> {
    fn expecting(&self) -> &'static str {
        "a list"
    }

    fn form(&self) -> Form {
        Form::List
    }

    fn item(&mut self, read: Next<'_>) -> Answer {
        self.names.truncate(self.count);
        let mut name = String::blank();
        read(&mut name)?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(Refusal::Message(format!("{name:?} is no header's name in lower case")));
        }
        self.names.push(name);
        self.count += 1;
        not_above("api_key_headers", self.count, 8)
    }
}

impl Identity {
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.client.order().contains(&ClientBy::JwtClaim) && self.jwt_claim.is_none() {
            return Err(("client", "client names jwt_claim, and jwt_claim is not set".into()));
        }
        Ok(())
    }
}

/// What names a client: the first of these that a request has; in the end its address. Written as one name or as a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOrder(Vec<ClientBy>);

impl Default for ClientOrder {
    fn default() -> Self {
        Self([ClientBy::Address].into())
    }
}

impl ClientOrder {
    /// In this order.
    #[must_use]
    pub fn order(&self) -> &[ClientBy] {
        &self.0
    }
}

impl Serialize for ClientOrder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

/// One name, or a list of them in place of the default.
struct Order<'a> {
    order: &'a mut Vec<ClientBy>,
    count: usize,
}

const fn order<'a>(_: &str, order: &'a mut ClientOrder) -> Order<'a> {
    Order { order: &mut order.0, count: 0 }
}

impl Target for Order<'_> {
    fn expecting(&self) -> &'static str {
        "address, api_key, jwt_claim or a list of them"
    }

    fn form(&self) -> Form {
        Form::List
    }

    fn text(&mut self, name: &str) -> Answer {
        let mut one = ClientBy::Address;
        one.text(name)?;
        *self.order = [one].into();
        Ok(())
    }

    fn item(&mut self, read: Next<'_>) -> Answer {
        let mut one = ClientBy::Address;
        read(&mut one)?;
        self.order.truncate(self.count);
        if self.order.contains(&one) {
            return Err(Refusal::Message("client names one thing twice".into()));
        }
        self.order.push(one);
        self.count += 1;
        Ok(())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ClientOrder {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "ClientOrder".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<ClientBy>();
        schemars::json_schema!({
            "description": "What names a client: the first of these that a request has; in the end its address.",
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": 3, "uniqueItems": true }]
        })
    }
}
