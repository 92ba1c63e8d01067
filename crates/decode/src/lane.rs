//! Which of an answer's texts a part or delta belongs to.

/// What kind of text it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// What the model says.
    #[default]
    Text,
    /// What it thinks aloud.
    Thought,
    /// Why it refuses.
    Refusal,
    /// The arguments of a call.
    Call,
    /// A name or an identifier; complete in itself.
    Field,
    /// What is neither the model's word nor its call: results of tools, citations, what is echoed of the request, errors.
    Other,
}

/// One of the texts that an answer is made of. Deltas of one lane continue each other, but for those of
/// [`Channel::Field`] and [`Channel::Other`], each of which is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The choice or candidate; of OpenAI's responses, the item of the output.
    pub choice: u32,
    /// The block of content, or the call, within it.
    pub block: u32,
    /// What kind of text it is.
    pub channel: Channel,
}
