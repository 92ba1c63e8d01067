//! The link of a mail that stands for several incidents.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::time::Duration;

use common::{
    Scratch,
    client::{get, post, request},
    event,
    smtp::{Received, Smtp},
    start, until,
};
use serde_json::json;

/// All incidents of a category are told together; who does not answer is passed over soon.
const TOGETHER: &str = "[alerts]\ngroup_wait = \"300ms\"\ngroup_interval = \"400ms\"\ngroup_by = [\"category\"]\n\
    receivers = [\"default\"]\nescalate_after = \"2500ms\"\nescalate_to = \"night\"\n\
    [[receivers]]\nname = \"night\"\nemail = [\"night@example.org\"]\n";

/// The link in the text part of a mail.
fn link(mail: &Received) -> String {
    let text = mail.data.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) =
        text.split_once("https://relay.example.org/acknowledge/").unwrap_or_else(|| panic!("{text}"));
    format!("/acknowledge/{}", rest.split_whitespace().next().unwrap())
}

fn to<'a>(mails: &'a [Received], whom: &str) -> Vec<&'a Received> {
    mails.iter().filter(|mail| mail.to.concat().contains(whom)).collect()
}

#[tokio::test]
async fn a_link_acknowledges_all_that_its_mail_stood_for_and_nothing_that_came_later() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = start(&scratch, &format!("{TOGETHER}{}", smtp.toml(&["ops@example.org"], ""))).await;
    let address = relay.address();
    let three = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(|client| event(client, "high"));
    post(address, &three).await;
    until("the mail", || smtp.received().len() == 1).await;
    let first = link(&smtp.received()[0]);
    post(address, &[event("203.0.113.4", "high")]).await;
    until("the second mail", || smtp.received().len() == 2).await;
    let open = || scratch.count("SELECT COUNT(*) FROM incidents WHERE state = 'open'");
    let page = get(address, &first).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("Acknowledge these 3 incidents?"), "{}", page.body);
    for client in 1..=3 {
        assert!(page.body.contains(&format!("address:203.0.113.{client}")), "{}", page.body);
    }
    assert!(!page.body.contains("203.0.113.4"), "it came after the mail: {}", page.body);
    assert_eq!(open(), 4, "looking changes nothing");
    // Another message, none, or another incident of the group: the seal is for none of these.
    let second = link(&smtp.received()[1]);
    let of = |link: &str| link.split("&of=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let forged = [
        first.replace(&of(&first), &of(&second)),
        first.replace(&format!("&of={}", of(&first)), ""),
        first.replace(&of(&first), "nothing"),
    ];
    for (link, status) in forged.iter().zip([403, 403, 400]) {
        assert_eq!(request(address, "POST", link, &[], b"").await.status, status, "{link}");
    }
    assert_eq!(open(), 4);
    let done = request(address, "POST", &first, &[], b"").await;
    assert!(done.status == 200 && done.body.contains("3 of 3 incidents are acknowledged now"), "{done:?}");
    assert_eq!(open(), 1);
    let left = scratch.text("SELECT client FROM incidents WHERE state = 'open'");
    assert_eq!(left, "address:203.0.113.4");
    let audited =
        "SELECT COUNT(*) FROM audit WHERE action = 'acknowledge' AND who LIKE 'mail:%ops@example.org%'";
    assert_eq!(scratch.count(audited), 3, "one line for each");
    let again = request(address, "POST", &first, &[], b"").await;
    assert!(again.body.contains("0 of 3 incidents are acknowledged now"), "{}", again.body);
    assert_eq!(scratch.count(audited), 3);
    relay.shut_down().await;
}

#[tokio::test]
async fn who_acknowledged_a_group_by_its_mail_is_not_passed_over() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = start(&scratch, &format!("{TOGETHER}{}", smtp.toml(&["ops@example.org"], ""))).await;
    let address = relay.address();
    post(address, &[event("203.0.113.1", "high"), event("203.0.113.2", "high")]).await;
    let mut other = event("203.0.113.9", "high");
    other["findings"][0]["category"] = json!("secret");
    post(address, &[other]).await;
    until("both mails", || smtp.received().len() == 2).await;
    let mails = smtp.received();
    let of_two = mails.iter().find(|mail| link(mail).contains("&of=")).unwrap();
    assert_eq!(request(address, "POST", &link(of_two), &[], b"").await.status, 200);
    until("the other is passed on", || to(&smtp.received(), "night@").len() == 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    relay.shut_down().await;
    let received = smtp.received();
    assert_eq!(to(&received, "night@").len(), 1, "only what nobody took up");
    assert!(to(&received, "night@")[0].data.contains("Credential in a request"));
    assert_eq!(scratch.count("SELECT COUNT(*) FROM timeline WHERE what = 'escalated'"), 1);
}
