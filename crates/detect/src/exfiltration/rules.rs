//! What is known of each rule, and how much a match weighs with whom.

use crate::{
    finding::{Category, Rule, Severity},
    role::{Role, Roles},
};

/// OWASP "Sensitive Information Disclosure" and "Improper Output Handling", in both numberings.
const DISCLOSURE: &[&str] = &["LLM02:2025", "LLM02:2026", "LLM05:2025", "LLM10:2026"];
/// OWASP "Improper Output Handling", in both numberings.
const OUTPUT: &[&str] = &["LLM05:2025", "LLM10:2026"];
/// OWASP "Prompt Injection", in both numberings.
const INJECTION: &[&str] = &["LLM01:2025", "LLM01:2026"];
/// MITRE ATLAS "LLM Data Leakage".
const LEAKAGE: &[&str] = &["AML.T0057"];
/// MITRE ATLAS "LLM Prompt Injection: Indirect".
const INDIRECT: &[&str] = &["AML.T0051.001"];

/// Code that somebody asks about is no attack on them.
const SHOWN: Roles = Roles::of(&[Role::Assistant, Role::Tool]);
const SPOKEN: Roles = Roles::of(&[Role::Assistant, Role::Tool, Role::User, Role::Unknown]);
/// Whose documents a model reads; its own answers hide nothing from it.
const READ: Roles = Roles::of(&[Role::Tool, Role::User, Role::Unknown]);

const fn rule(id: &'static str, summary: &'static str, severity: Severity, weight: u16) -> Rule {
    Rule {
        id,
        summary,
        category: Category::Exfiltration,
        severity,
        weight,
        paranoia: 1,
        roles: SPOKEN,
        owasp: DISCLOSURE,
        atlas: LEAKAGE,
    }
}

const fn output(id: &'static str, summary: &'static str, severity: Severity, weight: u16) -> Rule {
    Rule { roles: SHOWN, owasp: OUTPUT, atlas: &[], ..rule(id, summary, severity, weight) }
}

const fn terminal(id: &'static str, summary: &'static str, severity: Severity, weight: u16) -> Rule {
    Rule { owasp: OUTPUT, atlas: &[], ..rule(id, summary, severity, weight) }
}

const fn hidden(id: &'static str, summary: &'static str, weight: u16) -> Rule {
    Rule {
        category: Category::PromptInjection,
        roles: READ,
        owasp: INJECTION,
        atlas: INDIRECT,
        ..rule(id, summary, Severity::Medium, weight)
    }
}

macro_rules! rules {
    ($($name:ident = $rule:expr;)+) => {
        /// A rule by its place in [`RULES`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Number { $($name),+ }
        /// Every rule of this detector.
        pub(crate) const RULES: &[Rule] = &[$($rule),+];
    };
}

rules! {
    ImagePlaceholder = rule("exfiltration.image.placeholder",
        "Address that loads by itself with a slot for the conversation's data", Severity::High, 900);
    ImagePayload = rule("exfiltration.image.payload",
        "Address that loads by itself and carries an encoded payload", Severity::High, 850);
    ImageText = rule("exfiltration.image.text",
        "Address that loads by itself and carries sentences", Severity::High, 850);
    ImageParameter = rule("exfiltration.image.parameter",
        "Address that loads by itself with a parameter for secrets or the conversation", Severity::High, 850);
    LinkPlaceholder = rule("exfiltration.link.placeholder",
        "Link with a slot for the conversation's data", Severity::High, 850);
    LinkPayload = rule("exfiltration.link.payload",
        "Link that carries an encoded payload", Severity::Medium, 700);
    LinkText = rule("exfiltration.link.text", "Link that carries sentences", Severity::Low, 300);
    LinkParameter = rule("exfiltration.link.parameter",
        "Link with a parameter for secrets or the conversation", Severity::Medium, 500);
    RawIp = rule("exfiltration.host.raw-ip", "Address of a public machine without a name", Severity::Medium, 400);
    Collector = rule("exfiltration.host.collector",
        "Host whose name says that it collects what others send", Severity::High, 850);
    Label = rule("exfiltration.host.label", "Host name that carries data in its labels", Severity::Medium, 500);
    Script = output("exfiltration.active.script", "Script outside a code block", Severity::High, 850);
    Handler = output("exfiltration.active.handler", "Event handler outside a code block", Severity::High, 850);
    Url = output("exfiltration.active.url", "Link that runs code", Severity::High, 900);
    Frame = output("exfiltration.active.frame",
        "Embedded document, redirection or form outside a code block", Severity::Medium, 600);
    Colour = terminal("exfiltration.terminal.colour", "Terminal colours", Severity::Low, 450);
    Control = terminal("exfiltration.terminal.control", "Terminal sequence that moves or erases", Severity::Medium, 850);
    Conceal = terminal("exfiltration.terminal.conceal", "Terminal sequence that hides text", Severity::High, 850);
    Hyperlink = terminal("exfiltration.terminal.hyperlink", "Terminal link whose target is not seen", Severity::Medium, 800);
    Clipboard = terminal("exfiltration.terminal.clipboard", "Terminal sequence that sets or reads the clipboard", Severity::Critical, 950);
    Title = terminal("exfiltration.terminal.title", "Terminal sequence that sets the window's title", Severity::Medium, 850);
    Device = terminal("exfiltration.terminal.device",
        "Device control, application or operating-system sequence for a terminal", Severity::High, 850);
    Report = terminal("exfiltration.terminal.report",
        "Terminal sequence that makes the terminal type an answer", Severity::High, 850);
    Paste = terminal("exfiltration.terminal.paste", "Forged end or beginning of a paste", Severity::Critical, 950);
    HiddenComment = hidden("injection.hidden.comment", "Instruction in a comment that no reader sees", 500);
    HiddenStyle = hidden("injection.hidden.style", "Instruction in an element that no reader sees", 600);
}

/// How much a match weighs in an answer, in what a tool returned, and in what a person wrote. Zero is
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weights(pub(super) u16, pub(super) u16, pub(super) u16);

impl Weights {
    pub(super) const fn of(self, role: Role) -> u16 {
        match role {
            Role::Assistant => self.0,
            Role::Tool => self.1,
            Role::System | Role::User | Role::Field | Role::Unknown => self.2,
        }
    }
}
