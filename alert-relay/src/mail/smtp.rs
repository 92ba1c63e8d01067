//! One connection, one mail, step by step.

use std::time::Duration;

use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailParameter},
    },
};

use crate::{
    alert::clean::clean,
    channel::{Failure, MAX_SAID_CHARS, Receipt},
    config::{Smtp, SmtpAuth, Tls},
};

/// How long to wait for a farewell that no longer matters.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// A step of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Looking the server's name up.
    Name,
    /// TCP, TLS if that comes first, the greeting, EHLO.
    Connect,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    LogIn,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The mail and its final dot.
    Message,
}

impl Step {
    /// For people.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Connect => "connect",
            Self::StartTls => "STARTTLS",
            Self::LogIn => "log in",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "hand over",
        }
    }
}

/// Hears of each step that went well.
pub(super) type Watch<'a> = &'a mut (dyn FnMut(Step, &str) + Send);

/// Where mail goes, with what can be prepared.
pub(super) struct Way {
    pub(super) server: Smtp,
    pub(super) tls: Option<TlsParameters>,
    pub(super) hello: ClientId,
}

impl Way {
    /// Without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        self.server.server.trim_start_matches('[').trim_end_matches(']')
    }

    /// `host:port`, for people.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host(), self.server.port)
    }

    /// Hands one mail over.
    pub(super) async fn hand_over(
        &self,
        envelope: &Envelope,
        message: &[u8],
        watch: Watch<'_>,
    ) -> Result<Receipt, (Step, Failure)> {
        let mut connection = self.connect(watch).await?;
        if let Err(failure) = self.log_in(&mut connection, watch).await {
            farewell(&mut connection).await;
            return Err(failure);
        }
        let result = send(&mut connection, envelope, message, watch).await;
        farewell(&mut connection).await;
        result.map_err(|(step, e)| {
            let text = self.says(step, &e);
            let about_the_mail = e.is_permanent() && !is_about_us(&e);
            (step, if about_the_mail { Failure::Permanent(text) } else { Failure::temporary(text) })
        })
    }

    async fn connect(&self, watch: Watch<'_>) -> Result<AsyncSmtpConnection, (Step, Failure)> {
        let at_once = self.tls.as_ref().filter(|_| self.server.tls == Tls::Implicit).cloned();
        let address = (self.host(), self.server.port);
        let timeout = Some(self.server.timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, timeout, &self.hello, at_once, None)
                .await
                .map_err(|e| self.setup_failure(Step::Connect, &e))?;
        watch(Step::Connect, &format!("{} greets as {}", self.place(), connection.server_info().name()));
        if self.server.tls == Tls::StartTls {
            let Some(tls) = self.tls.as_ref().filter(|_| connection.can_starttls()) else {
                farewell(&mut connection).await;
                let says = format!(
                    "{}: the server offers no STARTTLS, and mail is not sent without it",
                    self.place()
                );
                return Err((Step::StartTls, Failure::temporary(says)));
            };
            connection
                .starttls(tls.clone(), &self.hello)
                .await
                .map_err(|e| self.setup_failure(Step::StartTls, &e))?;
            watch(Step::StartTls, "the connection is encrypted, the certificate is good");
        }
        Ok(connection)
    }

    async fn log_in(
        &self,
        connection: &mut AsyncSmtpConnection,
        watch: Watch<'_>,
    ) -> Result<(), (Step, Failure)> {
        let Some((user, secret)) = &self.server.credentials else { return Ok(()) };
        // A token is short-lived: somebody else puts a new one into its file.
        let secret = match &self.server.token_file {
            None => secret.expose().to_owned(),
            Some(path) => match tokio::fs::read_to_string(path).await {
                Ok(token) => token.trim().to_owned(),
                Err(e) => {
                    let says = format!("smtp.token_file: cannot read {}: {e}", path.display());
                    return Err((Step::LogIn, Failure::temporary(says)));
                }
            },
        };
        let mechanisms: &[Mechanism] = match self.server.auth {
            SmtpAuth::PlainOrLogin => &[Mechanism::Plain, Mechanism::Login],
            SmtpAuth::Plain => &[Mechanism::Plain],
            SmtpAuth::Login => &[Mechanism::Login],
            SmtpAuth::Xoauth2 => &[Mechanism::Xoauth2],
        };
        connection
            .auth(mechanisms, &Credentials::new(user.clone(), secret))
            .await
            .map_err(|e| self.setup_failure(Step::LogIn, &e))?;
        watch(Step::LogIn, &format!("as {user}"));
        Ok(())
    }

    /// A failure before any recipient was named speaks about the server or our account, never about the mail. An operator
    /// can mend both, so the mail waits.
    fn setup_failure(&self, step: Step, error: &Error) -> (Step, Failure) {
        (step, Failure::temporary(self.says(step, error)))
    }

    fn says(&self, step: Step, error: &Error) -> String {
        clean(&format!("{}: {}: {error}", self.place(), step.as_str()), MAX_SAID_CHARS)
    }
}

async fn send(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    message: &[u8],
    watch: Watch<'_>,
) -> Result<Receipt, (Step, Error)> {
    let everyone = envelope.from().into_iter().chain(envelope.to());
    let foreign = everyone.into_iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii());
    let mut options = Vec::new();
    if foreign && connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        options.push(MailParameter::SmtpUtfEight);
    }
    let from = Mail::new(envelope.from().cloned(), options);
    let said = connection.command(from).await.map_err(|e| (Step::Sender, e))?;
    watch(Step::Sender, &words(&said));
    for to in envelope.to() {
        let said =
            connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(|e| (Step::Recipient, e))?;
        watch(Step::Recipient, &words(&said));
    }
    let said = connection.command(Data).await.map_err(|e| (Step::Data, e))?;
    watch(Step::Data, &words(&said));
    let said = connection.message(message).await.map_err(|e| (Step::Message, e))?;
    watch(Step::Message, &words(&said));
    Ok(Receipt(words(&said)))
}

/// An answer on one line.
fn words(response: &lettre::transport::smtp::response::Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    clean(&format!("{} {}", response.code(), lines.join(" ")), MAX_SAID_CHARS)
}

async fn farewell(connection: &mut AsyncSmtpConnection) {
    let _ = tokio::time::timeout(QUIT_TIMEOUT, connection.abort()).await;
}

/// 530, 534, 535 and 538 ask for authentication or encryption (RFC 4954, RFC 3207).
fn is_about_us(error: &Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}
