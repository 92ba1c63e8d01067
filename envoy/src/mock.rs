//! A host for tests: it keeps what it was told and answers what it was set up to answer.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use crate::{
    headers::{self, HeaderMap},
    port::{Answer, Call, CallToken, Host, Level, MetricId, MetricKind, Refused, ShareError, Shared, Side},
};

/// A key that signs the callouts of tests.
pub(crate) const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An answer that the mock was asked to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The mock. Everything in it is meant to be set and read by tests.
#[derive(Debug, Default)]
pub(crate) struct Mock {
    pub(crate) now_ms: Cell<u64>,
    /// How often the clock was asked.
    pub(crate) clocked: Cell<u32>,
    pub(crate) variables: HashMap<&'static str, String>,
    pub(crate) configuration: RefCell<Vec<u8>>,
    pub(crate) request: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    pub(crate) response: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    pub(crate) body: RefCell<Vec<u8>>,
    pub(crate) response_body: RefCell<Vec<u8>>,
    pub(crate) properties: RefCell<HashMap<String, Vec<u8>>>,
    /// Attributes that were asked for.
    pub(crate) asked: RefCell<Vec<String>>,
    pub(crate) answers: RefCell<Vec<GivenAnswer>>,
    pub(crate) resets: Cell<u32>,
    /// Streams that were reset from the root context.
    pub(crate) others_reset: RefCell<Vec<u32>>,
    pub(crate) dones: Cell<u32>,
    pub(crate) lines: RefCell<Vec<String>>,
    pub(crate) tick_ms: Cell<u32>,
    pub(crate) shared: RefCell<HashMap<String, Shared>>,
    pub(crate) metrics: RefCell<Vec<(String, u64)>>,
    /// Attributes that were set.
    pub(crate) set: RefCell<HashMap<String, String>>,
    pub(crate) calls: RefCell<Vec<Vec<u8>>>,
    pub(crate) call_status: Cell<Option<u16>>,
    pub(crate) call_headers: RefCell<HashMap<&'static str, String>>,
    pub(crate) call_body: RefCell<Vec<u8>>,
    /// Paths that were asked for with `GET`; their tokens begin with [`Mock::FIRST_PULL`].
    pub(crate) pulls: RefCell<Vec<String>>,
    /// Names of host calls that fail.
    pub(crate) broken: RefCell<Vec<&'static str>>,
}

impl Mock {
    /// The token of the first request with `GET`.
    pub(crate) const FIRST_PULL: u32 = 1000;

    /// A host at a moment in 2025 with a signing key.
    pub(crate) fn new() -> Self {
        let mock = Self { variables: [("MODELGATE_WEBHOOK_KEY", KEY.to_owned())].into(), ..Self::default() };
        mock.now_ms.set(1_750_000_000_000);
        mock.set_property(&["source", "address"], "192.0.2.7:4711");
        mock
    }

    pub(crate) fn set_property(&self, path: &[&str], value: &str) {
        self.properties.borrow_mut().insert(path.join("."), value.into());
    }

    pub(crate) fn set_headers(&self, side: Side, headers: &[(&str, &[u8])]) {
        *self.map(side).borrow_mut() =
            headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
    }

    /// Values under a name, in order.
    pub(crate) fn values(&self, side: Side, name: &str) -> Vec<String> {
        let map = self.map(side).borrow();
        let values = map.iter().filter(|(candidate, _)| candidate == name.as_bytes());
        values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The counter whose name ends so.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let metrics = self.metrics.borrow();
        let found: Vec<_> = metrics.iter().filter(|(known, _)| known.contains(name)).collect();
        assert_eq!(found.len(), 1, "{name} names one counter");
        found[0].1
    }

    fn map(&self, side: Side) -> &RefCell<Vec<(Vec<u8>, Vec<u8>)>> {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    fn body_of(&self, side: Side) -> &RefCell<Vec<u8>> {
        match side {
            Side::Request => &self.body,
            Side::Response => &self.response_body,
        }
    }

    fn check(&self, call: &'static str) -> Result<(), Refused> {
        if self.broken.borrow().contains(&call) { Err(Refused { call, status: 10 }) } else { Ok(()) }
    }
}

impl Host for Mock {
    fn clock_ns(&self) -> u64 {
        self.clocked.set(self.clocked.get() + 1);
        self.now_ms.get() * 1_000_000
    }

    fn memory(&self) -> u64 {
        1 << 20
    }

    fn log(&self, level: Level, line: &str) {
        self.lines.borrow_mut().push(format!("{level:?} {line}"));
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn configuration(&self, _length: usize) -> Result<Vec<u8>, Refused> {
        Ok(self.configuration.borrow().clone())
    }

    fn tick_every(&self, period_ms: u32) -> Result<(), Refused> {
        self.tick_ms.set(period_ms);
        Ok(())
    }

    fn done(&self) -> Result<(), Refused> {
        self.dones.set(self.dones.get() + 1);
        Ok(())
    }

    fn headers(&self, side: Side) -> Result<HeaderMap, Refused> {
        self.check("headers")?;
        let map = self.map(side).borrow();
        let pairs = map.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        Ok(HeaderMap::parse(headers::serialise(pairs)).unwrap())
    }

    fn add_header(&self, side: Side, name: &str, value: &str) -> Result<(), Refused> {
        self.map(side).borrow_mut().push((name.into(), value.into()));
        Ok(())
    }

    fn remove_header(&self, side: Side, name: &[u8]) -> Result<(), Refused> {
        self.map(side).borrow_mut().retain(|(candidate, _)| !candidate.eq_ignore_ascii_case(name));
        Ok(())
    }

    fn body(&self, side: Side, length: usize) -> Result<Vec<u8>, Refused> {
        self.check("body")?;
        let body = self.body_of(side).borrow();
        Ok(body[..length.min(body.len())].to_vec())
    }

    fn replace_body(&self, side: Side, length: usize, bytes: &[u8]) -> Result<(), Refused> {
        self.check("replace_body")?;
        let mut body = self.body_of(side).borrow_mut();
        let end = length.min(body.len());
        body.splice(..end, bytes.iter().copied());
        Ok(())
    }

    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Refused> {
        let path = path.join(".");
        let value = self.properties.borrow().get(&path).cloned();
        self.asked.borrow_mut().push(path);
        Ok(value)
    }

    fn set_property(&self, name: &str, value: &[u8]) -> Result<(), Refused> {
        self.set.borrow_mut().insert(name.into(), String::from_utf8(value.to_vec()).unwrap());
        Ok(())
    }

    fn answer(&self, answer: Answer<'_>) -> Result<(), Refused> {
        self.check("answer")?;
        self.answers.borrow_mut().push(GivenAnswer {
            status: answer.status,
            headers: answer.headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            body: String::from_utf8(answer.body.to_vec()).unwrap(),
        });
        Ok(())
    }

    fn reset(&self) -> Result<(), Refused> {
        self.resets.set(self.resets.get() + 1);
        Ok(())
    }

    fn reset_other(&self, stream: u32, _root: u32) -> Result<(), Refused> {
        self.check("reset_other")?;
        self.others_reset.borrow_mut().push(stream);
        Ok(())
    }

    fn shared(&self, key: &str) -> Result<Option<Shared>, Refused> {
        self.check("shared")?;
        Ok(self.shared.borrow().get(key).cloned())
    }

    fn share(&self, key: &str, value: &[u8], version: u32) -> Result<(), ShareError> {
        let mut shared = self.shared.borrow_mut();
        let current = shared.get(key).map_or(0, |(_, version)| *version);
        if version != 0 && current != 0 && version != current {
            return Err(ShareError::Conflict);
        }
        shared.insert(key.into(), (value.to_vec(), current + 1));
        Ok(())
    }

    fn metric(&self, _kind: MetricKind, name: &str) -> Result<MetricId, Refused> {
        self.check("metric")?;
        let mut metrics = self.metrics.borrow_mut();
        let at = metrics.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            metrics.push((name.into(), 0));
            metrics.len() - 1
        });
        Ok(MetricId(u32::try_from(at).unwrap()))
    }

    fn count(&self, counter: MetricId, by: u64) {
        self.metrics.borrow_mut()[usize::try_from(counter.0).unwrap()].1 += by;
    }

    fn record(&self, metric: MetricId, value: u64) {
        self.metrics.borrow_mut()[usize::try_from(metric.0).unwrap()].1 = value;
    }

    fn call(&self, call: Call<'_>) -> Result<CallToken, Refused> {
        self.check("call")?;
        if call.method == "GET" {
            let mut pulls = self.pulls.borrow_mut();
            pulls.push(call.path.into());
            return Ok(CallToken(Self::FIRST_PULL + u32::try_from(pulls.len()).unwrap() - 1));
        }
        let mut calls = self.calls.borrow_mut();
        calls.push(call.body.to_vec());
        Ok(CallToken(u32::try_from(calls.len()).unwrap()))
    }

    fn call_status(&self) -> Option<u16> {
        self.call_status.get()
    }

    fn call_header(&self, name: &str) -> Option<String> {
        self.call_headers.borrow().get(name).cloned()
    }

    fn call_body(&self, length: usize) -> Result<Vec<u8>, Refused> {
        let body = self.call_body.borrow();
        Ok(body[..length.min(body.len())].to_vec())
    }
}
