//! Messages about how things stand: acknowledged, resolved, open again.

use wire::Category;

use super::{EVENTS, GROUPS, threaded};
use crate::{
    alert::{self, Extra, Letter},
    config::{Config, Target},
    incident::{Incident, Key},
    store::{self, AlertGroup, NewNotification, Standing, Store, StoreError, StoredEvent, Told},
};

/// What one message needs.
struct Material {
    group: AlertGroup,
    lead: Option<(Incident, Vec<StoredEvent>)>,
    standing: Standing,
}

/// Tells those who were told of groups how these stand now, if that is news.
pub(super) async fn tell(config: &Config, store: &Store, now: u64) -> Result<(), StoreError> {
    let due = store
        .read(move |db| {
            let mut materials = Vec::new();
            for group in store::due_states(db, now, GROUPS)? {
                let lead = match store::get_incident(db, group.lead)? {
                    Some(lead) => {
                        let events = store::events_of(db, lead.id, EVENTS)?;
                        Some((lead, events))
                    }
                    None => None,
                };
                let standing = store::standing(db, group.id)?;
                materials.push(Material { group, lead, standing });
            }
            Ok(materials)
        })
        .await?;
    for material in due {
        store.enqueue(notification(config, &material)).await?;
    }
    Ok(())
}

/// The message; one to nobody where there is nothing to tell, which is noted all the same.
fn notification(config: &Config, material: &Material) -> NewNotification {
    let Material { group, lead, standing } = material;
    let state = store::next_state(group.told_state, standing.state);
    let is_news = state != group.told_state;
    // An incident that retention has taken away ends without a word.
    let (key, letter, targets) = match lead {
        Some((lead, events)) if is_news => {
            (lead.key.clone(), Some(letter(config, material, lead, events)), targets(config, material))
        }
        Some((lead, _)) => (lead.key.clone(), None, Vec::new()),
        None => {
            let (model, client) = (String::new(), String::new());
            (Key { model, category: Category::Other, client }, None, Vec::new())
        }
    };
    let about = Told {
        group: group.id,
        lead: group.lead,
        key,
        sequence: group.sequence,
        pending: 0,
        severity: group.severity,
        state: Some(state),
    };
    NewNotification {
        about: Some(about),
        receiver: group.receiver.clone(),
        // A struct of strings: serialising it cannot fail.
        message: letter.and_then(|letter| serde_json::to_string(&letter).ok()).unwrap_or_default(),
        targets,
    }
}

fn letter(config: &Config, material: &Material, lead: &Incident, events: &[StoredEvent]) -> Letter {
    let Material { group, standing, .. } = material;
    let state = store::next_state(group.told_state, standing.state);
    let domain = &config.mail.message_id_domain;
    let extra = Extra { templates: config.mail.templates.clone(), ..Extra::default() };
    let told = (lead, state, standing.by.as_str());
    threaded(alert::compose_state(told, events, &extra, &config.public_url, domain), group, domain)
}

/// Who was told, of those who are still configured and want to hear of states.
fn targets(config: &Config, material: &Material) -> Vec<Target> {
    let known = config.receivers.iter().find(|known| known.name == material.group.receiver);
    let wanted = known
        .into_iter()
        .flat_map(|receiver| receiver.targets().filter(|target| receiver.tells_states(target.channel)));
    wanted
        .filter(|target| {
            let told = &material.standing.told;
            told.iter()
                .any(|(channel, recipient)| *channel == target.channel && *recipient == target.recipient)
        })
        .collect()
}
