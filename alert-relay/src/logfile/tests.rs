use std::{
    fs,
    path::{Path, PathBuf},
};

use wire::EventId;

use super::{dir::Lines, *};
use crate::testing::{MOMENT, event};

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("modelgate-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lines_of(name: &str, events: &[Event]) -> Lines {
    let text: String = events.iter().map(|event| line::line(event, MOMENT)).collect();
    Lines::from([(name.to_owned(), text.into_bytes())])
}

fn ids(path: &Path) -> Vec<EventId> {
    fs::read(path).unwrap().split(|b| *b == b'\n').filter_map(line::event_id).collect()
}

#[test]
fn lines_are_appended_in_order() {
    let scratch = Scratch::new("append");
    let mut dir = Dir::new(&scratch.0, 10, 1 << 30);
    dir.write(&lines_of("a.log", &[event(1), event(2)])).unwrap();
    dir.write(&lines_of("a.log", &[event(3)])).unwrap();
    assert_eq!(ids(&scratch.0.join("a.log")), [event(1).id, event(2).id, event(3).id]);
}

#[test]
fn a_file_moved_away_is_begun_anew() {
    let scratch = Scratch::new("rotate");
    let mut dir = Dir::new(&scratch.0, 10, 1 << 30);
    dir.write(&lines_of("a.log", &[event(1)])).unwrap();
    fs::rename(scratch.0.join("a.log"), scratch.0.join("a.log.1")).unwrap();
    dir.write(&lines_of("a.log", &[event(2)])).unwrap();
    assert_eq!(ids(&scratch.0.join("a.log")), [event(2).id]);
}

#[test]
fn a_torn_line_is_cut_and_whole_ones_are_found() {
    let scratch = Scratch::new("torn");
    let mut dir = Dir::new(&scratch.0, 10, 1 << 30);
    let path = scratch.0.join("a.log");
    let whole: String = [event(1), event(2)].iter().map(|event| line::line(event, MOMENT)).collect();
    let third = line::line(&event(3), MOMENT);
    for cut in [1, 40, 90, third.len() - 1] {
        fs::write(&path, format!("{whole}{}", &third[..cut])).unwrap();
        let present = dir.mend("a.log", 3, None).unwrap();
        assert_eq!(present, HashSet::from([event(1).id, event(2).id]), "cut at {cut}");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "cut at {cut}");
    }
    assert!(dir.mend("missing.log", 3, None).unwrap().is_empty());
}

#[test]
fn only_the_last_lines_are_looked_at() {
    let scratch = Scratch::new("tail");
    let mut dir = Dir::new(&scratch.0, 10, 1 << 30);
    let filler = "x\n".repeat(200_000);
    let text = format!("{}{filler}{}", line::line(&event(1), MOMENT), line::line(&event(2), MOMENT));
    fs::write(scratch.0.join("a.log"), text).unwrap();
    assert_eq!(dir.mend("a.log", 1, None).unwrap(), HashSet::from([event(2).id]));
}

#[test]
fn models_beyond_the_cap_share_a_file() {
    let scratch = Scratch::new("cap");
    let mut dir = Dir::new(&scratch.0, 3, 1 << 30);
    for n in 0..20 {
        let mut event = event(n);
        event.model = format!("model-{n}");
        let name = dir.file_for(&event, MOMENT).unwrap();
        dir.write(&lines_of(&name, &[event])).unwrap();
    }
    let files = scratch.files();
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.contains(&"security_other_2026-11-20.log".to_owned()), "{files:?}");
    assert_eq!(ids(&scratch.0.join("security_other_2026-11-20.log")).len(), 17);
    // A known model keeps its file, and a new day has its own count.
    let mut known = event(0);
    known.model = "model-1".to_owned();
    assert_eq!(dir.file_for(&known, MOMENT).unwrap(), "security_model-1_2026-11-20.log");
    known.model = "model-19".to_owned();
    assert_eq!(dir.file_for(&known, MOMENT + 86_400_000).unwrap(), "security_model-19_2026-11-21.log");
}

#[test]
fn a_full_file_is_put_aside_and_its_lines_are_still_known() {
    let scratch = Scratch::new("full");
    let mut dir = Dir::new(&scratch.0, 10, 300);
    let name = "security_demo_2026-11-20.log";
    for n in 1..=4 {
        dir.write(&lines_of(name, &[event(n)])).unwrap();
    }
    let expected = [
        "security_demo_2026-11-20.1.log",
        "security_demo_2026-11-20.2.log",
        "security_demo_2026-11-20.3.log",
    ];
    assert_eq!(scratch.files()[..3], expected);
    assert_eq!(ids(&scratch.0.join(expected[1])), [event(2).id]);
    assert_eq!(dir.mend(name, 9, None).unwrap().len(), 4);
}

/// A sealed log of two models and three parts, as `verify` finds it.
struct Sealed {
    scratch: Scratch,
    key: ChainKey,
}

impl Sealed {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let key = ChainKey::new([3; 32]);
        Chain::create(&scratch.0.join("chain"), key, MOMENT).unwrap();
        let mut chain = Chain::open(&scratch.0.join("chain")).unwrap().unwrap();
        let mut dir = Dir::new(&scratch.0, 10, 900);
        for n in 0..8 {
            let mut event = event(n);
            event.model = if n % 3 == 0 { "other-model" } else { "demo" }.to_owned();
            let file = dir.file_for(&event, MOMENT).unwrap();
            let mut line = if n < 6 { line::line(&event, MOMENT) } else { line::json(&event, MOMENT) };
            chain.seal(&file, &mut line);
            dir.write(&Lines::from([(file, line.into_bytes())])).unwrap();
        }
        chain.save().unwrap();
        Self { scratch, key }
    }

    /// Appends a sealed line.
    fn append(&self, file: &str, mut line: String) {
        let mut chain = Chain::open(&self.scratch.0.join("chain")).unwrap().unwrap();
        chain.seal(file, &mut line);
        let mut dir = Dir::new(&self.scratch.0, 10, 1 << 30);
        dir.write(&Lines::from([(file.to_owned(), line.into_bytes())])).unwrap();
        chain.save().unwrap();
    }

    /// Notes on a day what was deleted.
    fn note(&self, notes: &[keep::Note], day: &str) {
        for note in notes {
            self.append(&name::own(day), note.line(&format!("{day} 00:00:00,000"), "x.log"));
        }
    }

    fn verify(&self, heads: &[String]) -> verify::Report {
        let state = verify::state(&self.scratch.0.join("chain")).unwrap();
        verify::verify(&self.scratch.0, self.key, state, heads).unwrap()
    }

    fn logs(&self) -> Vec<PathBuf> {
        let names = self.scratch.files().into_iter().filter(|name| name.starts_with("security_"));
        names.map(|name| self.scratch.0.join(name)).collect()
    }

    /// With a file changed for a moment: whether that is found, and told of with the file's name or the number.
    fn finds(&self, path: &Path, changed: &[u8]) -> Vec<String> {
        let whole = fs::read(path).unwrap();
        fs::write(path, changed).unwrap();
        let report = self.verify(&[]);
        fs::write(path, whole).unwrap();
        report.problems
    }
}

#[test]
fn a_sealed_log_that_nobody_touched_is_whole() {
    let sealed = Sealed::new("sealed");
    assert!(sealed.logs().len() >= 3, "{:?}", sealed.logs());
    let report = sealed.verify(&[]);
    assert_eq!((report.good, report.problems), (8, Vec::<String>::new()));
    // Compressed files are read too.
    let part = Part::all(&sealed.scratch.0).unwrap().remove(0);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    io::Write::write_all(&mut gz, &fs::read(&part.path).unwrap()).unwrap();
    fs::write(part.path.with_extension("log.gz"), gz.finish().unwrap()).unwrap();
    fs::remove_file(&part.path).unwrap();
    assert_eq!(sealed.verify(&[]).good, 8);
}

#[test]
fn every_changed_byte_is_found_and_its_line_named() {
    let sealed = Sealed::new("bytes");
    let mut tried = 0;
    for path in sealed.logs() {
        let whole = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            // Another bit at each place.
            changed[at] ^= 1 << (at % 8);
            let problems = sealed.finds(&path, &changed);
            let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let named = problems.iter().any(|problem| problem.starts_with(&format!("{name}:{line}:")));
            assert!(named, "byte {at} of {name}: {problems:?}");
            tried += 1;
        }
    }
    assert!(tried > 2500, "{tried}");
}

#[test]
fn every_removed_doubled_swapped_or_moved_line_and_every_truncation_is_found() {
    let sealed = Sealed::new("lines");
    for path in sealed.logs() {
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for at in 0..lines.len() {
            let mut removed = lines.clone();
            removed.remove(at);
            let problems = sealed.finds(&path, removed.concat().as_bytes());
            assert!(problems.iter().any(|problem| problem.contains("missing")), "{problems:?}");
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at]);
            let problems = sealed.finds(&path, doubled.concat().as_bytes());
            assert!(problems.iter().any(|problem| problem.contains("twice")), "{problems:?}");
            for other in at + 1..lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(at, other);
                let problems = sealed.finds(&path, swapped.concat().as_bytes());
                assert!(problems.iter().any(|problem| problem.contains("out of order")), "{problems:?}");
            }
            // Into a file of another model.
            let other = sealed.logs().into_iter().find(|other| {
                let model = |path: &Path| path.to_str().unwrap().contains("other-model");
                model(other) != model(&path)
            });
            let other = other.unwrap();
            let there = fs::read_to_string(&other).unwrap();
            fs::write(&path, removed.concat()).unwrap();
            let problems = sealed.finds(&other, format!("{there}{}", lines[at]).as_bytes());
            fs::write(&path, &whole).unwrap();
            assert!(problems.iter().any(|problem| problem.contains("does not belong here")), "{problems:?}");
        }
        for cut in 0..whole.len() {
            assert!(!sealed.finds(&path, &whole.as_bytes()[..cut]).is_empty(), "cut at {cut}");
        }
        fs::remove_file(&path).unwrap();
        assert!(sealed.verify(&[]).problems.iter().any(|problem| problem.contains("missing")));
        fs::write(&path, &whole).unwrap();
    }
    assert!(sealed.verify(&[]).problems.is_empty());
}

#[test]
fn a_state_put_back_does_not_hide_what_a_mail_has_told() {
    let sealed = Sealed::new("back");
    let chain = sealed.scratch.0.join("chain");
    let head = Chain::open(&chain).unwrap().unwrap();
    assert_eq!(head.durable(), 8);
    let told = verify::state(&chain).unwrap().map(|state| state.key.head(state.next)).unwrap();
    assert!(sealed.verify(std::slice::from_ref(&told)).problems.is_empty());
    // Somebody with a copy of the state after six lines puts it back and cuts the rest.
    fs::remove_file(&chain).unwrap();
    Chain::create(&chain, sealed.key, MOMENT).unwrap();
    let mut earlier = Chain::open(&chain).unwrap().unwrap();
    (0..6).for_each(|_| earlier.seal("x", &mut "y\n".to_owned()));
    earlier.save().unwrap();
    for path in sealed.logs() {
        let text = fs::read_to_string(&path).unwrap();
        let kept: String = text.split_inclusive('\n').filter(|line| !line.starts_with('{')).collect();
        fs::write(&path, kept).unwrap();
    }
    assert!(sealed.verify(&[]).problems.is_empty(), "nothing here says so");
    let problems = sealed.verify(&[told]).problems;
    assert!(problems.iter().any(|problem| problem.contains("6 to 7 are missing")), "{problems:?}");
    let forged = format!("7:{}", "0".repeat(32));
    assert!(sealed.verify(&[forged]).problems[0].contains("not made from this key"));
}

#[test]
fn files_deleted_in_their_time_are_accounted_for_and_others_are_not() {
    let sealed = Sealed::new("deleted");
    let part = Part::all(&sealed.scratch.0).unwrap().remove(0);
    let deleted = keep::inventory(&part).unwrap();
    let lines: u64 = deleted.iter().map(|note| note.lines).sum();
    assert!(lines > 0);
    sealed.note(&deleted, "2027-11-20");
    fs::remove_file(&part.path).unwrap();
    let report = sealed.verify(&[]);
    assert_eq!((report.problems, report.deleted), (Vec::<String>::new(), lines));
    // Noted twice, as after a crash between the note and the deletion, they are still no more.
    sealed.note(&deleted, "2027-11-21");
    assert_eq!(sealed.verify(&[]).deleted, lines);
    // One more is missing among them.
    let other =
        Part::all(&sealed.scratch.0).unwrap().into_iter().find(|other| other.base == part.base).unwrap();
    let text = fs::read_to_string(&other.path).unwrap();
    let short: String = text.split_inclusive('\n').skip(1).collect();
    assert!(!sealed.finds(&other.path, short.as_bytes()).is_empty());
}

#[test]
fn notes_that_are_deleted_in_their_turn_leave_what_they_said() {
    let sealed = Sealed::new("turn");
    let gone = Part::all(&sealed.scratch.0).unwrap();
    let mut deleted = 0;
    for part in &gone {
        let notes = keep::inventory(part).unwrap();
        deleted += notes.iter().map(|note| note.lines).sum::<u64>();
        sealed.note(&notes, "2027-11-20");
        fs::remove_file(&part.path).unwrap();
    }
    assert_eq!(deleted, 8);
    let old = Part::all(&sealed.scratch.0).unwrap().remove(0);
    assert!(old.is_own() && old.date == "2027-11-20");
    let carried = keep::inventory(&old).unwrap();
    assert!(carried.len() < gone.len(), "{carried:?}");
    sealed.note(&carried, "2028-11-20");
    fs::remove_file(&old.path).unwrap();
    let report = sealed.verify(&[]);
    let notes = u64::try_from(gone.len()).unwrap();
    assert_eq!((report.problems, report.deleted), (Vec::<String>::new(), 8 + notes));
}

#[test]
fn a_line_about_an_event_cannot_pass_for_a_note() {
    let sealed = Sealed::new("forged");
    let forged = keep::Note { first: 0, last: 7, lines: 8 }.line("2026-11-20 00:00:00,000", "x");
    assert!(keep::Note::parse(forged.trim_end()).is_some());
    sealed.append("security_demo_2026-11-20.log", forged);
    let other =
        sealed.logs().into_iter().find(|path| path.to_str().unwrap().contains("other-model")).unwrap();
    assert!(!sealed.finds(&other, b"").is_empty());
}

#[test]
fn thousands_of_notes_about_millions_of_lines_are_read_at_once() {
    let notes: Vec<keep::Note> =
        (0..100_000_u64).map(|n| keep::Note { first: n * 1000, last: n * 1000 + 999, lines: 1000 }).collect();
    let whole = [keep::Note { first: 0, last: 99_999_999, lines: 100_000_000 }];
    assert_eq!(keep::Note::merged(notes), whole);
}
