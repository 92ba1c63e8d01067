//! The seal of each line: its number, and an HMAC-SHA256 under a key that is used once.
//!
//! After each line the key goes on to its own hash and is erased, as in Schneier and Kelsey's "Secure audit logs to
//! support computer forensics" (1999) and systemd's sealed journal: whoever takes over the machine cannot forge what
//! was written before. The first key stays with the operator, away from the machine; with it `alert-relay verify` makes
//! all later ones.
//!
//! **On disk.** The state file holds the number and the key of the next line, in one of two places of fixed width. A new
//! state is written into the other place and made durable; then the old place is overwritten. Lines are durable before
//! the state that covers them: what a crash leaves behind the state is cut off and written again.

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// What comes before a key in text.
const PREFIX: &str = "logkey_";
/// Width of a place in the state file.
const SLOT: usize = 160;

/// The key of one line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainKey([u8; 32]);

impl ChainKey {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The next line's.
    pub(super) fn next(self) -> Self {
        Self(Sha256::new().chain_update(b"modelgate log key").chain_update(self.0).finalize().into())
    }

    /// Of a line in a file; the number and the name's length keep the parts apart.
    pub(super) fn mac(self, seq: u64, name: &str, text: &str) -> [u8; 16] {
        let mut out = [0; 16];
        // HMAC takes keys of any length; the Option only spares an unwrap.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            mac.update(&seq.to_be_bytes());
            mac.update(&(name.len() as u64).to_be_bytes());
            mac.update(name.as_bytes());
            mac.update(text.as_bytes());
            let whole: [u8; 32] = mac.finalize().into_bytes().into();
            for (to, from) in out.iter_mut().zip(whole) {
                *to = from;
            }
        }
        out
    }

    /// Reads `logkey_` and 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        unhex(text.trim().strip_prefix(PREFIX)?).map(Self)
    }

    /// What an operator keeps.
    pub(super) fn to_text(self) -> String {
        format!("{PREFIX}{}", hex(&self.0))
    }

    /// Proves that so many lines were written: what a digest mail carries.
    pub(super) fn head(self, next: u64) -> String {
        format!("{next}:{}", hex(&self.mac(next, "", "head")))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != N * 2 || !text.bytes().all(lower) {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(out)
}

/// Where the chain stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// The next line's number; the first is 0.
    pub(super) next: u64,
    /// The next line's key.
    pub(super) key: ChainKey,
    /// When the chain was begun, Unix milliseconds.
    pub(super) since_ms: u64,
}

/// Seals lines.
pub(super) struct Chain {
    path: PathBuf,
    now: State,
    /// What the file holds, and in which place.
    saved: State,
    slot: u64,
}

impl Chain {
    /// The chain of a state file; none if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no state.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let Some((now, slot)) = read(path)? else { return Ok(None) };
        Ok(Some(Self { path: path.to_owned(), now, saved: now, slot }))
    }

    /// Begins a chain with this key.
    ///
    /// # Errors
    /// When there is such a file already, or it cannot be written.
    pub(super) fn create(path: &Path, key: ChainKey, now_ms: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all_at(&[b' '; SLOT * 2], 0)?;
        file.write_all_at(slot(&State { next: 0, key, since_ms: now_ms }).as_bytes(), 0)?;
        file.sync_all()
    }

    /// The number that the next line will have, if all before it are durable.
    pub(super) fn durable(&self) -> u64 {
        self.saved.next
    }

    /// Puts number and seal behind a line with its line end.
    pub(super) fn seal(&mut self, name: &str, line: &mut String) {
        let State { next, key, .. } = self.now;
        while line.ends_with('\n') {
            line.pop();
        }
        let json = line.starts_with('{') && line.ends_with('}');
        if json {
            line.pop();
        }
        let mac = hex(&key.mac(next, name, line));
        // Writing to a string cannot fail.
        let _ = match json {
            true => write!(line, ",\"seq\":{next},\"mac\":\"{mac}\"}}"),
            false => write!(line, " seq={next} mac={mac}"),
        };
        line.push('\n');
        (self.now.next, self.now.key) = (next + 1, key.next());
    }

    /// Makes the state durable; the lines before it are so already.
    pub(super) fn save(&mut self) -> io::Result<()> {
        if self.now == self.saved {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).open(&self.path)?;
        let other = 1 - self.slot;
        file.write_all_at(slot(&self.now).as_bytes(), other * SLOT as u64)?;
        file.sync_data()?;
        // The keys before this one must not stay; until it is durable here, two states are there and the later counts.
        file.write_all_at(&[b' '; SLOT], self.slot * SLOT as u64)?;
        (self.saved, self.slot) = (self.now, other);
        Ok(())
    }

    /// Goes back to what is durable, after lines could not be written.
    pub(super) fn revert(&mut self) {
        self.now = self.saved;
    }
}

/// The state that counts and its place; none if there is no file.
fn read(path: &Path) -> io::Result<Option<(State, u64)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut latest: Option<(State, u64)> = None;
    for at in 0..2 {
        let mut bytes = [0; SLOT];
        if file.read_exact_at(&mut bytes, at * SLOT as u64).is_ok()
            && let Some(state) = parse(&bytes)
            && latest.as_ref().is_none_or(|(known, _)| known.next < state.next)
        {
            latest = Some((state, at));
        }
    }
    match latest {
        Some(latest) => Ok(Some(latest)),
        None => Err(io::Error::other(format!("{} holds no state of a log's chain", path.display()))),
    }
}

/// The state of a file.
///
/// # Errors
/// When the file cannot be read or holds no state.
pub(super) fn state(path: &Path) -> io::Result<Option<State>> {
    Ok(read(path)?.map(|(state, _)| state))
}

/// A place's content: fields, and a piece of their hash against a torn write.
fn slot(state: &State) -> String {
    let fields = format!("v1 {:020} {:020} {}", state.next, state.since_ms, hex(&state.key.0));
    let check = hex(&Sha256::digest(fields.as_bytes())).get(..16).unwrap_or_default().to_owned();
    format!("{:<width$}\n", format!("{fields} {check}"), width = SLOT - 1)
}

fn parse(bytes: &[u8]) -> Option<State> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end();
    let (fields, _) = text.rsplit_once(' ')?;
    let mut words = fields.split(' ');
    if words.next()? != "v1" {
        return None;
    }
    let (next, since_ms) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let key = ChainKey(unhex(words.next()?)?);
    let state = State { next, key, since_ms };
    (slot(&state).trim_end() == text).then_some(state)
}

/// A sealed line taken apart: what the seal covers, its number, its seal.
pub(super) fn unseal(line: &str) -> Option<(&str, u64, [u8; 16])> {
    let number = |text: &str| -> Option<u64> {
        // One way to write each number.
        (text == "0" || !text.starts_with('0')).then_some(())?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    if line.starts_with('{') {
        let rest = line.strip_suffix("\"}")?;
        let (rest, mac) = rest.rsplit_once(",\"mac\":\"")?;
        let (text, seq) = rest.rsplit_once(",\"seq\":")?;
        return Some((text, number(seq)?, unhex(mac)?));
    }
    let (rest, mac) = line.rsplit_once(" mac=")?;
    let (text, seq) = rest.rsplit_once(" seq=")?;
    Some((text, number(seq)?, unhex(mac)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_file_keeps_one_state_and_no_earlier_key() {
        let path = std::env::temp_dir().join(format!("modelgate-chain-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        assert!(Chain::open(&path).unwrap().is_none());
        let first = ChainKey([7; 32]);
        Chain::create(&path, first, 5).unwrap();
        assert!(Chain::create(&path, first, 5).is_err(), "a chain is not begun twice");
        let mut keys = vec![first];
        for n in 0..5 {
            let mut chain = Chain::open(&path).unwrap().unwrap();
            assert_eq!(chain.durable(), n);
            let mut line = "x\n".to_owned();
            chain.seal("f", &mut line);
            assert_eq!(unseal(line.trim_end()), Some(("x", n, keys[0].mac(n, "f", "x"))));
            chain.save().unwrap();
            keys.insert(0, keys[0].next());
            let content = std::fs::read_to_string(&path).unwrap();
            assert!(content.contains(&hex(&keys[0].0)));
            assert!(keys[1..].iter().all(|key| !content.contains(&hex(&key.0))), "an old key is left");
        }
        // A torn write of the next state leaves the last one.
        let mut bytes = std::fs::read(&path).unwrap();
        let free = bytes[..SLOT].iter().all(|byte| *byte == b' ');
        let from = if free { 0 } else { SLOT };
        let torn = slot(&State { next: 6, key: keys[0].next(), since_ms: 5 });
        bytes[from..from + 60].copy_from_slice(&torn.as_bytes()[..60]);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Chain::open(&path).unwrap().unwrap().durable(), 5);
        std::fs::write(&path, "nonsense").unwrap();
        assert!(Chain::open(&path).is_err());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn keys_are_read_back() {
        let key = ChainKey([0xa5; 32]);
        assert!(ChainKey::parse(&key.to_text()) == Some(key));
        for bad in ["", "logkey_", "logkey_00", &key.to_text().to_uppercase(), &format!("{}0", key.to_text())]
        {
            assert!(ChainKey::parse(bad).is_none(), "{bad}");
        }
    }
}
