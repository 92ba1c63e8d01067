//! The figures of the model card.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use detect::classifier::{HEADS, Head, Model, Scores};

use super::{
    fit::Linear,
    judge::noisy_or,
    quantise::quantise,
    sample::{Class, Text},
    sets::SETS,
};

/// What a score must reach, in thousandths.
const THRESHOLD: u16 = 800;
/// A model that is less sure says nothing (`detect::classifier`).
const FLOOR: u16 = 500;
const BEGIN: &str = "<!-- figures: written by `cargo xtask train` -->";
const END: &str = "<!-- end of figures -->";

/// How many texts there are, and how many each way catches.
#[derive(Clone, Copy, Default)]
struct Counts {
    all: usize,
    model: usize,
    rules: usize,
    both: usize,
}

impl Counts {
    fn row(&self, class: &str, set: &str) -> String {
        #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
        let percent = |part: usize| format!("{:.1}", 100.0 * part as f64 / self.all.max(1) as f64);
        format!(
            "| {class} | {set} | {} | {} | {} | {} |",
            self.all,
            percent(self.model),
            percent(self.rules),
            percent(self.both)
        )
    }

    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.model += other.model;
        self.rules += other.rules;
        self.both += other.both;
    }
}

/// The table by class and set: what the models alone, the rules alone and both together catch, in percent.
pub(super) fn table(
    texts: &[Text],
    scores: &[Scores],
    heads: &[Head; HEADS],
    rules: &[u16],
) -> Result<String> {
    let mut heads = *heads;
    let empty = std::array::from_fn(|_| Linear::zero());
    let links = heads;
    let mut files = quantise(&empty, &mut heads);
    files.numbers = Model::numbers(&links, &[0; detect::classifier::LONGEST + 1]);
    let model = Model::read(&files.weights, &files.numbers).context("the heads cannot be read")?;
    let mut counts: BTreeMap<(Class, usize), Counts> = BTreeMap::new();
    for ((text, scores), rules) in texts.iter().zip(scores).zip(rules) {
        let weight = (0..HEADS).map(|head| model.weight(head, scores)).max().unwrap_or_default();
        let weight = if weight < FLOOR { 0 } else { weight };
        counts.entry((text.class, text.set)).or_default().add(Counts {
            all: 1,
            model: usize::from(weight >= THRESHOLD),
            rules: usize::from(*rules >= THRESHOLD),
            both: usize::from(noisy_or([weight, *rules]) >= THRESHOLD),
        });
    }
    let mut lines = data(texts);
    lines.extend([
        "".to_owned(),
        "| class | set | texts | models % | rules % | both % |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ]);
    for class in Class::ALL {
        let name = format!("{} {}", if class.is_attack() { "attack:" } else { "benign:" }, class.name());
        let (mut whole, mut sets, mut mean) = (Counts::default(), 0_u32, [0.0; 3]);
        for ((_, set), counts) in counts.iter().filter(|((other, _), _)| *other == class) {
            let licence = SETS.get(*set).filter(|set| set.fold.is_none()).map_or("", |_| " (not trained on)");
            let set = SETS.get(*set).map_or("", |set| set.name);
            lines.push(counts.row(&name, &format!("{set}{licence}")));
            whole.add(*counts);
            if counts.all >= 15 {
                sets += 1;
                for (mean, part) in mean.iter_mut().zip([counts.model, counts.rules, counts.both]) {
                    #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
                    let share = 100.0 * part as f64 / counts.all as f64;
                    *mean += share;
                }
            }
        }
        if whole.all > 0 {
            lines.push(whole.row(&name, "**all**"));
            let [model, rules, both] = mean.map(|mean| mean / f64::from(sets.max(1)));
            lines.push(format!("| {name} | **mean of sets** | | {model:.1} | {rules:.1} | {both:.1} |"));
        }
    }
    Ok(lines.join("\n"))
}

/// The sets with their licences.
fn data(texts: &[Text]) -> Vec<String> {
    let mut lines = vec!["| set | texts | licence | trained on |".to_owned(), "|---|---|---|---|".to_owned()];
    for (number, set) in SETS.iter().enumerate() {
        let count = texts.iter().filter(|text| text.set == number).count();
        let trained = set.fold.map_or("no".to_owned(), |fold| format!("yes, fold {fold}"));
        lines.push(format!("| {} | {count} | {} | {trained} |", set.name, set.licence));
    }
    lines
}

/// Puts the table into the card, between its marks.
pub(super) fn update(path: &Path, table: &str) -> Result<()> {
    let card = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let (before, rest) = card.split_once(BEGIN).context("the model card has no place for figures")?;
    let (_, after) = rest.split_once(END).context("the model card's figures have no end")?;
    fs::write(path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    Ok(())
}
