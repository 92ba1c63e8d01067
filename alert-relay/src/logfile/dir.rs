//! The directory of the incident log and its open files.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use wire::{Event, EventId};

use super::{chain, keep, line, name};
use crate::clock::Civil;

/// Most files held open.
const MAX_OPEN: usize = 32;

/// Appends to the files of one directory.
pub(super) struct Dir {
    path: PathBuf,
    max_files_per_day: usize,
    max_file_bytes: u64,
    /// By name; the number says when it was last used.
    open: BTreeMap<String, (File, u64)>,
    used: u64,
}

/// Lines by file.
pub(super) type Lines = BTreeMap<String, Vec<u8>>;

impl Dir {
    pub(super) fn new(path: &Path, max_files_per_day: usize, max_file_bytes: u64) -> Self {
        Self { path: path.to_owned(), max_files_per_day, max_file_bytes, open: BTreeMap::new(), used: 0 }
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory; on Unix readable by the owner and the group only.
    pub(super) fn create(&self) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
        builder.create(&self.path)
    }

    /// The file for a model on the day of a moment; the shared one once there are too many.
    pub(super) fn file_for(&self, event: &Event, received_ms: u64) -> io::Result<String> {
        let date = Civil::of(received_ms).date();
        let own = name::file_name(&event.model, &date);
        if self.open.contains_key(&own) || self.path.join(&own).exists() {
            return Ok(own);
        }
        let ending = format!("_{date}.log");
        let mut files = 0;
        for entry in std::fs::read_dir(&self.path)? {
            files += usize::from(entry?.file_name().to_string_lossy().ends_with(&ending));
        }
        if files < self.max_files_per_day {
            // Made now, so that the next new name counts it.
            self.append_to(&own)?;
            Ok(own)
        } else {
            Ok(name::overflow(&date))
        }
    }

    fn append_to(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        options.open(self.path.join(name))
    }

    /// Appends and makes durable. A file that is full is put aside first.
    pub(super) fn write(&mut self, lines: &Lines) -> io::Result<()> {
        for (name, bytes) in lines {
            if self.file(name)?.metadata()?.len() >= self.max_file_bytes {
                self.open.remove(name);
                let full = keep::part_name(name, keep::next_number(&self.path, name)?);
                std::fs::rename(self.path.join(name), self.path.join(full))?;
            }
            let file = self.file(name)?;
            file.write_all(bytes)?;
            file.sync_data()?;
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        self.used += 1;
        // A file moved away by log rotation is let go, so that its successor is begun.
        if self.open.contains_key(name) && !self.path.join(name).exists() {
            self.open.remove(name);
        }
        if !self.open.contains_key(name) && self.open.len() >= MAX_OPEN {
            let oldest = self.open.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.open.remove(&name));
        }
        let opened = match self.open.remove(name) {
            Some((file, _)) => file,
            None => self.append_to(name)?,
        };
        let used = self.used;
        Ok(&mut self.open.entry(name.to_owned()).or_insert((opened, used)).0)
    }

    /// Cuts a torn last line off a file, and lines whose seal no durable state covers (from the number `unsealed`), and
    /// says which events its last lines tell of.
    ///
    /// Lines are appended in the order of storing, so those of `pending` events can only be the last ones, here or in
    /// the parts that were full.
    pub(super) fn mend(
        &mut self,
        name: &str,
        pending: u64,
        unsealed: Option<u64>,
    ) -> io::Result<HashSet<EventId>> {
        let mut ids = self.mend_last(name, pending, unsealed)?;
        // What is not in the last part is in the one before; further ones need no reading.
        for part in keep::Part::all(&self.path)?.iter().rev() {
            if ids.len() as u64 >= pending {
                break;
            }
            if part.base == name && part.path != self.path.join(name) && !part.compressed {
                part.each_line(|line, _| ids.extend(line::event_id(line)))?;
            }
        }
        Ok(ids)
    }

    fn mend_last(&mut self, name: &str, pending: u64, unsealed: Option<u64>) -> io::Result<HashSet<EventId>> {
        self.open.remove(name);
        let path = self.path.join(name);
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
            Err(e) => return Err(e),
        };
        let length = file.metadata()?.len();
        let from = length.saturating_sub(pending.saturating_add(1).saturating_mul(line::MAX_LINE_BYTES));
        file.seek(SeekFrom::Start(from))?;
        let mut ids = HashSet::new();
        let mut whole = from;
        let mut reader = BufReader::new(&file);
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let read = (&mut reader).take(line::MAX_LINE_BYTES).read_until(b'\n', &mut buffer)?;
            if read == 0 {
                break;
            }
            if buffer.last() == Some(&b'\n') {
                if unsealed.is_some_and(|from| number(&buffer).is_some_and(|seq| seq >= from)) {
                    break;
                }
                whole = whole.saturating_add(read as u64);
                ids.extend(line::event_id(&buffer));
            } else if read as u64 == line::MAX_LINE_BYTES {
                // Not a line of ours; somebody else wrote into the file. Leave it.
                whole = whole.saturating_add(read as u64);
            }
        }
        if whole < length {
            file.set_len(whole)?;
            file.sync_data()?;
        }
        Ok(ids)
    }
}

/// A line's number in the chain.
fn number(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?.trim_end_matches('\n');
    chain::unseal(text).map(|(_, seq, _)| seq)
}

/// Whether a file ends within a line, or with one that has this number or a later one.
pub(super) fn ends_unsealed(path: &Path, from: u64) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(2 * line::MAX_LINE_BYTES)))?;
    let mut tail = Vec::new();
    file.take(2 * line::MAX_LINE_BYTES).read_to_end(&mut tail)?;
    let Some(whole) = tail.strip_suffix(b"\n") else { return Ok(!tail.is_empty()) };
    let last = whole.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(number(last).is_some_and(|seq| seq >= from))
}
