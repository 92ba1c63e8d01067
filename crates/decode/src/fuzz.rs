//! What holds for every body, for fuzzers and for the tests here. Panics when it does not.

use alloc::{string::String, vec::Vec};

use crate::{
    Decoded, Delta, InflateLimits, Input, Limits, Part, Problem, ProblemKind, Protocol, Stream, decode,
    decode_response,
    inflate::{self, inflate},
    json,
    limits::{MAX_MODEL_BYTES, MAX_PLACE_BYTES},
};

/// Paths that promise each protocol, and some that promise none.
const PATHS: [&str; 16] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v2/models/m/infer",
    "/",
    "/v1/models/m:predict",
    "",
    "/v1/responses",
    "/v1/moderations",
    "/v1beta/models/g:generateContent",
    "/api/chat",
    "/api/generate",
    "/model/m/converse",
    "/mcp",
    "/v1beta/models/g:batchEmbedContents?x",
];
const CONTENT_TYPES: [Option<&str>; 8] = [
    Some("application/json"),
    None,
    Some("text/plain"),
    Some("application/x+json; charset=utf-8"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=xyz"),
    Some("application/octet-stream"),
    Some("multipart/form-data; boundary=\"-\""),
];
/// Limits that small bodies reach.
const TIGHT: Limits = Limits {
    max_bytes: 4096,
    max_depth: 8,
    max_nodes: 60,
    max_tensor_values: 40,
    max_parts: 12,
    max_tensors: 3,
    finds_room: Some("max_completion_tokens"),
};

/// Decodes `data` behind its first byte, which chooses the path, the content type and the limits.
pub fn body(data: &[u8]) {
    let Some((&choice, body)) = data.split_first() else { return };
    let choice = usize::from(choice);
    let path = PATHS.get(choice % PATHS.len()).copied().unwrap_or_default();
    let content_type = CONTENT_TYPES.get(choice / PATHS.len() % CONTENT_TYPES.len()).copied().flatten();
    let limits = if choice < 128 { Limits::default() } else { TIGHT };
    let input = Input { protocol: None, path, content_type, body, ..Input::default() };
    match decode(&input, &limits) {
        Ok(decoded) => check(&decoded, body, &limits),
        Err(problem) => refused(&problem, content_type, body),
    }
    // The same bytes as JSON and binary tensors behind it.
    let json = body.iter().rposition(|byte| *byte == b'}').map_or(0, |end| end + 1);
    let tensors = Input { path: "/v2/models/m/infer", inference_header_length: Some(json), ..input };
    match decode(&tensors, &limits) {
        Ok(decoded) => check(&decoded, body, &limits),
        Err(problem) => assert!(problem.at <= body.len(), "{problem} behind the body"),
    }
    // Any JSON gives all its strings, whatever else it might be taken for.
    if let Ok(decoded) = decode(&Input { protocol: Some(Protocol::Json), ..input }, &limits) {
        check(&decoded, body, &limits);
    }
}

/// The encodings to undo.
const ENCODINGS: [&str; 6] = ["gzip", "deflate", "br", "zstd", "gzip, deflate", "deflate, br"];

/// Inflates `data` behind its first byte, which chooses the encoding and the limits: never more than the caps.
pub fn inflated(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let choice = usize::from(choice);
    let encodings = ENCODINGS.get(choice % ENCODINGS.len()).copied().unwrap_or_default();
    let tight = InflateLimits { max_bytes: 5000, max_ratio: 3 };
    let limits = if choice < 128 { InflateLimits::default() } else { tight };
    match inflate(encodings, bytes, &limits) {
        Ok(text) => {
            assert!(text.len() <= limits.max_bytes);
            let grown = bytes.len().saturating_mul(limits.max_ratio).max(inflate::HARMLESS_BYTES);
            assert!(text.len() <= grown || encodings.contains(','), "{} of {}", text.len(), bytes.len());
        }
        Err(problem) => assert!(problem.at <= bytes.len().max(limits.max_bytes), "{problem}"),
    }
}

/// Reads `data` behind its first two bytes as an answer, whole and streamed: cut as the second byte says, a stream gives
/// what it gives in one piece.
pub fn answer(data: &[u8]) {
    let [choice, cut, body @ ..] = data else { return };
    let choice = usize::from(*choice);
    let protocol = Protocol::ALL.get(choice % Protocol::ALL.len()).copied().unwrap_or(Protocol::Json);
    let limits = if choice < 128 { Limits::default() } else { TIGHT };
    let input = Input { protocol: Some(protocol), body, ..Input::default() };
    match decode_response(&input, &limits) {
        Ok(decoded) => check(&decoded, body, &limits),
        Err(problem) => assert!(problem.at <= body.len(), "{problem} behind the body"),
    }
    let (whole, problem) = streamed(protocol, &limits, [body]);
    assert!(problem.is_none_or(|problem| problem.at <= body.len()), "{problem:?} behind the stream");
    let size = usize::from(*cut).max(1);
    let (pieces, again) = streamed(protocol, &limits, body.chunks(size));
    assert_eq!(problem, again, "in chunks of {size}");
    if protocol == Protocol::Text {
        let text = |deltas: &[Delta]| deltas.iter().map(|delta| delta.text.as_str()).collect::<String>();
        assert_eq!(text(&pieces), text(&whole));
    } else {
        assert_eq!(pieces, whole, "in chunks of {size}");
    }
    for delta in &whole {
        let (from, to) = (delta.text.floor_char_boundary(delta.text.len() / 3), delta.text.len());
        let span = delta.stream_span(from..to);
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        let there = body.get(at(span.start)..at(span.end)).and_then(|bytes| core::str::from_utf8(bytes).ok());
        let text = delta.text.get(from..to);
        let escaped = delta.span.end - delta.span.start != to as u64;
        assert!(
            there == text || (escaped && there.map(json::undo).as_deref() == text),
            "{there:?} for {text:?}"
        );
    }
}

fn streamed<'c>(
    protocol: Protocol,
    limits: &Limits,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Vec<Delta>, Option<Problem>) {
    let (mut stream, mut deltas) = (Stream::new(protocol, limits), Vec::new());
    let pushed = chunks.into_iter().try_for_each(|chunk| stream.push(chunk, &mut deltas));
    let ended = pushed.and_then(|()| stream.end(&mut deltas));
    (deltas, ended.err())
}

fn refused(problem: &Problem, content_type: Option<&str>, body: &[u8]) {
    assert!(problem.at <= body.len(), "{problem} behind the body");
    let broken = core::str::from_utf8(body).is_err();
    let other = matches!(problem.kind, ProblemKind::TooLarge | ProblemKind::UnsupportedType);
    let form = content_type.is_some_and(|value| value.contains("form"));
    assert!(broken == (problem.kind == ProblemKind::Encoding) || other || form, "{problem}");
}

fn check(decoded: &Decoded<'_>, body: &[u8], limits: &Limits) {
    assert!(decoded.parts.len() <= limits.max_parts && decoded.tensors.len() <= limits.max_tensors);
    assert!(decoded.facts.model.as_ref().is_none_or(|model| model.len() <= MAX_MODEL_BYTES));
    let mut behind = 0;
    // Places cost a walk each: a sample of them does.
    let stride = 1 + decoded.parts.len() / 64;
    for (nth, part) in decoded.parts.iter().enumerate() {
        let span = part.span();
        assert!(span.start >= behind, "parts overlap or are out of order");
        behind = span.end;
        if nth % stride == 0 {
            check_part(part, body);
        }
    }
    let mut values = 0;
    for tensor in &decoded.tensors {
        assert!(tensor.span.start <= tensor.span.end && tensor.span.end <= body.len());
        let null = tensor.has_null && tensor.values.is_empty();
        assert!(
            null || tensor.shape.iter().product::<usize>() == tensor.values.len(),
            "shape and values differ"
        );
        values += tensor.values.len();
    }
    // Nulls count among the values.
    assert!(values <= limits.max_tensor_values + limits.max_nodes);
}

fn check_part(part: &Part<'_>, body: &[u8]) {
    let (span, length) = (part.span(), part.text.len());
    assert!(length > 0, "an empty part");
    assert_eq!(part.body_span(body, 0..length), span);
    let written = body.get(span.clone()).and_then(|bytes| core::str::from_utf8(bytes).ok());
    assert!(written.is_some(), "a span that is no text");
    let written = written.unwrap_or_default();
    assert_eq!(part.undo(written), part.text);
    // A stretch maps to bytes that stand for just that stretch.
    let (from, to) =
        (part.text.floor_char_boundary(length / 3), part.text.ceil_char_boundary(length - length / 4));
    let stretch = part.body_span(body, from..to);
    assert!(span.start <= stretch.start && stretch.end <= span.end);
    let there = body.get(stretch).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default();
    assert_eq!(Some(&*part.undo(there)), part.text.get(from..to));
    let place = part.place();
    assert!(place.len() <= MAX_PLACE_BYTES + 3, "a place of {} bytes", place.len());
    assert!(place.is_empty() || place.starts_with('/'));
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, vec::Vec};

    use super::{answer, body, inflated};

    /// A small generator of numbers (xorshift64*).
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
        }
    }

    fn seeds() -> Vec<Vec<u8>> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        seeds_in(fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()))
    }

    fn answers() -> Vec<Vec<u8>> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        seeds_in(["answers", "streams", "fixtures/mcp"].map(|folder| tests.join(folder)).into_iter())
    }

    fn seeds_in(folders: impl Iterator<Item = std::path::PathBuf>) -> Vec<Vec<u8>> {
        let files =
            folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|it| it != "snap")).collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    #[test]
    fn what_holds_for_every_body_holds_for_every_fixture_whichever_way_it_is_read() {
        let seeds = seeds();
        assert!(seeds.len() >= 60, "only {} seeds", seeds.len());
        for seed in &seeds {
            for choice in 0..=u8::MAX {
                body(&[&[choice], seed.as_slice()].concat());
            }
        }
    }

    #[test]
    fn what_holds_for_every_answer_holds_for_ours_whole_and_in_chunks() {
        let seeds = answers();
        assert!(seeds.len() >= 25, "only {} seeds", seeds.len());
        for seed in &seeds {
            for choice in 0..=u8::MAX {
                answer(&[&[choice, choice.wrapping_mul(5)], seed.as_slice()].concat());
            }
        }
    }

    /// A seed with some bytes cut, doubled, put in or turned.
    fn broken(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
        let mut data = seeds[dice.roll(seeds.len())].clone();
        data.insert(0, u8::try_from(dice.roll(256)).unwrap());
        for _ in 0..1 + dice.roll(4) {
            let at = 1 + dice.roll(data.len());
            let other = &seeds[dice.roll(seeds.len())];
            let from = dice.roll(other.len());
            match dice.roll(5) {
                0 => data.truncate(at),
                1 => drop(data.splice(at.min(data.len() - 1).., other[from..].iter().copied())),
                2 => data.insert(at.min(data.len()), b"{}[]\",:\\0e-nN \xc3\r\n"[dice.roll(17)]),
                3 if at < data.len() => drop(data.remove(at)),
                _ if at < data.len() => data[at] ^= 1 << dice.roll(8),
                _ => {}
            }
        }
        data
    }

    #[test]
    fn what_holds_for_every_body_answer_and_compressed_body_holds_for_broken_ones() {
        let (bodies, answers) = (seeds(), answers());
        let mut dice = Dice(1);
        for _ in 0..20_000 {
            body(&broken(&bodies, &mut dice));
        }
        let squeezed = seeds_in([Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inflate")].into_iter());
        assert!(squeezed.len() >= 10, "only {} seeds", squeezed.len());
        for _ in 0..10_000 {
            inflated(&broken(&squeezed, &mut dice));
        }
        for _ in 0..10_000 {
            let mut data = broken(&answers, &mut dice);
            data.insert(0, u8::try_from(dice.roll(256)).unwrap());
            answer(&data);
        }
    }
}
