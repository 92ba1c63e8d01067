//! What is looked for in what the model answers, and what happens when it is found.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;

use crate::{
    Action, Policy, Reason,
    detection::Detect,
    exception::Circumstances,
    read::{object, within},
    values::{Role, RuleName},
};

/// What is looked for in answers. `mask` replaces what was found, in place; `block` cuts a stream, with an ending in the
/// words of its protocol, and refuses an answer that came whole. Detectors, paranoia level, thresholds and exceptions are
/// those of `detect` and `exceptions`; whatever is not `allow` is reported.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Response {
    /// Whether answers are looked at.
    pub scan: bool,
    /// Characters (bytes of UTF-8) of a streamed text that are judged together, 512 to 16,384: the end of a text is held
    /// back as long as it is shorter, where something may be masked or cut. A quarter of it, but no more than 512, is
    /// judged twice, so that nothing hides at the seams.
    #[cfg_attr(feature = "schema", schemars(range(min = 512, max = 16_384)))]
    pub window: u32,
    /// Longest answer in bytes that is held to be judged whole, and longest event of a stream, 1024 to 16 MiB. Envoy holds
    /// no more than its own buffer limit, 1 MiB unless it is raised.
    #[cfg_attr(feature = "schema", schemars(range(min = 1024, max = 16_777_216)))]
    pub max_size: u32,
    /// What to do about credentials.
    pub secret: Action,
    /// What to do about personal data.
    pub pii: Action,
    /// What to do about tokens that the operator planted (`detect.canaries`).
    pub canary: Action,
    /// What to do about pictures and other addresses that load by themselves and carry data.
    pub image: Action,
    /// What to do about other links that carry data, active HTML and sequences for terminals.
    pub exfiltration: Action,
    /// What to do about instructions and payloads in what tools and documents returned, such as MCP's results.
    pub instructions: Action,
    /// What to do about an answer that repeats the application's own prompt. Costs a second look at every answer.
    pub echo: Action,
    /// What to do about answers that cannot be inspected.
    pub unscannable: Action,
    /// Digests of the tools that an MCP server may declare, by name, as `modelgate pin` prints them. With any of them, a
    /// tool that is declared otherwise, or that has none, gets the action of `unpinned`. At most 1024.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 1024)))]
    pub pinned_tools: BTreeMap<String, String>,
    /// What to do about tools that do not fit `pinned_tools`.
    pub unpinned: Action,
    /// Whether values of the request that were masked are put back where the answer names their placeholders.
    pub restore: bool,
    /// Actions of single rules, by their id or by a prefix; they go before those of the categories. At most 256.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 256)))]
    pub rules: BTreeMap<RuleName, Action>,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            scan: true,
            window: 512,
            max_size: 1 << 20,
            secret: Action::Mask,
            pii: Action::Flag,
            canary: Action::Mask,
            image: Action::Mask,
            exfiltration: Action::Flag,
            instructions: Action::Flag,
            echo: Action::Allow,
            unscannable: Action::Flag,
            pinned_tools: BTreeMap::new(),
            unpinned: Action::Block,
            restore: false,
            rules: BTreeMap::new(),
        }
    }
}

object!(Response, needs [], takes [
    scan, window: within(512, 16 << 10), max_size: within(1024, 16 << 20), secret, pii, canary, image, exfiltration,
    instructions, echo, unscannable, pinned_tools, unpinned, restore, rules,
]);
object!(Headers, needs [], takes [
    nosniff, frame_options, referrer_policy, content_security_policy, strict_transport_security,
]);

impl Response {
    /// Holds fields against what they may be. An error names the field that is at fault and what is wrong.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_digest =
            |digest: &String| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.pinned_tools.len() > 1024 {
            return Err(("pinned_tools", "pinned_tools has more than 1024 items".into()));
        }
        match self.pinned_tools.iter().find(|(_, digest)| !is_digest(digest)) {
            Some((name, _)) => {
                Err(("pinned_tools", format!("the pin of {name:?} is no SHA-256 in 64 hex digits")))
            }
            None => Ok(()),
        }
    }

    /// Whether an answer may be changed, so that its text has to be held back until it is judged.
    #[must_use]
    pub fn may_change(&self) -> bool {
        let Self {
            secret, pii, canary, image, exfiltration, instructions, echo, unscannable: _, rules, ..
        } = self;
        let pins = !self.pinned_tools.is_empty() && self.unpinned >= Action::Mask;
        let categories = [secret, pii, canary, image, exfiltration, instructions, echo];
        pins || categories.into_iter().chain(rules.values()).any(|action| *action >= Action::Mask)
    }

    /// Whether any text is masked in place.
    #[must_use]
    pub fn may_mask(&self) -> bool {
        let Self { secret, pii, canary, image, exfiltration, instructions, rules, .. } = self;
        let categories = [secret, pii, canary, image, exfiltration, instructions];
        categories.into_iter().chain(rules.values()).any(|action| *action == Action::Mask)
    }

    fn action(&self, reason: &Reason<'_>) -> Action {
        use detect::Category;
        match reason.category {
            Category::Secret => self.secret,
            Category::Pii => self.pii,
            Category::Exfiltration if reason.rule == detect::ECHO_RULE.id => self.echo,
            Category::Exfiltration if reason.rule.starts_with("exfiltration.canary.") => self.canary,
            Category::Exfiltration if reason.rule.starts_with("exfiltration.image.") => self.image,
            Category::Exfiltration => self.exfiltration,
            // The model may talk about attacks; what it was handed may be one.
            _ if reason.role == Some(Role::Tool) => self.instructions,
            _ => Action::Allow,
        }
    }
}

impl Policy {
    /// What the policy does about a finding in an answer, before its mode is applied. Each is judged alone: a stream cannot
    /// wait for what else will be found.
    #[must_use]
    pub fn judge_answer(&self, reason: &Reason<'_>, here: &Circumstances<'_>) -> Action {
        let document = self.document();
        let Detect { suspicious_pattern_threshold, flag_threshold, .. } = &document.detect;
        if !self.counts(reason, here) {
            return Action::Allow;
        }
        let response = &document.response;
        let named = response.rules.iter().filter(|(name, _)| name.fits(reason.rule));
        if let Some((_, action)) = named.max_by_key(|(name, _)| name.as_str().len()) {
            return *action;
        }
        let most = if reason.weight >= suspicious_pattern_threshold.thousandths() {
            Action::Block
        } else if reason.weight >= flag_threshold.thousandths() {
            Action::Flag
        } else {
            Action::Allow
        };
        response.action(reason).min(most)
    }
}

/// Headers that tell browsers what an answer may do. None is added unless it is named here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Headers {
    /// `x-content-type-options: nosniff`.
    pub nosniff: bool,
    /// `x-frame-options`, such as `DENY`.
    pub frame_options: Option<String>,
    /// `referrer-policy`, such as `no-referrer`.
    pub referrer_policy: Option<String>,
    /// `content-security-policy`, such as `default-src 'none'; frame-ancestors 'none'`.
    pub content_security_policy: Option<String>,
    /// `strict-transport-security`, such as `max-age=63072000; includeSubDomains`; added under TLS alone (RFC 6797,
    /// section 7.2).
    pub strict_transport_security: Option<String>,
}

/// Longest value of a header.
const MAX_VALUE: usize = 1024;

impl Headers {
    /// Holds values against what a header may hold. An error names the field that is at fault and what is wrong.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let Self {
            nosniff: _,
            frame_options,
            referrer_policy,
            content_security_policy,
            strict_transport_security,
        } = self;
        let is_value = |text: &str| {
            !text.is_empty()
                && text.len() <= MAX_VALUE
                && text.bytes().all(|byte| (b' '..0x7f).contains(&byte))
        };
        for (name, value) in [
            ("frame_options", frame_options),
            ("referrer_policy", referrer_policy),
            ("content_security_policy", content_security_policy),
            ("strict_transport_security", strict_transport_security),
        ] {
            if value.as_ref().is_some_and(|value| !is_value(value)) {
                return Err((name, format!("{name} takes 1 to {MAX_VALUE} printable ASCII characters")));
            }
        }
        Ok(())
    }

    /// Names and values, for an answer that goes out under TLS or not.
    #[must_use]
    pub fn lines(&self, tls: bool) -> Vec<(&'static str, String)> {
        let nosniff = self.nosniff.then(|| "nosniff".to_string());
        [
            ("x-content-type-options", nosniff),
            ("x-frame-options", self.frame_options.clone()),
            ("referrer-policy", self.referrer_policy.clone()),
            ("content-security-policy", self.content_security_policy.clone()),
            ("strict-transport-security", self.strict_transport_security.clone().filter(|_| tls)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use detect::{Category, Severity};

    use super::*;

    const HERE: Circumstances<'_> =
        Circumstances { now_ms: 0, path: "/v1/chat", route: "", address: None, key_hash: None };

    fn policy(json: &str) -> Policy {
        Policy::from_json(json.as_bytes()).unwrap()
    }

    fn reason(rule: &str, category: Category, weight: u16, role: Role) -> Reason<'_> {
        Reason { rule, category, severity: Severity::High, weight, paranoia: 1, role: Some(role) }
    }

    #[test]
    fn by_default_credentials_are_masked_and_the_rest_is_told() {
        let policy = policy(r#"{"model":{"name":"m"}}"#);
        let table = [
            ("secret.x", Category::Secret, 900, Role::Assistant, Action::Mask),
            ("secret.x", Category::Secret, 600, Role::Assistant, Action::Flag),
            ("secret.x", Category::Secret, 300, Role::Assistant, Action::Allow),
            ("pii.x", Category::Pii, 900, Role::Assistant, Action::Flag),
            ("exfiltration.canary.token", Category::Exfiltration, 1000, Role::Assistant, Action::Mask),
            ("exfiltration.image.payload", Category::Exfiltration, 850, Role::Assistant, Action::Mask),
            ("exfiltration.active.script", Category::Exfiltration, 850, Role::Assistant, Action::Flag),
            ("exfiltration.echo.system-prompt", Category::Exfiltration, 900, Role::Assistant, Action::Allow),
            ("injection.x", Category::PromptInjection, 950, Role::Assistant, Action::Allow),
            ("injection.x", Category::PromptInjection, 950, Role::Tool, Action::Flag),
        ];
        for (rule, category, weight, role, expected) in table {
            let reason = reason(rule, category, weight, role);
            assert_eq!(policy.judge_answer(&reason, &HERE), expected, "{rule} {weight} {role:?}");
        }
    }

    #[test]
    fn a_rule_of_its_own_goes_before_its_category_and_what_does_not_count_is_nothing() {
        let policy = policy(
            r#"{"model":{"name":"m"},"response":{"rules":{"secret.*":"block","secret.a.b":"flag"}},
                "detect":{"rules":{"secret.off":"allow"}},"exceptions":[{"rules":["secret.known"],"reason":"a test"}]}"#,
        );
        let judge = |rule| policy.judge_answer(&reason(rule, Category::Secret, 900, Role::Assistant), &HERE);
        assert_eq!(judge("secret.x"), Action::Block);
        assert_eq!(judge("secret.a.b"), Action::Flag);
        assert_eq!(judge("secret.off"), Action::Allow);
        assert_eq!(judge("secret.known"), Action::Allow);
    }

    #[test]
    fn only_headers_that_are_named_are_added_and_hsts_only_under_tls() {
        assert_eq!(Headers::default().lines(true), []);
        let policy = policy(
            r#"{"model":{"name":"m"},"headers":{"nosniff":true,"frame_options":"DENY","referrer_policy":"no-referrer",
                "content_security_policy":"default-src 'none'","strict_transport_security":"max-age=1"}}"#,
        );
        let names =
            |tls| policy.document().headers.lines(tls).iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(true).len(), 5);
        assert_eq!(names(false).len(), 4);
        assert!(!names(false).contains(&"strict-transport-security"));
    }

    #[test]
    fn a_header_that_would_be_two_is_refused() {
        for value in [r"a\r\nset-cookie: b", "", "é"] {
            let json = format!(r#"{{"model":{{"name":"m"}},"headers":{{"frame_options":"{value}"}}}}"#);
            assert!(Policy::from_json(json.as_bytes()).is_err(), "{value}");
        }
    }
}
