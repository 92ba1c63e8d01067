//! Which parts of a markdown text are code.

use memchr::memchr2;

/// Bytes of inline code.
const LONGEST_INLINE: usize = 512;

/// Tells whether a place is in a fenced block or between backticks (CommonMark 4.5 and 6.1, simplified:
/// any fence of the same kind and at least the same length closes, and inline code is closed on its line,
/// or the backticks stand for themselves).
/// Places must be asked for in rising order; all answers together cost one pass over the text.
#[derive(Debug)]
pub(crate) struct Code<'a> {
    text: &'a [u8],
    at: usize,
    /// The kind and length of the fence that is open.
    fence: Option<(u8, usize)>,
    /// The number of backticks that opened inline code.
    inline: Option<usize>,
    line_start: bool,
}

impl<'a> Code<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, fence: None, inline: None, line_start: true }
    }

    /// Whether the byte at `place` is in code.
    pub(crate) fn holds(&mut self, place: usize) -> bool {
        while self.at < place {
            if self.line_start {
                self.begin_line();
                self.line_start = false;
                continue;
            }
            let rest = self.text.get(self.at..place).unwrap_or_default();
            let Some(step) = memchr2(b'`', b'\n', rest) else {
                self.at = place;
                break;
            };
            self.at += step;
            if self.text.get(self.at) == Some(&b'\n') {
                self.at += 1;
                self.line_start = true;
                self.inline = None;
            } else {
                let run = self.run(b'`');
                self.at += run;
                if self.fence.is_none() {
                    self.inline = match self.inline {
                        Some(open) if open == run => None,
                        Some(open) => Some(open),
                        None => self.closes(run).then_some(run),
                    };
                }
            }
        }
        self.fence.is_some() || self.inline.is_some()
    }

    /// Whether so many backticks follow on this line.
    fn closes(&self, run: usize) -> bool {
        let end = self.at.saturating_add(LONGEST_INLINE).min(self.text.len());
        let rest = self.text.get(self.at..end).unwrap_or_default();
        let mut length = 0;
        for byte in rest {
            match byte {
                b'`' => length += 1,
                b'\n' => break,
                _ if length == run => return true,
                _ => length = 0,
            }
        }
        length == run
    }

    fn run(&self, byte: u8) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        rest.iter().take_while(|other| **other == byte).count()
    }

    /// Steps over the indentation and a fence, if the line is one.
    fn begin_line(&mut self) {
        let indent = self.run(b' ');
        let Some(kind @ (b'`' | b'~')) = self.text.get(self.at + indent).copied() else { return };
        let before = self.at;
        self.at += indent;
        let length = self.run(kind);
        if length < 3 {
            self.at = before + indent;
            return;
        }
        self.at += length;
        self.fence = match self.fence {
            Some((open, least)) if open == kind && length >= least => None,
            Some(open) => Some(open),
            None => Some((kind, length)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    /// The text without its marks, and which of its `^` were in code.
    fn marks(text: &str) -> alloc::vec::Vec<bool> {
        let mut code = Code::new(text.as_bytes());
        text.match_indices('^').map(|(at, _)| code.holds(at)).collect()
    }

    #[test]
    fn fences_and_backticks_are_code_and_the_rest_is_not() {
        for (text, expected) in [
            ("^ a ^", &[false, false][..]),
            ("a `^` ^", &[true, false]),
            ("a ``^ ` ^`` ^", &[true, true, false]),
            ("a ` ^\n^", &[false, false]),
            ("a ` ^ `` ^", &[false, false]),
            ("a `` ^ ` ^ `` ^", &[true, true, false]),
            ("```\n^\n```\n^", &[true, false]),
            ("```html\n^ ``` ^\n```\n^", &[true, true, false]),
            ("~~~\n^\n```\n^\n~~~~\n^", &[true, true, false]),
            ("a\n   ```\n^\n  ```\n^", &[true, false]),
            ("````\n^\n```\n^\n````\n^", &[true, true, false]),
        ] {
            assert_eq!(marks(text), expected, "{text:?}");
        }
    }
}
