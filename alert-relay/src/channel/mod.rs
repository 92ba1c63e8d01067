//! The ways to tell somebody: one trait, one outbox, and each channel's own idea of what can be tried again.
//!
//! A channel opens a connection for each message and follows no redirect. What comes back is read up to a limit. Every
//! string of an event goes through the escaping of the form that it is written in: [`cef`], [`slack`], JSON.

mod cef;
mod file;
mod http;
mod ocsf;
mod otlp;
mod pagerduty;
mod slack;
mod syslog;
mod tls;
mod webhook;

use std::{collections::HashMap, future::Future, pin::Pin, time::Duration};

use crate::{
    alert::Letter,
    config::{self, Config, Settings},
    mail::Mailer,
};

/// Longest text of a failure or a receipt kept, in characters.
pub(crate) const MAX_SAID_CHARS: usize = 400;

/// One message on its way to one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// What it says.
    pub(crate) letter: &'a Letter,
    /// A mail address, or the name of a configured target.
    pub(crate) recipient: &'a str,
    /// When it was put into the outbox, Unix milliseconds.
    pub(crate) created_ms: u64,
}

/// That a message was taken, in the other side's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt(pub(crate) String);

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Trying again can help.
    Temporary {
        /// What was said.
        said: String,
        /// Not before that: what the other side asked for.
        after: Option<Duration>,
    },
    /// Trying again will not help.
    Permanent(String),
}

impl Failure {
    /// What was said.
    pub(crate) fn said(&self) -> &str {
        let (Self::Temporary { said, .. } | Self::Permanent(said)) = self;
        said
    }

    /// A temporary failure of which nobody said how long it lasts.
    pub(crate) fn temporary(said: impl Into<String>) -> Self {
        Self::Temporary { said: said.into(), after: None }
    }
}

/// A delivery under way.
pub(crate) type Delivering<'a> = Pin<Box<dyn Future<Output = Result<Receipt, Failure>> + Send + 'a>>;

/// A way to one target, or, for mail, to every address.
pub(crate) trait Channel: Send + Sync {
    /// Hands one message over. Whether it arrived twice is the receiver's affair, under the same id.
    fn deliver<'a>(&'a self, message: Message<'a>) -> Delivering<'a>;

    /// Longest time one delivery may take.
    fn patience(&self) -> Duration;
}

/// All channels of a configuration.
pub(crate) struct Channels {
    mail: Mailer,
    targets: HashMap<(config::Channel, String), Box<dyn Channel>>,
}

impl Channels {
    /// Prepares everything that can fail without a network.
    ///
    /// # Errors
    /// What cannot be used, by target.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let mail =
            Mailer::new(&config.mail, &config.transport)?.linking(&config.public_url, &config.webhook_keys);
        let mut targets = HashMap::new();
        for way in config.receivers.iter().flat_map(|receiver| &receiver.ways) {
            let channel = open(way).map_err(|e| format!("{} {}: {e}", way.channel.as_str(), way.label))?;
            targets.insert((way.channel, way.label.clone()), channel);
        }
        Ok(Self { mail, targets })
    }

    /// Mail alone.
    pub(crate) fn mail(&self) -> &Mailer {
        &self.mail
    }

    /// The way to a target; none if the configuration no longer has it.
    pub(crate) fn to(&self, channel: config::Channel, recipient: &str) -> Option<&dyn Channel> {
        match channel {
            config::Channel::Email => Some(&self.mail),
            other => self.targets.get(&(other, recipient.to_owned())).map(|channel| &**channel),
        }
    }

    /// The longest time any of them may take.
    pub(crate) fn patience(&self) -> Duration {
        let targets = self.targets.values().map(|channel| channel.patience());
        targets.fold(self.mail.patience(), Duration::max)
    }
}

fn open(way: &config::Way) -> Result<Box<dyn Channel>, String> {
    Ok(match &way.settings {
        Settings::Webhook { endpoint, key } => Box::new(webhook::Webhook::new(endpoint, key.clone())?),
        Settings::Slack(endpoint) => Box::new(slack::Slack::new(endpoint)?),
        Settings::PagerDuty { endpoint, routing_key } => {
            Box::new(pagerduty::PagerDuty::new(endpoint, routing_key.clone())?)
        }
        Settings::Syslog(server) => Box::new(syslog::Syslog::new(server)?),
        Settings::Otlp(endpoint) => Box::new(otlp::Otlp::new(endpoint)?),
        Settings::File { path, format } => Box::new(file::File::new(path, *format)),
    })
}
