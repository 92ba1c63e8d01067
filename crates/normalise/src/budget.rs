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
    /// Bytes of stretches that may still be tried for tricks of writing, in a text and all that is read out of it; none is
    /// granted yet before the first text.
    tried: Option<usize>,
    /// Times that the list of words may still be gone through.
    lists: u8,
    /// What was taken: steps, and bytes of stretches that were tried.
    taken: [usize; 2],
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
    const READINGS: usize = 2;

    /// A budget of so many bytes and views.
    #[must_use]
    pub const fn new(bytes: usize, views: usize) -> Self {
        Self { bytes, views, steps: 0, tried: None, lists: Self::LISTS, taken: [0; 2], exhausted: false }
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
        if self.tried.is_none() {
            self.tried = Some(bytes.saturating_mul(2).saturating_add(Self::TRIED_ANYWAY));
        }
    }

    /// Bytes beside twice its length that are tried of a text and all that is read out of it. Each stretch of
    /// a text is tried once, and what is read out of one is a text as others are, unless several tricks were played on it.
    const TRIED_ANYWAY: usize = 1024;

    /// Takes a stretch of so many bytes to be tried: how many of them may be.
    pub(crate) const fn try_stretch(&mut self, bytes: usize) -> usize {
        let Some(left) = self.tried else { return bytes };
        let taken = if bytes < left { bytes } else { left };
        self.tried = Some(left - taken);
        self.taken[1] = self.taken[1].saturating_add(taken);
        self.exhausted |= taken < bytes;
        taken
    }

    /// Takes the steps for looking at so many bytes, or says that there are no more.
    pub(crate) const fn step(&mut self, bytes: usize) -> bool {
        match self.steps.checked_sub(bytes) {
            Some(left) => {
                self.steps = left;
                self.taken[0] = self.taken[0].saturating_add(bytes);
                true
            }
            None => {
                self.exhausted = true;
                false
            }
        }
    }

    /// What was taken so far: bytes that were looked at closely, and bytes of stretches that were tried for tricks of
    /// writing, in a text and all that was read out of it.
    #[must_use]
    pub const fn taken(&self) -> [usize; 2] {
        self.taken
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
