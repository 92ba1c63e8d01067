//! What the relay tells its operator: one line on standard error each, `time LEVEL message`.
//!
//! Nothing of an event goes through here, and a line stays one line whatever it is given.

use crate::clock;

/// How much the operator should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The course of things.
    Info,
    /// Something to look at.
    Warn,
    /// Something that loses or delays what the relay exists for.
    Error,
}

/// Writes one line. A closed standard error is no reason to stop serving.
pub(crate) fn write(level: Level, message: &str) {
    use std::io::Write as _;
    let level = match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let message: String = message
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect();
    let line = format!("{} {level} {message}\n", clock::iso(clock::now_ms()));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// `notice::info!("…", …)` and its sisters.
macro_rules! info {
    ($($arg:tt)*) => { $crate::notice::write($crate::notice::Level::Info, &format!($($arg)*)) };
}
/// Something to look at.
macro_rules! warning {
    ($($arg:tt)*) => { $crate::notice::write($crate::notice::Level::Warn, &format!($($arg)*)) };
}
/// Something that loses or delays what the relay exists for.
macro_rules! error {
    ($($arg:tt)*) => { $crate::notice::write($crate::notice::Level::Error, &format!($($arg)*)) };
}
pub(crate) use {error, info, warning};
