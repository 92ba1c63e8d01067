//! Sends the sample traffic and judges what comes back.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use anyhow::Result;

use super::cases::{self, Case, Expect};
use crate::{
    http::{Request, Response},
    interrupt,
    stack::{Ports, mails},
};

/// How long mails may take after the last request.
const MAIL_WITHIN: Duration = Duration::from_secs(15);
/// The default policy lets so many requests a minute pass.
const LIMIT: usize = 100;

/// One row of the table.
pub(super) struct Row {
    pub(super) case: &'static str,
    pub(super) surface: &'static str,
    pub(super) status: String,
    pub(super) verdict: String,
    pub(super) event: String,
    pub(super) mailed: bool,
    /// What is not as expected.
    pub(super) wrong: Vec<String>,
    wants_mail: bool,
}

/// Sends everything to both surfaces, waits for the mails, and tells what came of each case.
///
/// With a real model behind the guards what it answers to a passed request is its own affair.
pub(super) fn run(ports: &Ports, mail: &Path, real_model: bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (surface, port) in [("envoy", ports.envoy), ("edge", ports.edge)] {
        for case in cases::all() {
            interrupt::check()?;
            rows.push(send(&case, surface, port, real_model));
        }
        rows.push(burst(surface, port, real_model)?);
    }
    wait_for_mails(&mut rows, mail)?;
    Ok(rows)
}

fn send(case: &Case, surface: &'static str, port: u16, real_model: bool) -> Row {
    let mut row = Row::new(case.name, surface, case.expect.mail);
    let request = Request::post(port, case.path, case.body.clone());
    // A real model may think for a while.
    let request = if real_model { request.timeout(Duration::from_secs(120)) } else { request };
    match request.send() {
        Ok(response) => {
            row.fill(&response);
            row.wrong = differences(&case.expect, &response, real_model);
        }
        Err(error) => row.wrong.push(format!("{error:#}")),
    }
    row
}

impl Row {
    fn new(case: &'static str, surface: &'static str, wants_mail: bool) -> Self {
        let dash = || "-".to_owned();
        let (status, verdict) = (dash(), dash());
        Self {
            case,
            surface,
            status,
            verdict,
            event: String::new(),
            mailed: false,
            wrong: Vec::new(),
            wants_mail,
        }
    }

    fn fill(&mut self, response: &Response) {
        self.status = response.status.to_string();
        self.verdict = response.header("x-modelgate-verdict").unwrap_or("-").to_owned();
        self.event = response.header("x-modelgate-event").unwrap_or_default().to_owned();
    }
}

fn differences(expect: &Expect, response: &Response, real_model: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let verdict = response.header("x-modelgate-verdict").unwrap_or("none");
    if verdict != expect.verdict {
        wrong.push(format!("verdict {verdict}, expected {}", expect.verdict));
    }
    let passed = expect.verdict == "allow";
    if passed && real_model {
        if (502..=504).contains(&response.status) {
            wrong.push(format!("status {}: is the model there?", response.status));
        }
        return wrong;
    }
    if response.status != expect.status {
        wrong.push(format!("status {}, expected {}", response.status, expect.status));
    }
    if !response.text().contains(expect.contains) {
        wrong.push(format!("no {:?} in the answer", expect.contains));
    }
    if !passed && response.header("x-modelgate-event").is_none() {
        wrong.push("no x-modelgate-event".to_owned());
    }
    wrong
}

/// Sends until the limit is reached. From another address, so that whoever tries the demo by hand is not throttled.
fn burst(surface: &'static str, port: u16, real_model: bool) -> Result<Row> {
    let address = Ipv4Addr::new(127, 0, 0, 2);
    let mut row = Row::new("burst of requests", surface, false);
    // A minute may begin during the burst, and with it a new allowance.
    for sent in 1..=2 * LIMIT + 1 {
        interrupt::check()?;
        // A model that costs money is not asked a hundred times: what it answers to these is an error.
        let (path, body) = if real_model {
            ("/modelgate-demo", "{}".into())
        } else {
            ("/v1/chat/completions", cases::body("Hi", false))
        };
        let response = Request::post(port, path, body).from(address).send();
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                row.wrong.push(format!("request {sent}: {error:#}"));
                return Ok(row);
            }
        };
        if response.status == 429 && response.header("x-modelgate-verdict") == Some("throttle") {
            row.fill(&response);
            if sent <= LIMIT {
                row.wrong.push(format!("throttled at request {sent} already"));
            }
            if response.header("retry-after").is_none() {
                row.wrong.push("no retry-after".to_owned());
            }
            return Ok(row);
        }
        if response.header("x-modelgate-verdict") != Some("allow") {
            row.fill(&response);
            row.wrong.push(format!("request {sent} was not passed"));
            return Ok(row);
        }
    }
    row.wrong.push(format!("not throttled after {} requests", 2 * LIMIT + 1));
    Ok(row)
}

/// Waits until each event that must be mailed is in a mail.
fn wait_for_mails(rows: &mut [Row], folder: &Path) -> Result<()> {
    let mut look = || -> Result<Option<()>> {
        let mails = mails(folder)?;
        for row in rows.iter_mut().filter(|row| !row.event.is_empty()) {
            row.mailed = mails.iter().any(|mail| mail.text.contains(&row.event));
        }
        let missing = rows.iter().any(|row| row.wants_mail && !row.mailed && !row.event.is_empty());
        Ok((!missing).then_some(()))
    };
    if interrupt::wait("all mails", MAIL_WITHIN, &mut look).is_err() {
        interrupt::check()?;
    }
    for row in rows.iter_mut().filter(|row| row.wants_mail && !row.mailed) {
        row.wrong.push("no mail names the event".to_owned());
    }
    Ok(())
}
