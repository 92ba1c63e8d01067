//! The checked policy.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use crate::{AbsentTokens, Action, Document, Exception, History, Mode, Packs};

/// A policy that holds together. Made by [`Policy::from_json`] or from a [`Document`]; never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy(Document);

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Line, from 1; 0 if the error belongs to no single line.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            f.write_str(&self.message)
        } else {
            write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
        }
    }
}

impl core::error::Error for ConfigError {}

/// A way past the guard that the policy leaves open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The setting, such as `unscannable.content_type`.
    pub setting: &'static str,
    /// What it lets through.
    pub message: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.message)
    }
}

impl Policy {
    /// Reads and checks a JSON document.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with line and column.
    pub fn from_json(json: &[u8]) -> Result<Self, ConfigError> {
        let document: Document = serde_json::from_slice(json).map_err(|error| {
            let position = format!(" at line {} column {}", error.line(), error.column());
            let text = error.to_string();
            let message = text.strip_suffix(position.as_str()).unwrap_or(&text).to_string();
            ConfigError { line: error.line(), column: error.column(), message }
        })?;
        document.check().map_err(|(field, message)| {
            let (line, column) = position_of(json, field);
            ConfigError { line, column, message }
        })?;
        Ok(Self(document))
    }

    /// Checks a document that was read from something else than JSON.
    ///
    /// # Errors
    /// When fields contradict each other.
    pub fn from_document(document: Document) -> Result<Self, ConfigError> {
        document.check().map_err(|(_, message)| ConfigError { line: 0, column: 0, message })?;
        Ok(Self(document))
    }

    /// The document, every default filled in.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.0
    }

    /// Whether a verdict may depend on the name of a request's route. Where none does, a shell need not ask for it before
    /// there is something to report.
    #[must_use]
    pub fn minds_routes(&self) -> bool {
        let Document { limits, exceptions, shadow, .. } = &self.0;
        let shadowed = shadow.iter().flat_map(|shadow| &shadow.exceptions);
        let names = |pattern: &alloc::string::String| !pattern.starts_with('/');
        limits.exempt_routes.iter().any(names)
            || exceptions.iter().chain(shadowed).any(|exception| !exception.routes.is_empty())
    }

    /// What the policy lets through that a guard with the defaults would not.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let Document { mode, input, detect, exceptions, unscannable, limits, conversation, response, .. } =
            &self.0;
        let mut warnings = Vec::new();
        let mut warn = |is: bool, setting, message| {
            if is {
                warnings.push(Warning { setting, message });
            }
        };
        warn(*mode == Mode::Monitor, "mode", "nothing is refused");
        warn(!limits.enabled, "limits.enabled", "clients are not limited");
        let whole = |pattern: &alloc::string::String| pattern == "/*";
        warn(limits.exempt_routes.iter().any(whole), "limits.exempt_routes", "clients are not limited");
        warn(!response.scan, "response.scan", "nobody looks at what the model answers");
        let unread = conversation.history == History::NewOnly;
        warn(unread, "conversation.history", "an attack in an earlier turn reaches the model");
        let threshold = detect.suspicious_pattern_threshold.thousandths();
        warn(threshold > 950, "detect.suspicious_pattern_threshold", "hardly any single rule reaches it");
        warn(
            input.tensor.allow_non_finite,
            "input.tensor.allow_non_finite",
            "NaN and infinities reach the model",
        );
        let idle = input.absent_tokens != AbsentTokens::Leave && input.clamp_tokens.is_none();
        warn(idle, "input.absent_tokens", "does nothing without clamp_tokens");
        let Packs {
            injection,
            jailbreak,
            extraction,
            secret,
            pii,
            exfiltration,
            web_payload,
            structure,
            classifier,
        } = detect.packs;
        for (setting, is_on) in [
            ("detect.packs.injection", injection),
            ("detect.packs.jailbreak", jailbreak),
            ("detect.packs.extraction", extraction),
            ("detect.packs.secret", secret),
            ("detect.packs.pii", pii),
            ("detect.packs.exfiltration", exfiltration),
            ("detect.packs.web_payload", web_payload),
            ("detect.packs.structure", structure),
            ("detect.packs.classifier", classifier),
        ] {
            warn(!is_on, setting, "the detector is switched off");
        }
        let weakened = detect.rules.values().any(|action| *action < Action::Mask);
        warn(weakened, "detect.rules", "what some rules find passes");
        let unlimited = |exception: &Exception| exception.until.is_none();
        warn(exceptions.iter().any(unlimited), "exceptions", "an exception has no end");
        let passes = |action: Action| action < Action::Mask;
        for (setting, action) in [
            ("detect.prompt_injection", detect.prompt_injection),
            ("detect.jailbreak", detect.jailbreak),
            ("detect.prompt_extraction", detect.prompt_extraction),
            ("detect.secret", detect.secret),
            ("detect.exfiltration", detect.exfiltration),
            ("detect.web_payload", detect.web_payload),
            ("detect.structure", detect.structure),
            ("detect.tensor", detect.tensor),
        ] {
            warn(passes(action), setting, "what is found passes");
        }
        for (setting, action) in [
            ("unscannable.content_type", unscannable.content_type),
            ("unscannable.content_encoding", unscannable.content_encoding),
            ("unscannable.charset", unscannable.charset),
            ("unscannable.syntax", unscannable.syntax),
            ("unscannable.duplicate_key", unscannable.duplicate_key),
            ("unscannable.too_complex", unscannable.too_complex),
            ("unscannable.form", unscannable.form),
            ("unscannable.oversize", unscannable.oversize),
            ("unscannable.websocket", unscannable.websocket),
            ("unscannable.grpc", unscannable.grpc),
        ] {
            warn(passes(action), setting, "a body of this kind reaches the model without inspection");
        }
        warnings
    }
}

/// Line and column of a field's name. The fields that are held against each other have names of their own.
fn position_of(json: &[u8], field: &str) -> (usize, usize) {
    let name = format!("\"{field}\"");
    let at = json.windows(name.len()).position(|window| window == name.as_bytes());
    let Some(before) = at.and_then(|at| json.get(..at)) else { return (0, 0) };
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (before.iter().filter(|byte| **byte == b'\n').count() + 1, before.len() - line_start + 1)
}
