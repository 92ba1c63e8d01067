//! Old files of the log: found, compressed, deleted.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use super::{chain, line::MAX_LINE_BYTES, name};

/// A file is compressed when nothing was written to it for so long: a crash may want its lines read again.
const REST: Duration = Duration::from_secs(3600);

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// `security_{model}_{date}.log`, whichever part of it this is.
    pub(super) base: String,
    /// Parts filled up come first, in the order of their numbers; the one being written is the last.
    pub(super) number: u64,
    /// Whether it is compressed.
    pub(super) compressed: bool,
    /// The day, `2026-11-20`.
    pub(super) date: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl Part {
    /// What a file's name says; none if it is none of ours.
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (name, compressed) = match name.strip_suffix(".gz") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let stem = name.strip_prefix("security_")?.strip_suffix(".log")?;
        let is_date = |text: &str| {
            text.len() == 10
                && text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).eq("0000-00-00".chars())
        };
        let (model, last) = stem.rsplit_once('_')?;
        let (date, number) = match last.split_once('.') {
            Some((date, number)) => (date, number.parse().ok()?),
            None => (last, u64::MAX),
        };
        is_date(date).then(|| Self {
            base: format!("security_{model}_{date}.log"),
            number,
            compressed,
            date: date.to_owned(),
            path: path.clone(),
        })
    }

    /// All files of a directory, in the order of writing within each name.
    pub(super) fn all(directory: &Path) -> io::Result<Vec<Self>> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(directory)? {
            parts.extend(Self::of(entry?.path()));
        }
        parts.sort();
        Ok(parts)
    }

    /// The name of the file itself.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether it holds what the log notes about itself.
    pub(super) fn is_own(&self) -> bool {
        self.base == name::own(&self.date)
    }

    /// Its content.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read>> {
        let file = File::open(&self.path)?;
        Ok(if self.compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
    }

    /// Calls with each line, without its end, and whether it has one. A line longer than any of ours comes in pieces.
    pub(super) fn each_line(&self, mut on: impl FnMut(&[u8], bool)) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(1 << 16, self.open()?);
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            if (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut buffer)? == 0 {
                return Ok(());
            }
            let ended = buffer.last() == Some(&b'\n');
            if ended {
                buffer.pop();
            }
            on(&buffer, ended);
        }
    }
}

/// The number of the next part of a file that is full.
pub(super) fn next_number(directory: &Path, base: &str) -> io::Result<u64> {
    let parts = Part::all(directory)?;
    let numbers = parts.iter().filter(|part| part.base == base && part.number != u64::MAX);
    Ok(numbers.map(|part| part.number).max().map_or(1, |last| last.saturating_add(1)))
}

/// `security_demo_2026-11-20.3.log`
pub(super) fn part_name(base: &str, number: u64) -> String {
    format!("{}.{number}.log", base.strip_suffix(".log").unwrap_or(base))
}

/// Compresses files that nobody writes to any more: of earlier days, or full, and at rest. How many.
pub(super) fn compress(directory: &Path, today: &str) -> io::Result<usize> {
    let mut done = 0;
    for part in Part::all(directory)? {
        let over = part.number != u64::MAX || part.date.as_str() < today;
        let modified = fs::metadata(&part.path).and_then(|it| it.modified())?;
        let rest = SystemTime::now().duration_since(modified).unwrap_or_default();
        if part.compressed || !over || rest < REST {
            continue;
        }
        let (whole, unfinished) =
            (part.path.with_extension("log.gz"), part.path.with_extension("log.gz.part"));
        if whole.exists() {
            // Killed after the copy was there, before the file was gone. Or a clock that went ahead and back again had
            // the copy made while the day was not over: what has come since becomes a part of its own.
            let (mut copy, mut file) = (gzip(File::open(&whole)?), BufReader::new(File::open(&part.path)?));
            if is_same(&mut copy, &mut file)? {
                fs::remove_file(&part.path)?;
            } else {
                let aside = part_name(&part.base, next_number(directory, &part.base)?);
                fs::rename(&part.path, directory.join(aside))?;
            }
            continue;
        }
        let mut from = File::open(&part.path)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let mut to = GzEncoder::new(options.open(&unfinished)?, Compression::default());
        let read = io::copy(&mut from, &mut to)?;
        let mut file = to.finish()?;
        file.flush()?;
        file.sync_all()?;
        if fs::metadata(&part.path)?.len() != read {
            // Somebody writes to it after all.
            fs::remove_file(&unfinished)?;
            continue;
        }
        fs::rename(&unfinished, &whole)?;
        fs::remove_file(&part.path)?;
        done += 1;
    }
    Ok(done)
}

fn gzip(file: File) -> BufReader<MultiGzDecoder<File>> {
    BufReader::new(MultiGzDecoder::new(file))
}

/// Whether two files hold the same.
fn is_same(one: &mut impl BufRead, other: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let length = a.len().min(b.len());
        if length == 0 {
            return Ok(a.len() == b.len());
        }
        if a.get(..length) != b.get(..length) {
            return Ok(false);
        }
        one.consume(length);
        other.consume(length);
    }
}

/// That sealed lines were deleted when they were old enough: how many, and the numbers they were among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Note {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) lines: u64,
}

/// How the message of a note begins.
const NOTED: &str = "log_deleted file=\"";

impl Note {
    /// A line of the log, not yet sealed. The file's name is a relay's own, without quotes.
    pub(super) fn line(self, time: &str, file: &str) -> String {
        let Self { first, last, lines } = self;
        format!("{time} - INFO - {NOTED}{file}\" lines={lines} first={first} last={last}\n")
    }

    /// Reads what [`Self::line`] wrote, without its seal. Only files of the log's own notes ([`Part::is_own`]) have any.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, message) = text.split_once(" - INFO - ")?;
        let (_, rest) = message.strip_prefix(NOTED)?.split_once("\" lines=")?;
        let (lines, rest) = rest.split_once(" first=")?;
        let (first, last) = rest.split_once(" last=")?;
        let note = Self { lines: lines.parse().ok()?, first: first.parse().ok()?, last: last.parse().ok()? };
        (note.first <= note.last).then_some(note)
    }

    /// The same said with fewer notes: those whose numbers overlap or follow each other become one. A note that is there
    /// twice, as a crash may leave it, counts once.
    pub(super) fn merged(mut notes: Vec<Self>) -> Vec<Self> {
        notes.sort_unstable();
        notes.dedup();
        let mut merged: Vec<Self> = Vec::new();
        for note in notes {
            match merged.last_mut() {
                Some(before) if note.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(note.last);
                    before.lines = before.lines.saturating_add(note.lines);
                }
                _ => merged.push(note),
            }
        }
        merged
    }
}

/// What will be missing when a file is deleted: its own lines, and what its notes say of others.
pub(super) fn inventory(part: &Part) -> io::Result<Vec<Note>> {
    let mut own: Option<Note> = None;
    let mut notes = Vec::new();
    part.each_line(|line, _| {
        if let Some((text, seq, _)) = std::str::from_utf8(line).ok().and_then(chain::unseal) {
            let note = own.get_or_insert(Note { first: seq, last: seq, lines: 0 });
            (note.first, note.last) = (note.first.min(seq), note.last.max(seq));
            note.lines += 1;
            notes.extend(Note::parse(text).filter(|_| part.is_own()));
        }
    })?;
    notes.extend(own);
    Ok(Note::merged(notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("modelgate-keep-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Writes a file that has been at rest for long.
    fn write_old(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * REST).unwrap();
    }

    fn lines(directory: &Path) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for part in Part::all(directory).unwrap() {
            part.each_line(|line, _| lines.push((part.name(), String::from_utf8(line.to_vec()).unwrap())))
                .unwrap();
        }
        lines
    }

    #[test]
    fn what_comes_after_a_file_was_compressed_is_not_written_over_it() {
        let path = directory("again");
        let file = path.join("security_demo_2026-11-20.log");
        write_old(&file, "first\n");
        assert_eq!(compress(&path, "2026-11-20").unwrap(), 0, "the day is not over");
        assert_eq!(compress(&path, "2026-11-21").unwrap(), 1);
        // The clock went back, and the same name is written to again.
        write_old(&file, "second\n");
        compress(&path, "2026-11-21").unwrap();
        assert_eq!(compress(&path, "2026-11-21").unwrap(), 1);
        let name = |name: &str| format!("security_demo_2026-11-20{name}.log.gz");
        assert_eq!(lines(&path), [(name(".1"), "second".to_owned()), (name(""), "first".to_owned())]);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_copy_that_was_left_beside_its_file_takes_its_place() {
        let path = directory("left");
        let file = path.join("security_demo_2026-11-20.log");
        write_old(&file, "first\n");
        compress(&path, "2026-11-21").unwrap();
        write_old(&file, "first\n");
        compress(&path, "2026-11-21").unwrap();
        assert_eq!(lines(&path), [("security_demo_2026-11-20.log.gz".to_owned(), "first".to_owned())]);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn names_are_taken_apart() {
        let of =
            |name: &str| Part::of(PathBuf::from(name)).map(|part| (part.base, part.number, part.compressed));
        let demo = "security_demo_2026-11-20.log".to_owned();
        assert_eq!(of("security_demo_2026-11-20.log"), Some((demo.clone(), u64::MAX, false)));
        assert_eq!(of("security_demo_2026-11-20.3.log.gz"), Some((demo, 3, true)));
        assert_eq!(
            of("security_gpt-4.1_x_2026-11-20.12.log"),
            Some(("security_gpt-4.1_x_2026-11-20.log".to_owned(), 12, false))
        );
        for other in [
            "security_demo.log",
            "x.log",
            "security_demo_2026-11-20.log.gz.part",
            "security_demo_2026-11-2x.log",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(part_name("security_demo_2026-11-20.log", 3), "security_demo_2026-11-20.3.log");
    }
}
