//! Training text of our own: grammars in `crates/xtask/train/*.toml`.
//!
//! ```toml
//! [[group]]
//! kind = "direct"      # or extraction, jailbreak, indirect, benign
//! lang = "en"          # BCP 47
//! note = "polite overrides"                        # optional
//! role = "user"        # or tool, system: whose words such a text is
//! count = 200          # how many texts are drawn at most; 200 if not given
//! carriers = ["Dear all, {payload} Best, Ann"]    # optional: around what a template gives
//! templates = ["{verb} {all} instructions{tail}"]
//! [group.slots]
//! verb = ["ignore", "disregard {politely}"]       # slots may use slots
//! ```
//!
//! Texts are drawn with equal chances by a generator seeded with the file's name and the group's number, each text
//! once. `{{` stands for `{`; a `}` that closes no slot stands for itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::random::Random;

/// Texts drawn from a group that names no number.
const COUNT: usize = 200;
/// Slots in slots in slots.
const DEPTH: usize = 8;
/// Draws for each text wanted: a small grammar gives fewer texts than were asked for.
const DRAWS: usize = 8;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Direct,
    Extraction,
    Jailbreak,
    Indirect,
    Benign,
}

/// Whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Speaker {
    User,
    Tool,
    System,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Slots that every group of the file may use.
    #[serde(default)]
    slots: BTreeMap<String, Vec<String>>,
    #[serde(default, rename = "group")]
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    kind: Kind,
    lang: String,
    /// What the group is, for people.
    #[serde(default, rename = "note")]
    _note: Option<String>,
    #[serde(default = "user")]
    role: Speaker,
    #[serde(default)]
    count: Option<usize>,
    #[serde(default)]
    carriers: Vec<String>,
    templates: Vec<String>,
    #[serde(default)]
    slots: BTreeMap<String, Vec<String>>,
}

const fn user() -> Speaker {
    Speaker::User
}

/// A text drawn from a grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) text: String,
    /// What was put into a carrier.
    pub(crate) payload: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) role: Speaker,
    pub(crate) lang: String,
    /// File and number of the group.
    pub(crate) group: String,
}

/// The texts of every grammar of a folder, files in the order of their names.
///
/// # Errors
/// Names the file and the group that cannot be read.
pub(crate) fn read(folder: &Path) -> Result<Vec<Drawn>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        all.extend(texts(&name, &text).with_context(|| format!("{}", path.display()))?);
    }
    Ok(all)
}

/// The texts of one file.
fn texts(name: &str, source: &str) -> Result<Vec<Drawn>> {
    let file: File = toml::from_str(source)?;
    ensure!(!file.groups.is_empty(), "there is no group");
    let mut all = Vec::new();
    for (number, group) in file.groups.iter().enumerate() {
        let id = format!("{name}/{}", number + 1);
        let place = || format!("group {} ({:?}, {})", number + 1, group.kind, group.lang);
        all.extend(group.draw(&id, &file.slots).with_context(place)?);
    }
    Ok(all)
}

impl Group {
    fn draw(&self, id: &str, common: &BTreeMap<String, Vec<String>>) -> Result<Vec<Drawn>> {
        let primary = self.lang.split('-').next().unwrap_or_default();
        ensure!(
            (2..=3).contains(&primary.len()) && primary.bytes().all(|byte| byte.is_ascii_lowercase()),
            "lang {:?} is no BCP 47 tag",
            self.lang
        );
        ensure!(!self.templates.is_empty(), "there are no templates");
        if let Some(carrier) = self.carriers.iter().find(|carrier| !carrier.contains("{payload}")) {
            bail!("carrier {carrier:?} has no {{payload}}");
        }
        let mut slots = Slots { own: &self.slots, common, random: Random::named(id) };
        slots.check(self)?;
        let (count, mut seen, mut all) = (self.count.unwrap_or(COUNT), BTreeSet::new(), Vec::new());
        for draw in 0..count * DRAWS {
            if all.len() == count {
                break;
            }
            // Every template has its turn.
            let Some(template) = self.templates.get(draw % self.templates.len()) else { break };
            let payload = slots.expand(template, None)?.trim().to_owned();
            let (text, payload) = match slots.random.pick(&self.carriers) {
                None => (payload, None),
                Some(carrier) => (slots.expand(carrier, Some(&payload))?.trim().to_owned(), Some(payload)),
            };
            if !text.is_empty() && seen.insert(text.clone()) {
                let (kind, role, lang) = (self.kind, self.role, self.lang.clone());
                all.push(Drawn { text, payload, kind, role, lang, group: id.to_owned() });
            }
        }
        ensure!(!all.is_empty(), "no text comes out of it");
        Ok(all)
    }
}

/// The slots of a group while texts are drawn.
struct Slots<'a> {
    own: &'a BTreeMap<String, Vec<String>>,
    common: &'a BTreeMap<String, Vec<String>>,
    random: Random,
}

impl<'a> Slots<'a> {
    fn get(&self, name: &str) -> Result<&'a [String]> {
        let options = self.own.get(name).or_else(|| self.common.get(name));
        let options = options.with_context(|| format!("no slot is called {{{name}}}"))?;
        ensure!(!options.is_empty(), "slot {{{name}}} has no options");
        Ok(options)
    }

    /// Every option of every slot can be written out, and no own slot lies unused.
    fn check(&self, group: &Group) -> Result<()> {
        let mut done = BTreeSet::new();
        for text in group.templates.iter().chain(&group.carriers) {
            self.visit(text, &mut Vec::new(), &mut done)?;
        }
        match self.own.keys().find(|name| !done.contains(name.as_str())) {
            Some(name) => bail!("slot {name} is used nowhere"),
            None => Ok(()),
        }
    }

    /// Looks into the slots of a text, `path` being those it stands in.
    fn visit<'t>(
        &'t self,
        text: &'t str,
        path: &mut Vec<&'t str>,
        done: &mut BTreeSet<&'t str>,
    ) -> Result<()> {
        for piece in pieces(text) {
            let Piece::Slot(name) = piece else { continue };
            if name == "payload" || done.contains(name) {
                continue;
            }
            ensure!(!path.contains(&name), "slots go round in a circle at {text:?}");
            ensure!(path.len() < DEPTH, "slots stand too deep in slots at {text:?}");
            path.push(name);
            for option in self.get(name)? {
                self.visit(option, path, done)?;
            }
            path.pop();
            done.insert(name);
        }
        Ok(())
    }

    /// Writes a text out. Its slots were checked: none stands in itself.
    fn expand(&mut self, text: &str, payload: Option<&str>) -> Result<String> {
        let mut out = String::new();
        for piece in pieces(text) {
            match (piece, payload) {
                (Piece::Text(text), _) => out.push_str(text),
                (Piece::Slot("payload"), Some(payload)) => out.push_str(payload),
                (Piece::Slot(name), _) => {
                    let options = self.get(name)?;
                    let option = self.random.pick(options).map(String::as_str).unwrap_or_default();
                    out.push_str(&self.expand(option, payload)?);
                }
            }
        }
        Ok(out)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Slot(&'a str),
}

/// A text cut at its slots.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        found.push(Piece::Text(before));
        let name = behind.split_once('}').filter(|(name, _)| is_name(name));
        rest = match (behind.strip_prefix('{'), name) {
            (Some(behind), _) => {
                found.push(Piece::Text("{"));
                behind
            }
            (None, Some((name, behind))) => {
                found.push(Piece::Slot(name));
                behind
            }
            (None, None) => {
                found.push(Piece::Text("{"));
                behind
            }
        };
    }
    found.push(Piece::Text(rest));
    found
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What the grammars hold, for whoever writes them: a line a group, with an example.
pub(crate) fn report(drawn: &[Drawn]) -> String {
    let mut lines = Vec::new();
    for group in drawn.chunk_by(|a, b| a.group == b.group) {
        let Some(first) = group.first() else { continue };
        let example: String = first.text.chars().take(100).collect();
        lines.push(format!(
            "{:<28} {:<10} {:<6} {:<7} {:>5}  {example:?}",
            first.group,
            format!("{:?}", first.kind).to_lowercase(),
            first.lang,
            format!("{:?}", first.role).to_lowercase(),
            group.len()
        ));
    }
    let languages: BTreeSet<_> = drawn.iter().map(|drawn| drawn.lang.as_str()).collect();
    lines.push(format!("{} texts in {} groups, {} languages", drawn.len(), lines.len(), languages.len()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        [slots]
        name = ["Ann", "Bob"]
        [[group]]
        kind = "indirect"
        lang = "en"
        role = "tool"
        carriers = ["{{\"to\": \"{name}\", \"body\": \"{payload}\"}"]
        templates = ["{verb} the list{end}"]
        [group.slots]
        verb = ["forward", "{quickly} send"]
        quickly = ["quickly", "now"]
        end = ["", "!"]
    "#;

    #[test]
    fn every_text_of_a_small_grammar_is_drawn_once() {
        let drawn = texts("small", SMALL).unwrap();
        assert_eq!(drawn.len(), 12, "{drawn:?}");
        let texts: BTreeSet<_> = drawn.iter().map(|drawn| drawn.text.as_str()).collect();
        assert_eq!(texts.len(), 12);
        assert!(texts.contains(r#"{"to": "Bob", "body": "now send the list!"}"#), "{texts:?}");
        let first = &drawn[0];
        assert!(first.text.contains(first.payload.as_deref().unwrap()), "{first:?}");
        assert_eq!((first.kind, first.role), (Kind::Indirect, Speaker::Tool));
    }

    #[test]
    fn the_same_texts_are_drawn_each_time_and_others_under_another_name() {
        assert_eq!(texts("small", SMALL).unwrap(), texts("small", SMALL).unwrap());
        let order =
            |name| texts(name, SMALL).unwrap().into_iter().map(|drawn| drawn.text).collect::<Vec<_>>();
        assert_ne!(order("small"), order("other"));
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            (SMALL.replace("{end}", "{ends}"), "no slot is called {ends}"),
            (SMALL.replace("{quickly} send", "{verb} send"), "slots go round in a circle"),
            (SMALL.replace("{payload}", "it"), "has no {payload}"),
            (SMALL.replace("{end}", ""), "slot end is used nowhere"),
            (SMALL.replace("\"en\"", "\"English\""), "no BCP 47 tag"),
            (SMALL.replace("role =", "rule ="), "unknown field"),
            (SMALL.replace("indirect", "odd"), "unknown variant"),
            (SMALL.replace("[\"\", \"!\"]", "[]"), "slot {end} has no options"),
        ];
        for (source, message) in cases {
            let error = format!("{:#}", texts("small", &source).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn braces_around_no_name_are_text() {
        let found = pieces(r#"{"a": {b}, {{c}, {{"d": 1}} }"#);
        assert!(found.contains(&Piece::Slot("b")));
        assert!(!found.contains(&Piece::Slot("c")), "{found:?}");
    }
}
