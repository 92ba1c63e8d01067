//! Floods of characters that no language is written with.

use super::rules::{CONTROL, EMOJI, INVISIBLE, MARKS, MIXED, OVERRIDE, PRIVATE, REPLACED, SELECTORS, TAGS};
use crate::detector::Sink;

/// Bytes that are counted together: a flood is told however much ordinary text is around it.
const WINDOW: usize = 2048;

pub(super) fn scan(text: &str, sink: &mut Sink<'_>) {
    let mut start = 0;
    let mut tally = Tally::default();
    while start < text.len() {
        let end = text.ceil_char_boundary(start + WINDOW);
        let window = text.get(start..end).unwrap_or_default();
        // Of plain text nothing is counted but its length.
        tally.window(window);
        tally.report(start..end, sink);
        tally.next();
        start = end;
    }
    let emoji = tally.all_emoji;
    let weight = match emoji {
        4000.. => 850,
        1000.. => 600,
        300.. => 350,
        _ => return,
    };
    if emoji * 3 > tally.all {
        sink.push(EMOJI, weight, 0..text.len());
    }
}

/// The script of a letter, as far as letters of two are taken for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Script {
    #[default]
    None,
    Latin,
    Cyrillic,
    Greek,
}

/// What one window holds.
#[derive(Debug, Default)]
struct Tally {
    characters: u32,
    control: u32,
    /// Marks that stand on two others at least.
    piled: u32,
    invisible: u32,
    tags: u32,
    selectors: u32,
    private: u32,
    replaced: u32,
    mixed: u32,
    overrides: u32,
    right_to_left: bool,
    all: u32,
    all_emoji: u32,
    // Of the character before:
    marks: u32,
    flag: bool,
    script: Script,
    changes: u32,
}

impl Tally {
    fn window(&mut self, window: &str) {
        for c in window.chars() {
            self.characters += 1;
            match c {
                'a'..='z' | 'A'..='Z' => self.letter(Script::Latin),
                '\u{370}'..='\u{3ff}' => self.letter(Script::Greek),
                '\u{400}'..='\u{52f}' => self.letter(Script::Cyrillic),
                ' '..='\u{7e}' | '\t' | '\n' | '\r' | '\u{1b}' | '\u{c}' => self.end(),
                // Those from 0x80 on come of text read in a wrong encoding.
                '\0'..='\u{1f}' | '\u{7f}' => self.control += 1,
                '\u{300}'..='\u{36f}'
                | '\u{1ab0}'..='\u{1aff}'
                | '\u{1dc0}'..='\u{1dff}'
                | '\u{20d0}'..='\u{20ff}' => {
                    self.marks += 1;
                    self.piled += u32::from(self.marks > 2);
                    continue;
                }
                '\u{ad}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{2060}'..='\u{2064}'
                | '\u{206a}'..='\u{206f}'
                | '\u{feff}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{3164}' => {
                    self.invisible += 1;
                }
                '\u{202d}' | '\u{202e}' => self.overrides += 1,
                '\u{590}'..='\u{8ff}' => self.right_to_left = true,
                '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => self.private += 1,
                '\u{fffd}' => self.replaced += 1,
                '\u{e0000}'..='\u{e007f}' => self.tags += u32::from(!self.flag),
                '\u{e0100}'..='\u{e01ef}' => {
                    self.marks += 1;
                    self.selectors += u32::from(self.marks > 1);
                    continue;
                }
                '\u{fe00}'..='\u{fe0e}' => {
                    self.marks += 1;
                    self.selectors += u32::from(self.marks > 1);
                    continue;
                }
                '\u{1f300}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' => self.all_emoji += 1,
                _ => self.end(),
            }
            self.marks = 0;
            // The flags of some regions are spelt in tags behind a black flag.
            self.flag = c == '\u{1f3f4}' || self.flag && matches!(c, '\u{e0000}'..='\u{e007f}');
        }
    }

    fn letter(&mut self, script: Script) {
        if self.script != Script::None && self.script != script {
            self.changes += 1;
            // One change is a compound or a symbol (`USBкабель`, `Δt`), two hide a letter in a word.
            self.mixed += u32::from(self.changes == 2);
        }
        self.script = script;
    }

    fn end(&mut self) {
        self.script = Script::None;
        self.changes = 0;
    }

    fn report(&self, span: core::ops::Range<usize>, sink: &mut Sink<'_>) {
        let share = |count: u32, percent: u32| count * 100 >= self.characters * percent;
        let mut report = |rule, weight| {
            if weight > 0 {
                sink.push(rule, weight, span.clone());
            }
        };
        let graded = |count: u32, steps: [(u32, u32, u16); 2]| {
            let reached =
                steps.into_iter().find(|(least, percent, _)| count >= *least && share(count, *percent));
            reached.map_or(0, |(_, _, weight)| weight)
        };
        report(CONTROL, graded(self.control, [(64, 15, 850), (16, 3, 450)]));
        report(MARKS, graded(self.piled, [(40, 25, 300), (12, 4, 250)]));
        report(INVISIBLE, graded(self.invisible, [(60, 25, 300), (20, 5, 200)]));
        // Hidden in a text that is seen they smuggle; a text of nothing else may say anything.
        let hidden = [(8, 0, 900), (3, 0, 600)];
        report(
            TAGS,
            if share(self.tags, 50) {
                graded(self.tags, [(3, 0, 300); 2])
            } else {
                graded(self.tags, hidden)
            },
        );
        report(SELECTORS, graded(self.selectors, [(8, 0, 900), (4, 0, 500)]));
        report(PRIVATE, graded(self.private, [(200, 50, 400), (40, 20, 250)]));
        report(REPLACED, graded(self.replaced, [(200, 30, 300), (40, 10, 200)]));
        report(MIXED, graded(self.mixed, [(6, 0, 350), (2, 0, 200)]));
        if !self.right_to_left {
            report(OVERRIDE, graded(self.overrides, [(4, 0, 500), (1, 0, 300)]));
        }
    }

    /// Begins the next window.
    fn next(&mut self) {
        *self = Self {
            all: self.all + self.characters,
            all_emoji: self.all_emoji,
            flag: self.flag,
            script: self.script,
            changes: self.changes,
            ..Self::default()
        };
    }
}
