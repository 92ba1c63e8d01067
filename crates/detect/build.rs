//! Packs `rules/*.toml` and the classifier's weights into fewer bytes, which an engine unpacks once, when it is made.

extern crate alloc;

#[path = "src/compile/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "what only the engine uses of the shared code")]
mod compile;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use compile::{Builder, Patterns, Proof, pack::Writer, squeeze::squeeze, tables::Checksum};
use lzma_rust2::{LzmaOptions, LzmaWriter};
use serde::Deserialize;

/// A rule file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Names for alternatives: `@name` in a pattern stands for its text. A name may use others.
    #[serde(default)]
    words: BTreeMap<String, String>,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

/// A rule as people write it. What the examples say is checked by the tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    summary: String,
    severity: String,
    weight: u16,
    #[serde(default = "one")]
    paranoia: u8,
    #[serde(default)]
    owasp: Vec<String>,
    #[serde(default)]
    atlas: Vec<String>,
    roles: Option<Vec<String>>,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    tokens: Vec<String>,
    #[serde(default)]
    min_entropy: f64,
    checksum: Option<String>,
    #[serde(default)]
    stopwords: Vec<String>,
    #[serde(default, rename = "positives")]
    _positives: Vec<String>,
    #[serde(default, rename = "negatives")]
    _negatives: Vec<String>,
}

/// The classifier's weights as the trainer writes them.
const WEIGHTS: &str = "models/weights.bin";

const fn one() -> u8 {
    1
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/compile");
    println!("cargo::rerun-if-changed=rules");
    println!("cargo::rerun-if-changed={WEIGHTS}");
    match generate() {
        Ok(generated) => {
            let folder = env::var("OUT_DIR")?;
            fs::write(Path::new(&folder).join("rules.rs"), generated.source)?;
            fs::write(Path::new(&folder).join("rules.bin"), compressed(&generated.rules)?)?;
            fs::write(Path::new(&folder).join("rules-as-they-are.bin"), generated.rules)?;
            fs::write(Path::new(&folder).join("patterns.bin"), generated.patterns)?;
            let mut weights = Writer::default();
            squeeze(&fs::read(WEIGHTS)?, &mut weights);
            fs::write(Path::new(&folder).join("weights.bin"), weights.finish())?;
            Ok(())
        }
        Err(error) => {
            println!("cargo::error={error}");
            Err("the rules do not compile".into())
        }
    }
}

/// What becomes of the rules.
struct Generated {
    /// Rust for what is the same for many rules.
    source: String,
    /// What is known of each rule.
    rules: Vec<u8>,
    /// What the rules look for.
    patterns: Vec<u8>,
}

fn generate() -> Result<Generated, Box<dyn Error>> {
    let mut builder = Builder::default();
    let mut rules = Vec::new();
    let mut ids = BTreeSet::new();
    for path in files()? {
        let name = path.display();
        let file: File =
            toml::from_str(&fs::read_to_string(&path)?).map_err(|error| format!("{name}: {error}"))?;
        for rule in file.rules {
            let number = u32::try_from(rules.len())?;
            let added = check(&rule, &mut ids)
                .and_then(|()| Ok(builder.add(number, &patterns(&rule, &file.words)?)?));
            added.map_err(|error| format!("{name}: {}: {error}", rule.id))?;
            rules.push(rule);
        }
    }
    write(&rules, &builder)
}

/// The rule files in a fixed order. There may be none.
fn files() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("rules");
    let mut files = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    Ok(files)
}

fn check(rule: &Rule, ids: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    if !ids.insert(rule.id.clone()) {
        return Err("the id is given twice".into());
    }
    if rule.id.split('.').filter(|part| !part.is_empty()).count() != 3 {
        return Err("the id is not <pack>.<group>.<name>".into());
    }
    category(&rule.id)?;
    severity(&rule.severity)?;
    if rule.weight > 1000 {
        return Err("the weight is over 1000 thousandths".into());
    }
    if !(1..=4).contains(&rule.paranoia) {
        return Err("the paranoia level is not 1 to 4".into());
    }
    if rule.patterns.is_empty() && rule.tokens.is_empty() {
        return Err("there are neither patterns nor tokens".into());
    }
    Ok(())
}

fn patterns(rule: &Rule, words: &BTreeMap<String, String>) -> Result<Patterns, Box<dyn Error>> {
    if !(0.0..=8.0).contains(&rule.min_entropy) {
        return Err("min_entropy is not 0 to 8 bits".into());
    }
    let checksum = match &rule.checksum {
        None => None,
        Some(name) => Some(Checksum::from_name(name).ok_or_else(|| format!("no checksum is called {name}"))?),
    };
    // In range by the check above.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8000")]
    let min_entropy = (rule.min_entropy * 1000.0).round() as u16;
    Ok(Patterns {
        phrases: rule.patterns.iter().map(|pattern| expand(pattern, words, 0)).collect::<Result<_, _>>()?,
        tokens: rule.tokens.clone(),
        proof: Proof { min_entropy, checksum, stopwords: rule.stopwords.clone() },
    })
}

/// Puts the words in place of their names, where an alternative begins.
fn expand(pattern: &str, words: &BTreeMap<String, String>, depth: usize) -> Result<String, String> {
    if depth > 8 {
        return Err(format!("names go round in a circle in `{pattern}`"));
    }
    let mut expanded = String::new();
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('@') {
        expanded.push_str(before);
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(behind.len());
        let (name, behind) = behind.split_at(end);
        if before.ends_with(['<', '[', '|']) || before.is_empty() && expanded.is_empty() {
            let text = words.get(name).ok_or_else(|| format!("no words are called @{name}"))?;
            expanded.push_str(&expand(text, words, depth + 1)?);
        } else {
            expanded.push('@');
            expanded.push_str(name);
        }
        rest = behind;
    }
    Ok(expanded + rest)
}

fn category(id: &str) -> Result<&'static str, String> {
    match id.split('.').next() {
        Some("injection") => Ok("PromptInjection"),
        Some("jailbreak") => Ok("Jailbreak"),
        Some("extraction") => Ok("PromptExtraction"),
        Some("secret") => Ok("Secret"),
        Some("pii") => Ok("Pii"),
        Some("exfiltration") => Ok("Exfiltration"),
        Some("web") => Ok("WebPayload"),
        Some("structure") => Ok("Structure"),
        _ => Err("no pack begins this id".into()),
    }
}

/// The roles that a rule judges, as the expression that makes them.
fn roles(rule: &Rule) -> Result<String, String> {
    let Some(names) = &rule.roles else {
        return Ok(format!("Roles::judged_by(Category::{})", category(&rule.id)?));
    };
    let role = |name: &String| match name.as_str() {
        "system" => Ok("Role::System"),
        "user" => Ok("Role::User, Role::Unknown"),
        "assistant" => Ok("Role::Assistant"),
        "tool" => Ok("Role::Tool"),
        "field" => Ok("Role::Field"),
        _ => Err(format!("no role is called {name}")),
    };
    let roles: Vec<_> = names.iter().map(role).collect::<Result<_, _>>()?;
    Ok(format!("Roles::of(&[{}])", roles.join(", ")))
}

fn severity(name: &str) -> Result<&'static str, String> {
    match name {
        "low" => Ok("Low"),
        "medium" => Ok("Medium"),
        "high" => Ok("High"),
        "critical" => Ok("Critical"),
        _ => Err(format!("no severity is called {name}")),
    }
}

/// How many bytes there are, and LZMA without a header, with the parameters that `src/lzma.rs` reads.
fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let options = LzmaOptions { lc: 2, lp: 0, pb: 0, ..LzmaOptions::with_preset(9) };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(bytes)?;
    let mut out = Writer::default();
    out.count(bytes.len());
    out.raw(&writer.finish()?);
    Ok(out.finish())
}

/// Writes what is known of each rule, and what many share as Rust.
fn write(rules: &[Rule], builder: &Builder) -> Result<Generated, Box<dyn Error>> {
    let mut shapes = Vec::new();
    let mut out = Writer::default();
    out.count(rules.len());
    for rule in rules {
        let shape = format!(
            "Shape {{ category: Category::{}, severity: Severity::{}, paranoia: {}, roles: {}, owasp: &{:?}, atlas: &{:?} }}",
            category(&rule.id)?,
            severity(&rule.severity)?,
            rule.paranoia,
            roles(rule)?,
            rule.owasp,
            rule.atlas,
        );
        let number = shapes.iter().position(|known| *known == shape).unwrap_or(shapes.len());
        if number == shapes.len() {
            shapes.push(shape);
        }
        out.count(number);
        out.number(rule.weight.into());
        for text in [&rule.id, &rule.summary] {
            out.count(text.len());
            out.raw(text.as_bytes());
        }
    }
    let rules = out.finish();
    let (packed, sizes) = builder.pack();
    let patterns = compressed(&packed)?;
    let mut source = String::from(
        "#[allow(unused_imports, reason = \"a rule may name its roles\")]\nuse crate::role::Role;\n\
         use crate::{finding::{Category, Severity}, role::Roles};\n",
    );
    writeln!(source, "pub(super) static SHAPES: [super::Shape; {}] = [", shapes.len())?;
    for shape in shapes {
        writeln!(source, "super::{shape},")?;
    }
    writeln!(source, "];")?;
    writeln!(source, "#[cfg(test)]\npub(super) static SIZES: [(&str, usize); {}] = {sizes:?};", sizes.len())?;
    Ok(Generated { source, rules, patterns })
}
