//! Signatures of callouts.

use wire::signature::{Key, Rejected, TOLERANCE_SECONDS, verify};

const NOW: u64 = 1_790_000_000;

fn key(byte: u8) -> Key {
    // 32 equal bytes in base64.
    let text = [
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
    ];
    Key::parse(text[usize::from(byte % 2)]).expect("a key")
}

/// A message in lines (id, timestamp, signatures, body): nothing that was not signed is accepted; what was signed is,
/// and is not once a bit of it is another.
pub(crate) fn signature(data: &[u8]) {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (id, timestamp, signatures, body) = (line(), line(), line(), line());
    wire::fuzz::signature(data);
    let (id, timestamp) = (String::from_utf8_lossy(id), String::from_utf8_lossy(timestamp));
    let signatures = String::from_utf8_lossy(signatures);
    let keys = [key(0), key(1)];
    assert!(verify(&keys, NOW, &id, &timestamp, &signatures, body).is_err(), "a forged signature");
    let _ = Key::parse(&signatures);

    let signed = key(1).sign(&id, NOW, body);
    let check = |id: &str, now: u64, body: &[u8]| verify(&keys, now, id, &NOW.to_string(), &signed, body);
    if id.is_empty() || id.len() > 256 || id.contains('.') {
        assert!(matches!(check(&id, NOW, body), Err(Rejected::Header { .. })));
        return;
    }
    assert_eq!(check(&id, NOW, body), Ok(()));
    assert_eq!(check(&id, NOW + TOLERANCE_SECONDS + 1, body), Err(Rejected::Timestamp));
    assert!(check(&format!("{id}x"), NOW, body).is_err());
    assert_eq!(verify(&keys[..1], NOW, &id, &NOW.to_string(), &signed, body), Err(Rejected::Signature));
    let mut other = body.to_vec();
    match other.first_mut() {
        Some(byte) => *byte ^= 1,
        None => other.push(0),
    }
    assert_eq!(check(&id, NOW, &other), Err(Rejected::Signature));
}

/// Seeds.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let signed = key(1).sign("msg_1", NOW, b"another body");
    Vec::from([
        format!("msg_1\n{NOW}\n{signed}\nbody").into_bytes(),
        format!("msg_1\n{NOW}\nv1,AAAA v1a,BBBB {signed}\n{{\"v\":1}}").into_bytes(),
        b"msg.1\n-1\nwhsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".to_vec(),
    ])
}
