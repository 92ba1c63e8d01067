//! `alert-relay test-alert`: a test message to everybody, now and past the outbox, with each step told.

use crate::{
    alert::{self, Extra},
    channel::{Channels, Message, Receipt},
    clock::now_ms,
    config::{self, Config, Transport},
    entropy,
};

/// Sends a test message to every target, and tells of each step. False if one of them did not take it.
///
/// # Errors
/// What is wrong with the configuration, before anything is sent.
pub async fn test_alert(config: &Config, tell: &mut (dyn FnMut(String) + Send)) -> Result<bool, String> {
    let channels = Channels::new(config)?;
    let now = now_ms();
    let (url, domain) = (&config.public_url, &config.mail.message_id_domain);
    let extra = Extra { templates: config.mail.templates.clone(), ..Extra::default() };
    let letter = alert::test_letter(entropy::uuid(now), now, &config.alerts, &extra, url, domain);
    let mut well = true;
    for target in config.receivers.iter().flat_map(config::Receiver::targets) {
        let recipient = &target.recipient;
        let through = match (&config.transport, target.channel) {
            (Transport::Smtp(smtp), config::Channel::Email) => {
                format!(" through {}:{} ({})", smtp.server, smtp.port, smtp.tls.as_str())
            }
            _ => String::new(),
        };
        tell(format!("{} to {recipient}{through}", target.channel.as_str()));
        if target.channel == config::Channel::Email {
            well &= channels.mail().explain(&letter, recipient, now, tell).await;
        } else if let Some(channel) = channels.to(target.channel, recipient) {
            match channel.deliver(Message { letter: &letter, recipient, created_ms: now }).await {
                Ok(Receipt(said)) => tell(format!("  ok      {said}")),
                Err(failure) => {
                    tell(format!("  FAILED  {}", failure.said()));
                    well = false;
                }
            }
        }
    }
    Ok(well)
}
