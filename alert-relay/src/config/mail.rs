//! How mail goes out, and what it says of itself.

use std::{sync::Arc, time::Duration};

use lettre::message::Mailbox;

use super::{
    Mail, Smtp, SmtpAuth, Tls,
    check::{Check, written},
    raw,
    targets::is_local,
};
use crate::{alert::template::Templates, mail::dkim::Signer};

/// Most keys that sign each mail: one of each kind, and their successors.
const MAX_SIGNERS: usize = 4;

impl Check<'_> {
    pub(super) fn smtp(&mut self, raw: raw::Smtp) -> Option<Smtp> {
        let server =
            self.source.first_var(&["ALERT_SMTP_SERVER", "SMTP_SERVER"]).map(|(_, v)| v).or(raw.server)?;
        if server.is_empty() || !server.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_[]".contains(c)) {
            self.errors.push(format!("smtp.server: {server:?} is no host name or address"));
        }
        let given = self.source.first_var(&["ALERT_SMTP_PORT", "SMTP_PORT"]);
        let port = match given {
            None => raw.port,
            Some((name, text)) => match text.parse::<u16>() {
                Ok(port) => Some(port),
                Err(_) => {
                    self.errors.push(format!("{name}: {text:?} is no port number"));
                    None
                }
            },
        };
        if port == Some(0) {
            self.errors.push("smtp.port: 0 is no port to connect to".to_owned());
        }
        let tls = self.tls(&server, port, raw.tls, raw.allow_plaintext.unwrap_or(false))?;
        let port = port.unwrap_or(match tls {
            Tls::None => 25,
            Tls::StartTls => 587,
            Tls::Implicit => 465,
        });
        let ca = raw.ca_file.and_then(|path| {
            let path = self.source.beside_file(&path);
            std::fs::read(&path)
                .map_err(|e| self.errors.push(format!("smtp.ca_file: cannot read {}: {e}", path.display())))
                .ok()
        });
        let identity = self.identity("smtp", raw.certificate_file.as_deref(), raw.key_file.as_deref());
        let token_file = raw.token_file.as_deref().map(|path| self.source.beside_file(path));
        let auth = self.smtp_auth(raw.auth.as_deref(), token_file.is_some());
        let secret_file = match (&raw.token_file, &raw.password_file) {
            (Some(_), Some(_)) => {
                self.errors.push("smtp.token_file and smtp.password_file are both set; keep one".to_owned());
                None
            }
            (token, password) => token.as_deref().or(password.as_deref()),
        };
        let credentials = self.credentials(raw.username, raw.password, secret_file);
        let timeout = written(raw.timeout, Duration::from_secs(60));
        if timeout.is_zero() || timeout > Duration::from_secs(600) {
            self.errors.push("smtp.timeout: between 1s and 10m".to_owned());
        }
        let hello_name = raw.hello_name;
        if hello_name
            .as_ref()
            .is_some_and(|name| name.is_empty() || !name.chars().all(|c| c.is_ascii_graphic()))
        {
            self.errors
                .push(format!("smtp.hello_name: {:?} is no host name", hello_name.unwrap_or_default()));
            return None;
        }
        Some(Smtp { server, port, tls, ca, identity, credentials, auth, token_file, hello_name, timeout })
    }

    /// The mode as given, else what fits the port and the host.
    fn tls(&mut self, server: &str, port: Option<u16>, value: Option<String>, allow: bool) -> Option<Tls> {
        let given = self.source.first_var(&["ALERT_SMTP_TLS", "SMTP_TLS"]).map(|(_, v)| v).or(value);
        let local = is_local(server);
        let tls = match given.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None if port == Some(465) => Tls::Implicit,
            None if local => Tls::None,
            None | Some("starttls") => Tls::StartTls,
            Some("none") => Tls::None,
            Some("implicit" | "tls") => Tls::Implicit,
            Some(other) => {
                self.errors.push(format!("smtp.tls: {other:?} is none of none, starttls, implicit"));
                return None;
            }
        };
        if tls == Tls::None && !local {
            if allow {
                self.warnings.push(format!("mail goes to {server} unencrypted (smtp.allow_plaintext)"));
            } else {
                self.errors.push(format!(
                    "smtp.tls: none would send mail to {server} in the clear; use starttls or implicit, or set \
                     smtp.allow_plaintext = true"
                ));
            }
        }
        Some(tls)
    }

    fn smtp_auth(&mut self, word: Option<&str>, token: bool) -> SmtpAuth {
        let auth = match word {
            None if token => SmtpAuth::Xoauth2,
            None => SmtpAuth::PlainOrLogin,
            Some("plain") => SmtpAuth::Plain,
            Some("login") => SmtpAuth::Login,
            Some("xoauth2") => SmtpAuth::Xoauth2,
            Some(other) => {
                self.errors.push(format!("smtp.auth: {other:?} is none of plain, login, xoauth2"));
                SmtpAuth::PlainOrLogin
            }
        };
        if token && auth != SmtpAuth::Xoauth2 {
            self.errors.push("smtp.token_file: tokens are for auth = \"xoauth2\"".to_owned());
        }
        auth
    }

    fn credentials(
        &mut self,
        username: Option<String>,
        password: Option<String>,
        file: Option<&str>,
    ) -> Option<(String, super::Secret)> {
        let username =
            self.source.first_var(&["ALERT_SMTP_USERNAME", "SMTP_USERNAME"]).map(|(_, v)| v).or(username);
        let before = self.errors.len();
        let password = self.source.secret(
            &["ALERT_SMTP_PASSWORD", "SMTP_PASSWORD"],
            password,
            file,
            "smtp.password",
            &mut self.errors,
        );
        match (username, password) {
            (Some(username), Some(password)) => Some((username, password)),
            (None, None) => None,
            _ if self.errors.len() > before => None,
            (Some(_), None) => {
                self.errors.push("smtp.username is set, but no password".to_owned());
                None
            }
            (None, Some(_)) => {
                self.errors.push("smtp.password is set, but no username".to_owned());
                None
            }
        }
    }

    /// With no other receiver somebody must be written to.
    pub(super) fn mail(&mut self, raw: &raw::Mail, smtp: bool, alone: bool) -> Option<Mail> {
        let sender = match self.source.var("ALERT_SENDER").or_else(|| raw.sender.clone()) {
            Some(sender) => sender,
            None => {
                if smtp {
                    self.warnings
                        .push("mail.sender is not set; mails come from modelgate@localhost".to_owned());
                }
                "Modelgate <modelgate@localhost>".to_owned()
            }
        };
        let sender = self.mailbox("mail.sender", &sender);
        let listed = match self.source.var("ALERT_RECIPIENTS") {
            Some(text) => self.list("ALERT_RECIPIENTS", &text),
            None => raw.recipients.clone().unwrap_or_default(),
        };
        let mut recipients: Vec<Mailbox> = Vec::new();
        for text in listed {
            if let Some(mailbox) = self.mailbox("mail.recipients", &text)
                && recipients.iter().all(|known| known.email != mailbox.email)
            {
                recipients.push(mailbox);
            }
        }
        if recipients.is_empty() && alone {
            if smtp {
                self.errors.push(
                    "mail.recipients: a mail server is configured, but nobody to write to (ALERT_RECIPIENTS)"
                        .to_owned(),
                );
            } else {
                recipients.extend(self.mailbox("mail.recipients", "security@localhost"));
            }
        }
        let domain = raw
            .message_id_domain
            .clone()
            .or_else(|| sender.as_ref().map(|sender| sender.email.domain().to_owned()))?;
        if domain.is_empty() || !domain.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-') {
            self.errors.push(format!("mail.message_id_domain: {domain:?} is no domain name"));
        }
        let templates = self.templates(raw.templates.as_deref());
        let sender = sender?;
        let dkim = self.dkim(&raw.dkim.0, sender.email.domain());
        Some(Mail { sender, recipients, message_id_domain: domain, templates, dkim })
    }

    /// Keys that sign mails from this domain.
    fn dkim(&mut self, raw: &[raw::Dkim], from: &str) -> Arc<[Signer]> {
        if raw.len() > MAX_SIGNERS {
            self.errors.push(format!("mail.dkim: {} keys; {MAX_SIGNERS} at most", raw.len()));
        }
        let mut signers: Vec<Signer> = Vec::new();
        for one in raw.iter().take(MAX_SIGNERS) {
            let domain = one.domain.as_deref().unwrap_or(from);
            match Signer::new(domain, &one.selector, &self.source.beside_file(&one.key_file)) {
                Ok(new) if signers.iter().any(|known| known.name() == new.name()) => {
                    self.errors.push(format!("mail.dkim: {} is there twice", new.name()));
                }
                Ok(new) => {
                    let from = from.to_ascii_lowercase();
                    if from != new.domain() && !from.ends_with(&format!(".{}", new.domain())) {
                        self.warnings.push(format!(
                            "mail.dkim: a signature of {} says nothing for a sender at {from} (DMARC)",
                            new.domain()
                        ));
                    }
                    signers.push(new);
                }
                Err(e) => self.errors.push(format!("mail.dkim.{e}")),
            }
        }
        Arc::from(signers)
    }

    fn templates(&mut self, directory: Option<&str>) -> Option<Arc<Templates>> {
        match Templates::load(&self.source.beside_file(directory?)) {
            Ok(templates) => Some(Arc::new(templates)),
            Err(errors) => {
                self.errors.extend(errors.into_iter().map(|e| format!("mail.templates: {e}")));
                None
            }
        }
    }

    /// A JSON list, or addresses separated by commas, semicolons or white space.
    fn list(&mut self, name: &str, text: &str) -> Vec<String> {
        if text.starts_with('[') {
            return serde_json::from_str(text).unwrap_or_else(|e| {
                self.errors.push(format!("{name}: not a JSON list of strings: {e}"));
                Vec::new()
            });
        }
        // With a display name white space no longer separates: "Ops Team <ops@example.org>, …".
        let separators: &[char] = if text.contains('<') { &[',', ';'] } else { &[',', ';', ' ', '\t', '\n'] };
        text.split(separators).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A mail address. A display name with control characters would make the mail library panic.
    pub(super) fn mailbox(&mut self, key: &str, text: &str) -> Option<Mailbox> {
        if text.chars().any(char::is_control) {
            self.errors.push(format!("{key}: {text:?} has control characters"));
            return None;
        }
        text.trim().parse().map_err(|e| self.errors.push(format!("{key}: {text:?}: {e}"))).ok()
    }
}
