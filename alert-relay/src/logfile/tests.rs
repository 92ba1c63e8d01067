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
    let mut dir = Dir::new(&scratch.0, 10);
    dir.write(&lines_of("a.log", &[event(1), event(2)])).unwrap();
    dir.write(&lines_of("a.log", &[event(3)])).unwrap();
    assert_eq!(ids(&scratch.0.join("a.log")), [event(1).id, event(2).id, event(3).id]);
}

#[test]
fn a_file_moved_away_is_begun_anew() {
    let scratch = Scratch::new("rotate");
    let mut dir = Dir::new(&scratch.0, 10);
    dir.write(&lines_of("a.log", &[event(1)])).unwrap();
    fs::rename(scratch.0.join("a.log"), scratch.0.join("a.log.1")).unwrap();
    dir.write(&lines_of("a.log", &[event(2)])).unwrap();
    assert_eq!(ids(&scratch.0.join("a.log")), [event(2).id]);
}

#[test]
fn a_torn_line_is_cut_and_whole_ones_are_found() {
    let scratch = Scratch::new("torn");
    let mut dir = Dir::new(&scratch.0, 10);
    let path = scratch.0.join("a.log");
    let whole: String = [event(1), event(2)].iter().map(|event| line::line(event, MOMENT)).collect();
    let third = line::line(&event(3), MOMENT);
    for cut in [1, 40, 90, third.len() - 1] {
        fs::write(&path, format!("{whole}{}", &third[..cut])).unwrap();
        let present = dir.mend("a.log", 3).unwrap();
        assert_eq!(present, HashSet::from([event(1).id, event(2).id]), "cut at {cut}");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "cut at {cut}");
    }
    assert!(dir.mend("missing.log", 3).unwrap().is_empty());
}

#[test]
fn only_the_last_lines_are_looked_at() {
    let scratch = Scratch::new("tail");
    let mut dir = Dir::new(&scratch.0, 10);
    let filler = "x\n".repeat(200_000);
    let text = format!("{}{filler}{}", line::line(&event(1), MOMENT), line::line(&event(2), MOMENT));
    fs::write(scratch.0.join("a.log"), text).unwrap();
    assert_eq!(dir.mend("a.log", 1).unwrap(), HashSet::from([event(2).id]));
}

#[test]
fn models_beyond_the_cap_share_a_file() {
    let scratch = Scratch::new("cap");
    let mut dir = Dir::new(&scratch.0, 3);
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
