//! Who is told, and by which channels.

use lettre::message::Mailbox;

use super::{check::Check, raw, targets::Way};

/// The receiver that is there without being configured: `mail.recipients`.
pub(crate) const DEFAULT: &str = "default";
/// Most receivers.
const MAX_RECEIVERS: usize = 64;
/// Longest name of a receiver in bytes.
const MAX_NAME: usize = 64;

/// A way to tell somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// A mail.
    Email,
    /// A signed webhook.
    Webhook,
    /// A Slack-compatible incoming webhook.
    Slack,
    /// PagerDuty's Events API v2.
    PagerDuty,
    /// Syslog of RFC 5424.
    Syslog,
    /// OpenTelemetry logs.
    Otlp,
    /// A file.
    File,
}

impl Channel {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Email, Self::Webhook, Self::Slack, Self::PagerDuty, Self::Syslog, Self::Otlp, Self::File];

    /// The word used in the configuration and in the outbox.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::Syslog => "syslog",
            Self::Otlp => "otlp",
            Self::File => "file",
        }
    }

    /// Back from [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }
}

/// Somebody who is told, under a name that routes use.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// Mail addresses; an envelope each.
    pub email: Vec<Mailbox>,
    /// Everything else.
    pub ways: Vec<Way>,
    /// Whether it is told when what it was told of is acknowledged, resolved or opened again: by every channel, or by
    /// none; by all but mail if unset.
    pub send_resolved: Option<bool>,
}

/// One of a receiver's targets: one delivery of each notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How.
    pub channel: Channel,
    /// The receiver's name.
    pub receiver: String,
    /// A mail address, or what the channel calls its target.
    pub recipient: String,
}

impl Receiver {
    /// Everything that a notification to this receiver goes to.
    pub fn targets(&self) -> impl Iterator<Item = Target> {
        let target = |channel, recipient| Target { channel, receiver: self.name.clone(), recipient };
        let mails = self.email.iter().map(move |mailbox| target(Channel::Email, mailbox.to_string()));
        mails.chain(self.ways.iter().map(move |way| target(way.channel, way.label.clone())))
    }

    /// Whether states are told by a channel.
    pub(crate) fn tells_states(&self, channel: Channel) -> bool {
        self.send_resolved.unwrap_or(channel != Channel::Email)
    }
}

impl Check<'_> {
    /// `mail.recipients` as the default receiver, if there are any, then those of the file.
    pub(super) fn receivers(&mut self, recipients: &[Mailbox], raw: &[raw::Receiver]) -> Vec<Receiver> {
        let mut receivers = Vec::new();
        if !recipients.is_empty() {
            receivers.push(Receiver {
                name: DEFAULT.to_owned(),
                email: recipients.to_vec(),
                ways: Vec::new(),
                send_resolved: None,
            });
        }
        for (at, raw) in raw.iter().enumerate() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if raw.name.is_empty() || raw.name.len() > MAX_NAME || !raw.name.chars().all(plain) {
                self.errors
                    .push(format!("receivers[{at}].name: 1 to {MAX_NAME} letters, digits, '-', '_' and '.'"));
            }
            if receivers.iter().any(|known: &Receiver| known.name == raw.name) {
                self.errors.push(format!("receivers[{at}].name: {:?} is taken", raw.name));
            }
            let key = format!("receivers[{at}].email");
            let email = raw.email.iter().filter_map(|text| self.mailbox(&key, text)).collect();
            let ways = self.ways(&format!("receivers[{at}]"), &raw.ways());
            let receiver = Receiver { name: raw.name.clone(), email, ways, send_resolved: raw.send_resolved };
            if receiver.targets().next().is_none() {
                self.errors.push(format!("receivers[{at}]: {:?} has nobody to tell", raw.name));
            }
            receivers.push(receiver);
        }
        let ways: Vec<&Way> = receivers.iter().flat_map(|receiver| &receiver.ways).collect();
        self.labels_differ(&ways);
        if receivers.len() > MAX_RECEIVERS {
            self.errors.push(format!("receivers: more than {MAX_RECEIVERS}"));
        }
        receivers
    }
}
