//! Handing one mail to one recipient: over SMTP, or into a file.
//!
//! The connection is driven step by step instead of through lettre's transport, for two reasons: a failure names its
//! step, and a server that takes the mail but stalls on `QUIT` does not make it look unsent.
//!
//! lettre 0.11.23 writes bare CR and LF un-stuffed (RUSTSEC-2026-0561): both parts are quoted-printable, which has
//! neither, and header values have no control characters.

pub(crate) mod dkim;
mod explain;
mod smtp;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use lettre::{
    Message,
    address::Envelope,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        client::{Certificate, Identity, TlsParameters},
        extension::ClientId,
    },
};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
use wire::signature::Key;

use self::smtp::Step;
use crate::{
    acknowledge::{self, Link},
    alert::{
        Letter,
        clean::{clean, escape},
    },
    channel::{Channel, Delivering, Failure, Message as Sent, Receipt},
    config::{self, Smtp, Tls, Transport},
};

/// How long writing a file may take.
const FILE_PATIENCE: Duration = Duration::from_secs(15);

/// Sends mails.
pub(crate) struct Mailer {
    sender: Mailbox,
    way: Way,
    public_url: String,
    keys: Vec<Key>,
    signers: Arc<[dkim::Signer]>,
}

enum Way {
    Smtp(Box<smtp::Way>),
    Files(PathBuf),
}

impl Mailer {
    /// Prepares everything that can fail without a network.
    ///
    /// # Errors
    /// When the certificate authority cannot be read or the mail directory not be made.
    pub(crate) fn new(mail: &config::Mail, transport: &Transport) -> Result<Self, String> {
        let way = match transport {
            Transport::Smtp(server) => Way::Smtp(Box::new(smtp::Way {
                tls: tls_parameters(server)?,
                hello: server.hello_name.clone().map_or_else(ClientId::default, ClientId::Domain),
                server: server.clone(),
            })),
            Transport::Files(directory) => {
                make_directory(directory)
                    .map_err(|e| format!("cannot make the mail directory {}: {e}", directory.display()))?;
                Way::Files(directory.clone())
            }
        };
        Ok(Self {
            sender: mail.sender.clone(),
            way,
            public_url: String::new(),
            keys: Vec::new(),
            signers: Arc::clone(&mail.dkim),
        })
    }

    /// With what links that acknowledge are made of.
    pub(crate) fn linking(self, public_url: &str, keys: &[Key]) -> Self {
        Self { public_url: public_url.to_owned(), keys: keys.to_vec(), ..self }
    }

    /// Sends one letter to one recipient, and says how it went out. `created_ms` becomes its date.
    ///
    /// # Errors
    /// Whether trying again can help, and what was said.
    pub(crate) async fn send(
        &self,
        letter: &Letter,
        recipient: &str,
        created_ms: u64,
    ) -> Result<Receipt, Failure> {
        let (envelope, message) = self.prepare(letter, recipient, created_ms).map_err(Failure::Permanent)?;
        match &self.way {
            Way::Files(directory) => {
                let path = directory.join(file_name(letter, recipient));
                write_file(&path, &message)
                    .map_err(|e| Failure::temporary(format!("cannot write {}: {e}", path.display())))?;
                Ok(Receipt(format!("no SMTP server is configured; written to {}", path.display())))
            }
            Way::Smtp(way) => {
                let mut nobody = |_, _: &str| {};
                let handing = way.hand_over(&envelope, &message, &mut nobody);
                match tokio::time::timeout(way.server.timeout, handing).await {
                    Ok(result) => result.map_err(|(_, failure)| failure),
                    Err(_) => Err(Failure::temporary(format!(
                        "{} took longer than {:?}",
                        way.place(),
                        way.server.timeout
                    ))),
                }
            }
        }
    }

    /// The envelope and the mail itself.
    fn prepare(
        &self,
        letter: &Letter,
        recipient: &str,
        created_ms: u64,
    ) -> Result<(Envelope, Vec<u8>), String> {
        let to: Mailbox = recipient.parse().map_err(|e| format!("{recipient}: {e}"))?;
        let envelope = Envelope::new(Some(self.sender.email.clone()), vec![to.email.clone()])
            .map_err(|e| e.to_string())?;
        let letter = self.with_link(letter, recipient, created_ms);
        let message = build(&self.sender, to, &letter, created_ms)?.formatted();
        // The time is the mail's own, so that it is the same mail however often it is sent.
        Ok((envelope, dkim::sign(&self.signers, message, created_ms / 1000)?))
    }

    /// With this recipient's own link in place of what stands for it.
    fn with_link(&self, letter: &Letter, recipient: &str, created_ms: u64) -> Letter {
        let mut letter = letter.clone();
        let of = letter.covers.as_ref().map(|covers| covers.message);
        let link = letter.incident.parse().ok().map(|id| Link::new(id, of, recipient, created_ms));
        if let Some(url) = link.and_then(|link| link.url(&self.public_url, &self.keys)) {
            let stands = acknowledge::placeholder(&letter.incident);
            letter.text = letter.text.replace(&stands, &url);
            letter.html = letter.html.replace(&stands, &escape(&url));
        }
        letter
    }

    /// Sends a letter and tells of each step, in plain words. False if it was not taken.
    pub(crate) async fn explain(
        &self,
        letter: &Letter,
        recipient: &str,
        created_ms: u64,
        tell: &mut (dyn FnMut(String) + Send),
    ) -> bool {
        let Way::Smtp(way) = &self.way else {
            let result = self.send(letter, recipient, created_ms).await;
            tell(match &result {
                Ok(Receipt(said)) => format!("  ok      {said}"),
                Err(failure) => format!("  FAILED  {}", failure.said()),
            });
            return result.is_ok();
        };
        let lookup = tokio::net::lookup_host((way.host(), way.server.port)).await;
        let result = match lookup.map(|found| found.map(|at| at.ip().to_string()).collect::<Vec<_>>()) {
            Err(e) => Err((Step::Name, Failure::temporary(format!("{}: {e}", way.host())))),
            Ok(addresses) => {
                tell(said(Step::Name, &format!("{} is {}", way.host(), addresses.join(", "))));
                match self.prepare(letter, recipient, created_ms) {
                    Err(error) => Err((Step::Recipient, Failure::Permanent(error))),
                    Ok((envelope, message)) => {
                        let mut reached = Step::Connect;
                        let mut watch = |step, what: &str| {
                            reached = step;
                            tell(said(step, what));
                        };
                        let handing = way.hand_over(&envelope, &message, &mut watch);
                        let result = tokio::time::timeout(way.server.timeout, handing).await;
                        result.unwrap_or_else(|_| {
                            let says = format!("no answer within {:?}", way.server.timeout);
                            Err((reached, Failure::temporary(format!("after {}: {says}", reached.as_str()))))
                        })
                    }
                }
            }
        };
        let Err((step, failure)) = result else { return true };
        tell(format!("  FAILED  {:<10} {}", step.as_str(), failure.said()));
        tell(format!("          {}", explain::advice(step, &way.place(), failure.said())));
        false
    }
}

fn said(step: Step, what: &str) -> String {
    format!("  ok      {:<10} {what}", step.as_str())
}

impl Channel for Mailer {
    fn deliver<'a>(&'a self, message: Sent<'a>) -> Delivering<'a> {
        Box::pin(self.send(message.letter, message.recipient, message.created_ms))
    }

    fn patience(&self) -> Duration {
        match &self.way {
            Way::Smtp(way) => way.server.timeout,
            Way::Files(_) => FILE_PATIENCE,
        }
    }
}

fn tls_parameters(server: &Smtp) -> Result<Option<TlsParameters>, String> {
    if server.tls == Tls::None {
        return Ok(None);
    }
    let mut builder = TlsParameters::builder(server.server.clone());
    if let Some(pem) = &server.ca {
        let authority = Certificate::from_pem(pem)
            .map_err(|e| format!("smtp.ca_file: no certificate in PEM form: {e}"))?;
        builder = builder.add_root_certificate(authority);
    }
    if let Some((certificate, key)) = &server.identity {
        let wrong = |e: &dyn std::fmt::Display| format!("smtp.certificate_file: {e}");
        let own = CertificateDer::from_pem_slice(certificate).map_err(|e| wrong(&e))?;
        // lettre 0.11.23 takes these bytes for DER where it has rustls, whatever the name says.
        let identity = Identity::from_pem(&own, key.expose().as_bytes()).map_err(|e| wrong(&e))?;
        builder = builder.identify_with(identity);
    }
    builder.build_rustls().map(Some).map_err(|e| format!("cannot set up TLS for {}: {e}", server.server))
}

/// The message with its headers, each once.
fn build(from: &Mailbox, to: Mailbox, letter: &Letter, created_ms: u64) -> Result<Message, String> {
    let part = |kind: ContentType, text: &str| {
        SinglePart::builder()
            .header(kind)
            .header(ContentTransferEncoding::QuotedPrintable)
            .body(text.to_owned())
    };
    let mut builder = Message::builder()
        .from(from.clone())
        .to(to)
        .subject(header_text(&letter.subject, 300))
        .date(UNIX_EPOCH + Duration::from_millis(created_ms))
        .message_id(Some(letter.message_id.clone()));
    if let Some(first) = &letter.in_reply_to {
        builder = builder.in_reply_to(first.clone()).references(first.clone());
    }
    let marks = [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Modelgate-Severity", letter.severity.as_str()),
        ("X-Modelgate-Incident", &letter.incident),
    ];
    for (name, value) in marks {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|e| e.to_string())?;
        builder = builder.raw_header(HeaderValue::new(name, header_text(value, 100)));
    }
    builder
        .multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, &letter.text))
                .singlepart(part(ContentType::TEXT_HTML, &letter.html)),
        )
        .map_err(|e| e.to_string())
}

/// On one line, and without what a reader would take for an encoded word (RFC 2047) and show as something else: only
/// the words that need it are encoded by us.
fn header_text(text: &str, max: usize) -> String {
    clean(text, max).replace("=?", "= ?")
}

/// The same for the same mail and recipient, so that writing it again leaves one file.
fn file_name(letter: &Letter, recipient: &str) -> String {
    let local = letter.message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    let recipient: String = recipient.chars().map(safe).take(80).collect();
    let local: String = local.chars().map(safe).take(80).collect();
    format!("{local}.{recipient}.eml")
}

/// One that nobody else on the machine looks into: a mail has a link that acknowledges.
fn make_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn write_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let part = path.with_extension("part");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests;
