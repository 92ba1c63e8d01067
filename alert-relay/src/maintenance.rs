//! What an operator does to the database by hand: `alert-relay backup`, `restore`, `check`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{
    config::{Config, Database},
    logfile,
    store::{self, Finding, Place},
};

/// Most parked messages listed.
const MAX_LISTED: usize = 200;

/// Writes all that is stored into a new file, while a relay may be running. Returns a line for the operator.
///
/// # Errors
/// When there is a file of that name, it cannot be written, or what was written is not whole.
pub fn backup(config: &Config, to: &Path) -> Result<String, String> {
    let database = file_of(config, "pg_dump")?;
    if to.exists() {
        return Err(format!("{} is there already", to.display()));
    }
    let part = beside(to, ".part");
    let _ = fs::remove_file(&part);
    let written = store::copy_whole(database, &part)
        .map_err(|e| format!("cannot copy {}: {e}", database.display()))
        .and_then(|events| whole(&part).map(|()| events));
    let result = written.and_then(|events| put_in_place(&part, to).map(|()| events));
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result.map(|events| format!("{} holds {events} events", to.display()))
}

/// The lines of a zone file that publish the keys which mails are signed with.
///
/// # Errors
/// When mails are not signed.
pub fn dkim_records(config: &Config) -> Result<Vec<String>, String> {
    if config.mail.dkim.is_empty() {
        return Err("mails are not signed: mail.dkim names no key".to_owned());
    }
    Ok(config.mail.dkim.iter().map(crate::mail::dkim::Signer::record).collect())
}

/// Puts messages that were refused for good back to be sent: one by its number, all, or, with neither, none but a list of
/// them. Lines for the operator.
///
/// # Errors
/// When the database cannot be read or written, or there is no such message.
pub fn resend(config: &Config, which: Option<&str>) -> Result<Vec<String>, String> {
    let place = existing(config)?;
    let failed = |e: store::DbError| format!("{place}: {e}");
    let Some(which) = which else {
        let db = place.open_reader().map_err(failed)?;
        let parked = store::parked(&db, MAX_LISTED).map_err(failed)?;
        let at_least = if parked.len() == MAX_LISTED { "at least " } else { "" };
        let mut lines = vec![format!("{at_least}{} messages are parked", parked.len())];
        lines.extend(parked.into_iter().map(|one| {
            let since = crate::clock::iso(one.since_ms);
            format!("{}  {since}  {} to {}: {}", one.id, one.channel, one.recipient, one.error)
        }));
        return Ok(lines);
    };
    let id = match which {
        "all" => None,
        number => Some(number.parse().map_err(|_| format!("{number:?} is neither a number nor all"))?),
    };
    match store::resend(&place, id, crate::clock::now_ms()).map_err(failed)? {
        0 if id.is_some() => Err(format!("no message {which} is parked")),
        count => Ok(vec![format!(
            "{count} messages will be sent now, by the relay that runs or the next that starts"
        )]),
    }
}

/// Begins the chain that seals the log. The key for `verify` is the answer; it is kept nowhere else.
///
/// # Errors
/// When `log.chain_file` is not set or there already, or cannot be written.
pub fn log_key(config: &Config) -> Result<String, String> {
    let path = config.log.chain_file.as_ref().ok_or("log.chain_file is not set")?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| format!("cannot make {}: {e}", parent.display()))?;
    }
    logfile::begin_chain(path)
}

/// Checks the sealed log with the key of `log-key`, and with heads from mails. Lines for the operator, and whether all is
/// well.
///
/// # Errors
/// When key or files cannot be read.
pub fn verify(config: &Config, key_file: &Path, heads: &[String]) -> Result<(Vec<String>, bool), String> {
    let key = fs::read_to_string(key_file).map_err(|e| format!("cannot read {}: {e}", key_file.display()))?;
    let report = logfile::verify(&config.log, &key, heads)?;
    let mut lines = report.problems;
    let well = lines.is_empty();
    if report.more > 0 {
        lines.push(format!("and {} more problems", report.more));
    }
    let says = if well { "the log is whole" } else { "the log is not whole" };
    lines.push(format!(
        "{says}: {} lines sealed and right, {} deleted in their time, {} from before the chain",
        report.good, report.deleted, report.before
    ));
    if let Some(head) = logfile::head(&config.log) {
        lines.push(format!("head {}", head.text));
    }
    Ok((lines, well))
}

/// Puts a backup in place of the database, which is kept under another name. No relay may be running.
///
/// # Errors
/// When a relay is running, the backup is not whole or made by a newer relay, or files cannot be written.
pub fn restore(config: &Config, from: &Path) -> Result<String, String> {
    let database = file_of(config, "pg_restore")?;
    let lock = store::lock_file(database)?;
    whole(from)?;
    let part = beside(database, ".restoring");
    fs::copy(from, &part)
        .map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), part.display()))?;
    let events =
        store::begin_new_life(&part).map_err(|e| format!("cannot make {} ready: {e}", from.display()))?;
    let mut line = format!("{} holds {events} events now", database.display());
    let old = unused(database);
    // What belongs to the file first: broken off anywhere between, another go brings it together again. SQLite would read
    // the log of the old file into the new one.
    for end in ["-wal", "-shm", ""] {
        let (file, kept) = (beside(database, end), beside(&old, end));
        if file.exists() {
            fs::rename(&file, &kept).map_err(|e| format!("cannot move {}: {e}", file.display()))?;
        }
    }
    if old.exists() {
        line.push_str(&format!("; what it held before is in {}", old.display()));
    }
    put_in_place(&part, database)?;
    drop(lock);
    Ok(line)
}

/// Looks whether what is stored is whole and fits together. Returns a line for each thing looked at, and whether all
/// was well.
///
/// # Errors
/// When the database cannot be opened.
pub fn check(config: &Config) -> Result<(Vec<String>, bool), String> {
    let place = existing(config)?;
    let findings = store::examine(&place).map_err(|e| format!("cannot read {place}: {e}"))?;
    let well = findings.iter().all(|finding| finding.wrong.is_empty());
    Ok((findings.iter().map(line).collect(), well))
}

fn line(finding: &Finding) -> String {
    let shown = finding.wrong.join("; ");
    if shown.is_empty() {
        format!("ok     {}", finding.what)
    } else {
        format!("WRONG  {}: {shown}", finding.what)
    }
}

/// Where the database is. A file has to be there: SQLite would make one.
fn existing(config: &Config) -> Result<Place, String> {
    match &config.database {
        Database::Sqlite(path) if !path.exists() => Err(format!("there is no {}", path.display())),
        database => Ok(Place::from(database)),
    }
}

/// The file of a SQLite database; a server has tools of its own.
fn file_of<'a>(config: &'a Config, tool: &str) -> Result<&'a Path, String> {
    match &config.database {
        Database::Sqlite(path) => Ok(path),
        Database::Postgres(_) => {
            Err(format!("the events are on a PostgreSQL server: {tool} and its relatives do that there"))
        }
    }
}

/// That SQLite finds nothing wrong in a file.
fn whole(path: &Path) -> Result<(), String> {
    // SQLite would make one.
    if !path.is_file() {
        return Err(format!("there is no file {}", path.display()));
    }
    let findings = store::examine(&Place::Sqlite(path.to_owned()))
        .map_err(|e| format!("{} is no database of a relay: {e}", path.display()))?;
    match findings.iter().find(|finding| !finding.wrong.is_empty()) {
        None => Ok(()),
        Some(finding) => Err(format!("{} is not whole: {}", path.display(), line(finding))),
    }
}

/// Makes a file durable under its final name.
fn put_in_place(part: &Path, to: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", to.display());
    File::open(part).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(part, to).map_err(failed)?;
    let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// A name for the database that was, which no file has.
fn unused(database: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let name = beside(database, &format!(".before-restore-{number}"));
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}
