//! A file of JSON lines, or of CEF or OCSF lines: for collectors that follow files.

use std::{io::Write as _, path::PathBuf, time::Duration};

use serde_json::json;

use super::{Channel, Delivering, Failure, Message, Receipt, cef, ocsf};
use crate::{clock::iso, config::Format};

/// Longest time a write may take: disks on a network can hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Appends lines.
pub(super) struct File {
    path: PathBuf,
    format: Format,
}

impl File {
    pub(super) fn new(path: &std::path::Path, format: Format) -> Self {
        Self { path: path.to_owned(), format }
    }
}

impl Channel for File {
    fn deliver<'a>(&'a self, message: Message<'a>) -> Delivering<'a> {
        Box::pin(async move {
            let (path, line) = (self.path.clone(), line(self.format, &message));
            let shown = path.display().to_string();
            let writing = tokio::task::spawn_blocking(move || append(&path, &line));
            match tokio::time::timeout(PATIENCE, writing).await {
                Ok(Ok(Ok(()))) => Ok(Receipt(format!("written to {shown}"))),
                Ok(Ok(Err(e))) => Err(Failure::temporary(format!("cannot write {shown}: {e}"))),
                Ok(Err(e)) => Err(Failure::temporary(format!("cannot write {shown}: {e}"))),
                Err(_) => Err(Failure::temporary(format!("{shown}: not written within {PATIENCE:?}"))),
            }
        })
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

fn line(format: Format, message: &Message<'_>) -> String {
    let letter = message.letter;
    let mut line = match format {
        Format::Cef => cef::line(message),
        Format::Ocsf => ocsf::finding(message).to_string(),
        Format::Json => json!({
            "time": iso(message.created_ms),
            "message_id": letter.message_id,
            "incident": letter.incident,
            "thread": letter.thread,
            "severity": letter.severity.as_str(),
            "subject": letter.subject,
            "report": letter.report,
        })
        .to_string(),
    };
    line.push('\n');
    line
}

/// One write: lines of several processes do not mix. Opened each time, so that it may be moved away. A line that was broken
/// off (the disk was full) ends before the next, or nobody could read either.
fn append(path: &std::path::Path, line: &str) -> std::io::Result<()> {
    let line = if is_broken_off(path) { format!("\n{line}") } else { line.to_owned() };
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    let mut file = options.open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// Whether a file has a last line without an end.
fn is_broken_off(path: &std::path::Path) -> bool {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let last = || -> std::io::Result<[u8; 1]> {
        let mut file = std::fs::File::open(path)?;
        let mut last = [b'\n'];
        if file.metadata()?.is_file() && file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(last)
    };
    last().is_ok_and(|last| last != [b'\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_broken_off_spoils_no_other() {
        let path = std::env::temp_dir().join(format!("modelgate-lines-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        append(&path, "{\"a\":1}\n").unwrap();
        std::fs::write(&path, "{\"a\":1}\n{\"b\":").unwrap();
        append(&path, "{\"b\":2}\n").unwrap();
        append(&path, "{\"c\":3}\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text, "{\"a\":1}\n{\"b\":\n{\"b\":2}\n{\"c\":3}\n");
    }
}
