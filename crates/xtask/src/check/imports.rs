//! What the wasm asks of its host. A new import can mean a clock or a file where none belongs, or a module that some
//! hosts refuse to load.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{Paths, build, step::say};

/// What the filter may use of WASI: the standard library needs these for the environment, a panic's message and its
/// hash maps.
const WASI: [&str; 6] =
    ["environ_get", "environ_sizes_get", "fd_write", "proc_exit", "random_get", "sched_yield"];

/// What the portable filter asks of a host besides: no metrics, no queues, no gRPC, no foreign functions, no means of
/// going on with a response that was paused.
const PORTABLE: [&str; 17] = [
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_done",
    "proxy_get_buffer_bytes",
    "proxy_set_buffer_bytes",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_send_local_response",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_http_call",
];
/// What Envoy's filter asks for on top of that.
const ENVOY: [&str; 5] = [
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_close_stream",
    "proxy_set_effective_context",
];

/// # Errors
/// When a module imports something else, or nothing at all.
pub(super) fn check(paths: &Paths) -> Result<()> {
    let is_portable = |module: &str, name: &str| match module {
        "env" => PORTABLE.contains(&name),
        "wasi_snapshot_preview1" => WASI.contains(&name),
        _ => false,
    };
    expect("the Envoy filter", &read(&paths.filter())?, |module, name| {
        is_portable(module, name) || (module == "env" && ENVOY.contains(&name))
    })?;
    expect("the portable filter", &read(&paths.test_filter("portable"))?, is_portable)?;
    let edge = paths.edge_worker().join(format!("{}_bg.wasm", build::EDGE_MODULE));
    expect("the edge worker", &read(&edge)?, |module, _| module.starts_with("./") || module == "wbg")
}

fn read(path: &std::path::Path) -> Result<Vec<Import>> {
    let bytes = fs::read(path).with_context(|| format!("{}: not built", path.display()))?;
    imports(&bytes).with_context(|| format!("{}: no wasm module that we can read", path.display()))
}

fn expect(what: &str, imports: &[Import], allowed: impl Fn(&str, &str) -> bool) -> Result<()> {
    let strange: Vec<_> = imports.iter().filter(|import| !allowed(&import.module, &import.name)).collect();
    if !strange.is_empty() {
        bail!("{what} imports what it should not: {strange:?}");
    }
    if imports.is_empty() {
        bail!("{what} imports nothing");
    }
    say(&format!("{what}: {} imports, all expected", imports.len()));
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Import {
    module: String,
    name: String,
}

/// The import section, <https://webassembly.github.io/spec/core/binary/modules.html#import-section>.
fn imports(module: &[u8]) -> Option<Vec<Import>> {
    let mut module = Reader(module.strip_prefix(b"\0asm\x01\0\0\0")?);
    while !module.0.is_empty() {
        let (id, size) = (module.byte()?, module.number()?);
        let mut section = Reader(module.bytes(size)?);
        if id != 2 {
            continue;
        }
        let count = section.number()?;
        let mut found = Vec::new();
        for _ in 0..count {
            let import = Import { module: section.name()?, name: section.name()? };
            section.description()?;
            found.push(import);
        }
        return Some(found);
    }
    Some(Vec::new())
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// LEB128, unsigned, as far as 64 bits reach.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn name(&mut self) -> Option<String> {
        let length = self.number()?;
        String::from_utf8(self.bytes(length)?.to_vec()).ok()
    }

    fn description(&mut self) -> Option<()> {
        match self.byte()? {
            0 => drop(self.number()?),
            1 => {
                self.byte()?;
                self.limits()?;
            }
            2 => self.limits()?,
            3 => drop(self.bytes(2)?),
            _ => return None,
        }
        Some(())
    }

    fn limits(&mut self) -> Option<()> {
        let flags = self.number()?;
        self.number()?;
        if flags & 1 == 1 {
            self.number()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] =
        b"\0asm\x01\0\0\0\x01\x01\x00\x02\x17\x02\x03env\x07proxy_a\x00\x01\x01m\x01n\x02\x01\x01\x02";

    #[test]
    fn imports_are_read_past_other_sections() {
        let found = imports(MODULE).unwrap();
        let expected = [("env", "proxy_a"), ("m", "n")]
            .map(|(module, name)| Import { module: module.into(), name: name.into() });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_truncated_module_is_none() {
        for end in 12..MODULE.len() {
            assert_eq!(imports(&MODULE[..end]), None, "{end}");
        }
        assert_eq!(imports(b"\0asm"), None);
    }

    #[test]
    fn an_import_that_is_not_allowed_is_named() {
        let error = expect("it", &imports(MODULE).unwrap(), |module, _| module == "env").unwrap_err();
        assert!(error.to_string().contains("\"n\""), "{error}");
        assert!(expect("it", &[], |_, _| true).is_err());
    }
}
