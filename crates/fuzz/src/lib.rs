//! What the fuzz targets check. A body panics when something does not hold that holds for every input.

mod answering;
mod detecting;
mod exchanging;
mod reading;
mod signing;

pub use answering::respond;
pub use detecting::detect;
pub use exchanging::exchange;
pub use reading::{batch, policy};
pub use signing::signature;

/// A request body, its path, content type and limits chosen by the first byte.
pub fn decode(data: &[u8]) {
    decode::fuzz::body(data);
}

/// An answer, whole and streamed; protocol, limits and the size of its chunks chosen by the first two bytes.
pub fn answer(data: &[u8]) {
    decode::fuzz::answer(data);
}

/// A compressed body, its encoding and limits chosen by the first byte.
pub fn inflate(data: &[u8]) {
    decode::fuzz::inflated(data);
}

/// A feed of decisions.
pub fn feed(data: &[u8]) {
    wire::fuzz::feed(data);
}

/// A text, normalised and searched for what is encoded in it.
pub fn normalise(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    normalise::fuzz::normalise(&text);
    normalise::fuzz::decode(&text);
}
