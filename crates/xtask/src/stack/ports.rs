//! The ports of a stack, all on 127.0.0.1.

use std::{
    fmt,
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// What listens where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Envoy, guarded.
    pub envoy: u16,
    /// Envoy, the same route without a filter.
    pub envoy_plain: u16,
    /// Envoy, guarded, request limits off.
    pub envoy_unlimited: u16,
    /// Envoy with the empty filter.
    pub envoy_empty: u16,
    /// Envoy's admin interface.
    pub envoy_admin: u16,
    /// The edge worker, guarded.
    pub edge: u16,
    /// The edge worker, guarded, request limits off.
    pub edge_unlimited: u16,
    /// The worker that only passes on.
    pub edge_empty: u16,
    /// alert-relay.
    pub relay: u16,
    /// The stand-in model.
    pub model: u16,
    /// The SMTP server.
    pub smtp: u16,
}

/// A port is taken.
#[derive(Debug)]
pub struct PortInUse {
    /// Which one.
    pub port: u16,
    /// For what it was wanted.
    pub purpose: &'static str,
}

impl fmt::Display for PortInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} ({}) is in use by another program", self.port, self.purpose)
    }
}

impl std::error::Error for PortInUse {}

impl Ports {
    /// The fixed ports, which people and outside tools know.
    pub const FIXED: Self = Self {
        envoy: 10000,
        envoy_plain: 10001,
        envoy_unlimited: 10002,
        envoy_empty: 10003,
        envoy_admin: 9901,
        edge: 8787,
        edge_unlimited: 8788,
        edge_empty: 8789,
        relay: 9600,
        model: 9700,
        smtp: 2525,
    };

    /// Ports that are free now, different ones at each call.
    ///
    /// # Errors
    /// When too few are free.
    pub fn free() -> Result<Self> {
        // Below the range the kernel takes for outgoing connections (32768 on), else one of those may be in the way.
        // Each process starts elsewhere, so that tests of several can run at once.
        const FIRST: u16 = 20_000;
        const COUNT: u16 = 12_000;
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let offset =
            u16::try_from(std::process::id().wrapping_mul(97) % u32::from(COUNT)).unwrap_or_default();
        let mut found = [0_u16; 11];
        for slot in &mut found {
            let free = (0..COUNT).find_map(|_| {
                let port = FIRST + (NEXT.fetch_add(1, Ordering::Relaxed) % COUNT + offset) % COUNT;
                is_free(port).then_some(port)
            });
            let Some(free) = free else { bail!("no free ports on 127.0.0.1") };
            *slot = free;
        }
        let [
            envoy,
            envoy_plain,
            envoy_unlimited,
            envoy_empty,
            envoy_admin,
            edge,
            edge_unlimited,
            edge_empty,
            relay,
            model,
            smtp,
        ] = found;
        Ok(Self {
            envoy,
            envoy_plain,
            envoy_unlimited,
            envoy_empty,
            envoy_admin,
            edge,
            edge_unlimited,
            edge_empty,
            relay,
            model,
            smtp,
        })
    }

    /// All of them, in the order of the fields.
    #[must_use]
    pub fn all(&self) -> [(u16, &'static str); 11] {
        [
            (self.envoy, "Envoy, guarded"),
            (self.envoy_plain, "Envoy without a filter"),
            (self.envoy_unlimited, "Envoy, request limits off"),
            (self.envoy_empty, "Envoy with an empty filter"),
            (self.envoy_admin, "Envoy's admin interface"),
            (self.edge, "edge worker, guarded"),
            (self.edge_unlimited, "edge worker, request limits off"),
            (self.edge_empty, "empty edge worker"),
            (self.relay, "alert-relay"),
            (self.model, "stand-in model"),
            (self.smtp, "demo mailbox, SMTP"),
        ]
    }

    /// # Errors
    /// [`PortInUse`] for the first that is taken.
    pub fn check_free(&self) -> Result<()> {
        for (port, purpose) in self.all() {
            // A program that another thread starts just now holds every socket of ours until it runs, those with which
            // it was tried whether the ports are free too.
            let patience = Instant::now() + Duration::from_secs(1);
            while !is_free(port) {
                if Instant::now() > patience {
                    return Err(PortInUse { port, purpose }.into());
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// `text` with every fixed port replaced by ours, where it stands as a port: after `port_value: ` or `host:`.
    #[must_use]
    pub fn put_into(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
            let (number, after) = from.split_at(end);
            result.push_str(before);
            match self.instead_of(number).filter(|_| ends_where_a_port_begins(&result)) {
                Some(port) => result.push_str(&port.to_string()),
                None => result.push_str(number),
            }
            rest = after;
        }
        result.push_str(rest);
        result
    }

    fn instead_of(&self, number: &str) -> Option<u16> {
        let number: u16 = number.parse().ok()?;
        let at = Self::FIXED.all().iter().position(|(port, _)| *port == number)?;
        self.all().get(at).map(|(port, _)| *port)
    }
}

fn ends_where_a_port_begins(text: &str) -> bool {
    let after_host = text
        .strip_suffix(':')
        .is_some_and(|text| text.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | ']')));
    text.ends_with("port_value: ") || after_host
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_replaced_only_where_they_are_ports() {
        let ports = Ports { envoy: 20001, relay: 20002, ..Ports::FIXED };
        let text = "port_value: 10000\nurl: http://127.0.0.1:9600/x\nmax: 10000\np10000 \"n\":10000";
        let expected = "port_value: 20001\nurl: http://127.0.0.1:20002/x\nmax: 10000\np10000 \"n\":10000";
        assert_eq!(ports.put_into(text), expected);
    }

    #[test]
    fn free_ports_differ_from_call_to_call() {
        let (one, other) = (Ports::free().unwrap(), Ports::free().unwrap());
        let mut all: Vec<_> = one.all().iter().chain(other.all().iter()).map(|(port, _)| *port).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 22);
    }

    #[test]
    fn a_taken_port_is_named_with_its_purpose() {
        let ports = Ports::free().unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.relay)).unwrap();
        let error = ports.check_free().unwrap_err().to_string();
        assert!(error.contains(&ports.relay.to_string()) && error.contains("alert-relay"), "{error}");
    }
}
