//! Handing one mail to one recipient: over SMTP, or into a file.
//!
//! The connection is driven step by step instead of through lettre's transport, for two reasons: a failure names its
//! step, and a server that takes the mail but stalls on `QUIT` does not make it look unsent.
//!
//! lettre 0.11.23 writes bare CR and LF un-stuffed (RUSTSEC-2026-0561): both parts are quoted-printable, which has
//! neither, and header values have no control characters.

use std::{
    path::{Path, PathBuf},
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
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        extension::ClientId,
    },
};

use crate::{
    alert::{Letter, clean::clean},
    channel::{Channel, Delivering, Failure, MAX_SAID_CHARS, Message as Sent, Receipt},
    config::{self, Smtp, Tls, Transport},
};

/// How long to wait for a farewell that no longer matters.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long writing a file may take.
const FILE_PATIENCE: Duration = Duration::from_secs(15);

/// Sends mails.
pub(crate) struct Mailer {
    sender: Mailbox,
    way: Way,
}

enum Way {
    Smtp { server: Smtp, tls: Option<TlsParameters>, hello: ClientId },
    Files(PathBuf),
}

impl Mailer {
    /// Prepares everything that can fail without a network.
    ///
    /// # Errors
    /// When the certificate authority cannot be read or the mail directory not be made.
    pub(crate) fn new(mail: &config::Mail, transport: &Transport) -> Result<Self, String> {
        let way = match transport {
            Transport::Smtp(server) => Way::Smtp {
                tls: tls_parameters(server)?,
                hello: server.hello_name.clone().map_or_else(ClientId::default, ClientId::Domain),
                server: server.clone(),
            },
            Transport::Files(directory) => {
                std::fs::create_dir_all(directory)
                    .map_err(|e| format!("cannot make the mail directory {}: {e}", directory.display()))?;
                Way::Files(directory.clone())
            }
        };
        Ok(Self { sender: mail.sender.clone(), way })
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
        let to: Mailbox = recipient.parse().map_err(|e| Failure::Permanent(format!("{recipient}: {e}")))?;
        let envelope = Envelope::new(Some(self.sender.email.clone()), vec![to.email.clone()])
            .map_err(|e| Failure::Permanent(e.to_string()))?;
        let message = build(&self.sender, to, letter, created_ms).map_err(Failure::Permanent)?.formatted();
        match &self.way {
            Way::Files(directory) => {
                let path = directory.join(file_name(letter, recipient));
                write_file(&path, &message)
                    .map_err(|e| Failure::temporary(format!("cannot write {}: {e}", path.display())))?;
                Ok(Receipt(format!("no SMTP server is configured; written to {}", path.display())))
            }
            Way::Smtp { server, tls, hello } => {
                let handing = hand_over(server, tls.as_ref(), hello, &envelope, &message);
                match tokio::time::timeout(server.timeout, handing).await {
                    Ok(result) => result,
                    Err(_) => Err(Failure::temporary(format!(
                        "{}:{} took longer than {:?}",
                        server.server, server.port, server.timeout
                    ))),
                }
            }
        }
    }
}

impl Channel for Mailer {
    fn deliver<'a>(&'a self, message: Sent<'a>) -> Delivering<'a> {
        Box::pin(self.send(message.letter, message.recipient, message.created_ms))
    }

    fn patience(&self) -> Duration {
        match &self.way {
            Way::Smtp { server, .. } => server.timeout,
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
    builder.build_rustls().map(Some).map_err(|e| format!("cannot set up TLS for {}: {e}", server.server))
}

/// One connection, one mail.
async fn hand_over(
    server: &Smtp,
    tls: Option<&TlsParameters>,
    hello: &ClientId,
    envelope: &Envelope,
    message: &[u8],
) -> Result<Receipt, Failure> {
    let host = server.server.trim_start_matches('[').trim_end_matches(']');
    let at_once = tls.filter(|_| server.tls == Tls::Implicit).cloned();
    let place = format!("{host}:{}", server.port);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1((host, server.port), Some(server.timeout), hello, at_once, None)
            .await
            .map_err(|e| setup_failure(&place, "connect", &e))?;
    if server.tls == Tls::StartTls {
        let Some(tls) = tls.filter(|_| connection.can_starttls()) else {
            farewell(&mut connection).await;
            return Err(Failure::temporary(format!(
                "{place}: the server offers no STARTTLS, and mail is not sent without it"
            )));
        };
        connection.starttls(tls.clone(), hello).await.map_err(|e| setup_failure(&place, "STARTTLS", &e))?;
    }
    if let Some((user, password)) = &server.credentials {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        connection
            .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .await
            .map_err(|e| setup_failure(&place, "log in", &e))?;
    }
    let result = connection.send(envelope, message).await;
    farewell(&mut connection).await;
    match result {
        Ok(response) => {
            let lines: Vec<&str> = response.message().collect();
            Ok(Receipt(clean(&format!("{} {}", response.code(), lines.join(" ")), MAX_SAID_CHARS)))
        }
        Err(e) => {
            let text = clean(&format!("{place}: hand over: {e}"), MAX_SAID_CHARS);
            Err(if e.is_permanent() && !is_about_us(&e) {
                Failure::Permanent(text)
            } else {
                Failure::temporary(text)
            })
        }
    }
}

async fn farewell(connection: &mut AsyncSmtpConnection) {
    let _ = tokio::time::timeout(QUIT_TIMEOUT, connection.abort()).await;
}

/// A failure before any recipient was named speaks about the server or our account, never about the mail. An operator
/// can mend both, so the mail waits.
fn setup_failure(place: &str, step: &str, error: &lettre::transport::smtp::Error) -> Failure {
    Failure::temporary(clean(&format!("{place}: {step}: {error}"), MAX_SAID_CHARS))
}

/// 530, 534, 535 and 538 ask for authentication or encryption (RFC 4954, RFC 3207).
fn is_about_us(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
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
        .subject(clean(&letter.subject, 300))
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
        builder = builder.raw_header(HeaderValue::new(name, clean(value, 100)));
    }
    builder
        .multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, &letter.text))
                .singlepart(part(ContentType::TEXT_HTML, &letter.html)),
        )
        .map_err(|e| e.to_string())
}

/// The same for the same mail and recipient, so that writing it again leaves one file.
fn file_name(letter: &Letter, recipient: &str) -> String {
    let local = letter.message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    let recipient: String = recipient.chars().map(safe).take(80).collect();
    let local: String = local.chars().map(safe).take(80).collect();
    format!("{local}.{recipient}.eml")
}

fn write_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests;
