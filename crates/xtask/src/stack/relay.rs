//! alert-relay's configuration for one stack.

use std::{collections::BTreeMap, path::Path};

use super::Ports;

/// TOML with dotted keys, so that `extra` can override any of them; its values are TOML.
pub(super) fn config(ports: &Ports, data: &Path, extra: &BTreeMap<String, String>) -> String {
    let quoted = |text: &str| format!("{text:?}");
    let mut settings = BTreeMap::from([
        ("listen".to_owned(), quoted(&format!("127.0.0.1:{}", ports.relay))),
        ("database".to_owned(), quoted(&data.join("alert-relay.sqlite").to_string_lossy())),
        ("log.path".to_owned(), quoted(&data.to_string_lossy())),
        // Seconds would be right for people; whoever watches the demo wants to see the mail now.
        ("alerts.group_wait".to_owned(), quoted("500ms")),
        ("alerts.group_interval".to_owned(), quoted("1s")),
        // Each case's event shall be named in a mail.
        ("alerts.group_by".to_owned(), "[\"incident\"]".to_owned()),
        ("alerts.max_per_hour".to_owned(), "10000".to_owned()),
        ("digest.daily".to_owned(), quoted("off")),
        ("mail.sender".to_owned(), quoted("Modelgate <modelgate@demo.test>")),
        ("mail.recipients".to_owned(), "[\"security@demo.test\"]".to_owned()),
        ("smtp.server".to_owned(), quoted("127.0.0.1")),
        ("smtp.port".to_owned(), ports.smtp.to_string()),
        ("smtp.tls".to_owned(), quoted("none")),
    ]);
    settings.extend(extra.iter().map(|(key, value)| (key.clone(), value.clone())));
    settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
}
