use super::*;

/// Keys for tests only; nobody publishes them.
const RSA: &str = include_str!("../../../tests/keys/rsa-2048.pem");
const RSA_PKCS1: &str = include_str!("../../../tests/keys/rsa-2048-pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("../../../tests/keys/rsa-2048-public.pem");
const RSA_SHORT: &str = include_str!("../../../tests/keys/rsa-1024.pem");
const P256: &str = include_str!("../../../tests/keys/p256.pem");

/// RFC 8463, appendix A.
const SECRET: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const MESSAGE: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
    \r\n\
    Hi.\r\n\
    \r\n\
    We lost the game.  Are you hungry yet?\r\n\
    \r\n\
    Joe.\r\n";

fn ed25519() -> Key {
    // PKCS#8 of an Ed25519 key (RFC 8410, 7), as tools write it: without the public part.
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [&head[..], &STANDARD.decode(SECRET).unwrap()].concat();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    Key::parse(pem.as_bytes()).unwrap()
}

fn signer(key: Key) -> Signer {
    Signer { domain: "football.example.com".to_owned(), selector: "brisbane".to_owned(), key }
}

#[test]
fn the_example_of_rfc_8463_is_signed_as_there() {
    let (fields, body) = split(MESSAGE.as_bytes());
    let hash = digest::digest(&digest::SHA256, &canonical::body(body));
    assert_eq!(STANDARD.encode(hash), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    let names = ["from", "to", "subject", "date", "message-id", "from", "subject", "date"];
    let own = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n \
               q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject \
               : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
    let signature = ed25519().sign(&to_sign(&fields, &names, own.as_bytes())).unwrap();
    assert_eq!(
        signature,
        "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
    );
    assert_eq!(ed25519().record(), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
}

/// What follows a tag, with the folds taken out.
fn tag<'a>(header: &'a str, name: &str) -> String {
    let (_, value) = header.split_once(&format!("{name}=")).unwrap();
    let value: &'a str = value.split(';').next().unwrap();
    value.split_whitespace().collect()
}

#[test]
fn both_kinds_of_keys_sign_and_their_public_parts_agree() {
    for pem in [RSA, RSA_PKCS1] {
        let key = Key::parse(pem.as_bytes()).unwrap();
        let public: String = RSA_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(key.record(), format!("v=DKIM1; k=rsa; p={public}"), "as openssl writes it");
        let signer = signer(key);
        let header = signer.header(MESSAGE.as_bytes(), 7).unwrap();
        assert!(header.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;"));
        let (fields, _) = split(MESSAGE.as_bytes());
        let value = header.split("\tb=").next().unwrap();
        let data = to_sign(
            &fields,
            &names(&fields),
            format!("{}\tb=", &value["DKIM-Signature:".len()..]).as_bytes(),
        );
        let Key::Rsa(key) = &signer.key else { panic!("an RSA key") };
        let check = ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            key.public().as_ref(),
        );
        let signature = header.split("\tb=").nth(1).unwrap().split_whitespace().collect::<String>();
        check.verify(&data, &STANDARD.decode(signature).unwrap()).unwrap();
    }
}

#[test]
fn headers_are_sealed_against_another_one_and_lines_stay_short() {
    let message = format!("X-Modelgate-Severity: high\r\nReceived: from x\r\n{MESSAGE}");
    let header = signer(ed25519()).header(message.as_bytes(), 1_528_637_909).unwrap();
    let named = tag(&header, "\th");
    let count = |name: &str| named.split(':').filter(|named| *named == name).count();
    for name in ["From", "To", "Subject", "Date", "Message-ID"] {
        assert_eq!(count(name), 2, "{named}");
    }
    for (name, times) in
        [("Cc", 1), ("Reply-To", 1), ("X-Modelgate-Severity", 1), ("Received", 0), ("Sender", 0)]
    {
        assert_eq!(count(name), times, "{name} in {named}");
    }
    assert!(!header.contains(" l="), "the whole body is signed");
    assert_eq!(tag(&header, " t"), "1528637909");
    assert!(header.ends_with("\r\n") && header.is_ascii());
    for (at, line) in header.trim_end().split("\r\n").enumerate() {
        assert!(line.len() <= 78, "{line}");
        assert!(at == 0 || line.starts_with('\t'), "{line}");
    }
}

#[test]
fn a_signature_is_for_one_message_and_its_time() {
    let signer = signer(ed25519());
    let header = |message: &str, at_s| signer.header(message.as_bytes(), at_s).unwrap();
    let first = header(MESSAGE, 7);
    assert_eq!(first, header(MESSAGE, 7));
    let spaced = MESSAGE.replace("Subject: ", "subject:\t ").replace("yet?\r\n", "yet? \r\n") + "\r\n";
    assert_eq!(first, header(&spaced, 7), "what may change on the way does not count");
    for other in [MESSAGE.replace("hungry", "Hungry"), MESSAGE.replace("ready", "Ready")] {
        assert_ne!(first, header(&other, 7));
    }
    assert_ne!(first, header(MESSAGE, 8));
    let message = sign(&[signer], MESSAGE.as_bytes().to_vec(), 7).unwrap();
    assert_eq!(String::from_utf8(message).unwrap(), format!("{first}{MESSAGE}"));
    assert_eq!(sign(&[], MESSAGE.as_bytes().to_vec(), 7).unwrap(), MESSAGE.as_bytes());
}

#[test]
fn a_file_that_is_no_key_is_refused_in_plain_words() {
    let broken = RSA.replacen("MII", "MIJ", 1);
    let table = [
        (String::new(), "is empty"),
        ("\n \n".to_owned(), "is empty"),
        ("hunter2".to_owned(), "holds no private key"),
        (RSA_PUBLIC.to_owned(), "is a public key"),
        (RSA_SHORT.to_owned(), "less than 2048 bits"),
        (P256.to_owned(), "elliptic curves other than Ed25519"),
        (broken, "can be used"),
        (RSA.replace("PRIVATE", "ENCRYPTED PRIVATE"), "is encrypted"),
        (RSA.replace("-----END", "-----FIN"), "holds no private key"),
    ];
    for (pem, wanted) in &table {
        let Err(says) = Key::parse(pem.as_bytes()) else { panic!("{wanted}: taken") };
        assert!(says.contains(wanted), "{wanted}: {says}");
        assert!(!says.contains("hunter2") && !says.contains("MII"), "nothing of the file: {says}");
    }
    let folder = std::env::temp_dir().join(format!("modelgate-dkim-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let huge = folder.join("huge.pem");
    std::fs::write(&huge, format!("{RSA}{}", "\n".repeat(70_000))).unwrap();
    for (path, wanted) in [
        (huge.as_path(), "is larger than 65536 bytes"),
        (folder.as_path(), "cannot read"),
        (&folder.join("none.pem"), "cannot read"),
        // Without an end: read no further than the limit.
        (Path::new("/dev/zero"), "is larger than 65536 bytes"),
    ] {
        let says = Signer::new("example.org", "relay", path).unwrap_err();
        assert!(says.starts_with("key_file: ") && says.contains(wanted), "{says}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn names_that_dns_does_not_have_are_refused_and_records_fit_into_it() {
    let folder = std::env::temp_dir();
    for name in ["", "a..b", ".", "ex ample.org", "bücher.example", "a;b=c", &"x".repeat(64), "a\r\nb"] {
        assert!(Signer::new(name, "relay", &folder).unwrap_err().starts_with("domain: "), "{name:?}");
        assert!(Signer::new("a.org", name, &folder).unwrap_err().starts_with("selector: "), "{name:?}");
    }
    let signer = signer(Key::parse(RSA.as_bytes()).unwrap());
    let line = signer.record();
    assert!(line.starts_with("brisbane._domainkey.football.example.com. 3600 IN TXT ( \"v=DKIM1; k=rsa; p="));
    let strings: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    assert_eq!(strings.len(), 2);
    assert!(strings.iter().all(|string| string.len() <= 255));
    assert_eq!(strings.concat(), signer.key.record());
    assert_eq!(format!("{signer:?}"), "Signer(rsa-sha256 at brisbane._domainkey.football.example.com)");
}
