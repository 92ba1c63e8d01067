//! How much may be decoded.

/// What is left to spend on decoding one text. Decoding shrinks what it reads, yet views are decoded
/// again, and each is scanned: without a bound, a small text could ask for much work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes that views may still take.
    pub bytes: usize,
    /// Views that may still be made.
    pub views: usize,
    /// Bytes that may still be looked at closely for views; granted anew with each text.
    steps: usize,
    /// Times that the list of words may still be gone through.
    lists: u8,
    /// Set when something was left out for want of budget.
    pub exhausted: bool,
}

impl Budget {
    /// A quarter of a million decoded bytes: far more than a prompt hides, little enough to scan.
    pub const BYTES: usize = 256 * 1024;
    /// As many views as a long document full of encoded snippets has.
    pub const VIEWS: usize = 128;

    /// The bytes of views that are enough for a text of so many: a few readings of all of it. Keeps what a text costs in
    /// proportion to its length.
    #[must_use]
    pub const fn bytes_for(text: usize) -> usize {
        text.saturating_mul(Self::READINGS).saturating_add(Self::STEPS_ANYWAY)
    }

    /// Times its own length that the views of a text may have.
    const READINGS: usize = 3;

    /// A budget of so many bytes and views.
    #[must_use]
    pub const fn new(bytes: usize, views: usize) -> Self {
        Self { bytes, views, steps: 0, lists: Self::LISTS, exhausted: false }
    }

    /// Times that the list of words is gone through for one text and all that is decoded from it: some 100,000
    /// instructions each.
    const LISTS: u8 = 2;

    /// Steps granted for each byte of a text. Ordinary text takes less than one.
    const STEPS_A_BYTE: usize = 5;
    /// And for any text.
    const STEPS_ANYWAY: usize = 1024;

    /// Grants the steps for a text of so many bytes.
    pub(crate) const fn grant(&mut self, bytes: usize) {
        self.steps = bytes.saturating_mul(Self::STEPS_A_BYTE).saturating_add(Self::STEPS_ANYWAY);
    }

    /// Takes the steps for looking at so many bytes, or says that there are no more.
    pub(crate) const fn step(&mut self, bytes: usize) -> bool {
        match self.steps.checked_sub(bytes) {
            Some(left) => {
                self.steps = left;
                true
            }
            None => {
                self.exhausted = true;
                false
            }
        }
    }

    /// Takes a walk through the list of words, or says that there were enough.
    pub(crate) const fn list(&mut self) -> bool {
        match self.lists.checked_sub(1) {
            Some(left) => {
                self.lists = left;
                true
            }
            None => {
                self.exhausted = true;
                false
            }
        }
    }

    /// Takes a view of `bytes` bytes, or says that it is too much.
    pub(crate) const fn take(&mut self, bytes: usize) -> bool {
        match (self.bytes.checked_sub(bytes), self.views.checked_sub(1)) {
            (Some(left), Some(views)) => {
                self.bytes = left;
                self.views = views;
                true
            }
            _ => {
                self.exhausted = true;
                false
            }
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::BYTES, Self::VIEWS)
    }
}
