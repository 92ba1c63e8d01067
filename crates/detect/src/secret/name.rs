//! What a name says about its value.

/// Bytes of a name that are read.
const NAME: usize = 64;

/// What a value with a name would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key, a token, a secret.
    Key,
    /// A key of something: perhaps of a table.
    Weak,
    Password,
    Other,
}

/// A name in small letters without what joins its words.
#[derive(Debug)]
pub(super) struct Name {
    bytes: [u8; NAME],
    len: usize,
    /// Where its last word begins.
    last: usize,
}

impl Name {
    /// The name before a sign: `name =`, `"name":`, `name: Type =`, `["name"] =`, `<name>`; before
    /// `value=` and the like, the quoted text before.
    pub(super) fn before(bytes: &[u8], sign: usize) -> Option<Self> {
        let (start, end) = Self::span(bytes, sign)?;
        let name = Self::fold(bytes.get(start..end)?);
        if !matches!(
            name.text(),
            b"value" | b"default" | b"content" | b"val" | b"secretvalue" | b"defaultvalue" | b"data"
        ) {
            return Some(name);
        }
        let from = start.saturating_sub(80);
        let behind = bytes.get(from..start)?;
        let end = behind.iter().rposition(|byte| byte.is_ascii_alphanumeric())? + 1;
        // The word before may be `value`'s own mark, such as the dash of a list.
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let length = behind.get(..end)?.iter().rev().take_while(|byte| is_part(byte)).count();
        Some(Self::fold(behind.get(end - length..end)?))
    }

    fn span(bytes: &[u8], sign: usize) -> Option<(usize, usize)> {
        let before = bytes.get(sign.saturating_sub(NAME)..sign)?;
        let offset = sign - before.len();
        let skip = |byte: &u8| {
            matches!(
                byte,
                b' ' | b'\t' | b'"' | b'\'' | b'`' | b']' | b')' | b'\\' | b':' | b'*' | b'?' | b'='
            )
        };
        let end = before.len() - before.iter().rev().take_while(|byte| skip(byte)).count();
        // A space belongs to a name in prose: `API key: …`.
        let is_part = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ') || *byte >= 0x80
        };
        let name = before.get(..end)?;
        let start = end - name.iter().rev().take_while(|byte| is_part(byte)).count();
        (start < end).then_some((offset + start, offset + end))
    }

    /// The kind that the words before a value announce: `the password is …`, `token for the box: …`.
    pub(super) fn spoken(bytes: &[u8], start: usize) -> Option<Kind> {
        let before = bytes.get(start.saturating_sub(NAME)..start)?;
        let end = before.len()
            - before
                .iter()
                .rev()
                .take_while(|byte| matches!(byte, b' ' | b'"' | b'\'' | b'`' | b'*'))
                .count();
        if end == before.len() {
            return None;
        }
        let sentence = before.get(..end)?;
        let from = sentence
            .iter()
            .rposition(|byte| matches!(byte, b'.' | b'!' | b'?' | b'\n' | b';'))
            .map_or(0, |at| at + 1);
        let mut words = sentence.get(from..)?.rsplit(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let copula = words.next()?;
        // A line of `.netrc`: machine … login … password ….
        if copula == b"password" && sentence.windows(7).any(|part| part == b" login ") {
            return Some(Kind::Password);
        }
        let copulas = [
            "is",
            "ist",
            "es",
            "est",
            "era",
            "was",
            "lautet",
            "to",
            "als",
            "war",
            "é",
            "è",
            "являе",
            "это",
            "as",
            "jest",
            "är",
            "er",
            "on",
        ];
        if !copulas.iter().any(|known| copula.eq_ignore_ascii_case(known.as_bytes())) {
            return None;
        }
        for word in words.take(3) {
            let name = Self::fold(word);
            match name.kind() {
                kind @ (Kind::Password | Kind::Key) => return Some(kind),
                Kind::Weak => return Some(Kind::Key),
                Kind::Other => {}
            }
        }
        None
    }

    /// The name that stands as an argument before a value: `("name", "value")`.
    pub(super) fn argument(bytes: &[u8], start: usize) -> Option<Self> {
        let before = bytes.get(start.saturating_sub(NAME)..start)?;
        let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'"))?;
        let before = before.trim_ascii_end().strip_suffix(b",")?.trim_ascii_end();
        let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'"))?;
        let length = before
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            .count();
        (length > 0).then(|| before.get(before.len() - length..).map(Self::fold))?
    }

    fn fold(name: &[u8]) -> Self {
        let mut folded = Self { bytes: [0; NAME], len: 0, last: 0 };
        let (mut before, mut joined) = (0u8, false);
        for byte in name {
            let is_word = byte.is_ascii_alphanumeric() || *byte >= 0x80;
            if !is_word {
                joined = true;
                continue;
            }
            if joined || before.is_ascii_lowercase() && byte.is_ascii_uppercase() {
                folded.last = folded.len;
            }
            if let Some(place) = folded.bytes.get_mut(folded.len) {
                *place = byte.to_ascii_lowercase();
                folded.len += 1;
            }
            (before, joined) = (*byte, false);
        }
        folded
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn last(&self) -> &[u8] {
        self.bytes.get(self.last..self.len).unwrap_or_default()
    }

    fn contains(&self, part: &str) -> bool {
        self.text().windows(part.len()).any(|window| window == part.as_bytes())
    }

    /// Whether a service's name is in it.
    pub(super) fn speaks_of(&self, service: &str) -> bool {
        self.contains(service)
    }

    /// Whether it is the service's key that it names: by a word for one, or by nothing but the service.
    pub(super) fn is_of_a_key(&self, service: &str) -> bool {
        let words = [
            "key", "token", "secret", "auth", "pass", "pwd", "cred", "api", "access", "client", "pat",
            "license", "dsn",
        ];
        // Some services' own words for a key end in `id`.
        if Self::NEVER.contains(&self.last()) && !matches!(self.last(), b"id" | b"ids") {
            return false;
        }
        self.text() == service.as_bytes()
            || words.iter().any(|word| self.contains(word)) && !self.is_public()
            || self.last() == service.as_bytes()
    }

    pub(super) fn is_authorization(&self) -> bool {
        self.contains("authorization")
            || self.contains("auth")
            || self.contains("header")
            || self.contains("token")
    }

    /// Last words of names whose values are no credentials.
    const NEVER: &[&[u8]] = &[
        b"id",
        b"ids",
        b"name",
        b"url",
        b"uri",
        b"path",
        b"file",
        b"dir",
        b"type",
        b"len",
        b"length",
        b"size",
        b"count",
        b"field",
        b"format",
        b"version",
        b"policy",
        b"public",
        b"hash",
        b"digest",
        b"checksum",
        b"sum",
        b"md5",
        b"sha",
        b"sha1",
        b"sha256",
        b"etag",
        b"commit",
        b"revision",
        b"expires",
        b"expiry",
        b"ttl",
        b"label",
        b"title",
        b"class",
        b"prefix",
        b"suffix",
        b"pattern",
        b"regex",
        b"index",
        b"column",
        b"table",
        b"host",
        b"endpoint",
        b"region",
        b"zone",
        b"vault",
        b"store",
        b"manager",
        b"provider",
        b"service",
        b"source",
        b"alias",
        b"mode",
        b"algorithm",
        b"alg",
        b"timeout",
        b"limit",
        b"used",
        b"usage",
        b"tokens",
        b"at",
        b"date",
        b"time",
        b"error",
        b"message",
        b"description",
        b"hint",
        b"rules",
        b"requirements",
        b"selector",
        b"arn",
        b"address",
        b"with",
        b"fingerprint",
    ];

    /// Kubernetes' own fields.
    pub(super) fn is_metadata(&self) -> bool {
        matches!(
            self.last(),
            b"version"
                | b"kind"
                | b"name"
                | b"namespace"
                | b"type"
                | b"uid"
                | b"timestamp"
                | b"labels"
                | b"annotations"
                | b"hash"
                | b"image"
        )
    }

    fn is_public(&self) -> bool {
        const WORDS: &[&str] = &[
            "public",
            "pubkey",
            "verify",
            "verification",
            "sitekey",
            "sealed",
            "csrf",
            "xsrf",
            "keyboard",
            "keyword",
            "integrity",
            "checksum",
            "sha256",
            "md5",
            "cachekey",
            "objectkey",
            "s3key",
            "policyarn",
        ];
        WORDS.iter().any(|word| self.contains(word))
    }

    pub(super) fn kind(&self) -> Kind {
        const PASSWORDS: &[&str] = &[
            "password",
            "passwd",
            "passphrase",
            "passcode",
            "passwort",
            "kennwort",
            "contraseña",
            "contrasena",
            "senha",
            "motdepasse",
            "wachtwoord",
            "hasło",
            "haslo",
            "lösenord",
            "losenord",
            "passord",
            "adgangskode",
            "salasana",
            "heslo",
            "parola",
            "jelszó",
            "şifre",
            "sifre",
            "пароль",
            "пароля",
            "密码",
            "密碼",
            "口令",
            "パスワード",
            "비밀번호",
            "รหัสผ่าน",
            "kata sandi",
            "sandi",
            "mật khẩu",
            "كلمة المرور",
            "סיסמה",
            "पासवर्ड",
        ];
        const KEYS: &[&str] = &[
            "apikey",
            "apitoken",
            "apisecret",
            "secret",
            "token",
            "credential",
            "accesskey",
            "privatekey",
            "clientkey",
            "signingkey",
            "encryptionkey",
            "masterkey",
            "sharedkey",
            "accountkey",
            "storagekey",
            "licensekey",
            "licencekey",
            "sessionkey",
            "authkey",
            "bearer",
            "oauth",
            "authorization",
            "userauth",
            "appkey",
            "serverkey",
            "servicekey",
            "adminkey",
            "deploykey",
            "integrationkey",
            "writekey",
            "subscriptionkey",
            "functionskey",
            "connectionkey",
            "consumerkey",
            "applicationkey",
            "hmackey",
            "jwtkey",
            "cookiekey",
            "sessionid",
            "api密钥",
            "密钥",
            "令牌",
            "clave",
            "schlüssel",
            "ключ",
            "токен",
        ];
        if self.is_public() || Self::NEVER.contains(&self.last()) {
            return Kind::Other;
        }
        let any = |words: &[&str]| words.iter().any(|word| self.contains(word));
        if any(PASSWORDS)
            || matches!(self.last(), b"pass" | b"pwd" | b"pw" | b"pswd" | b"mdp" | b"pin")
            || self.text().ends_with(b"pwd")
            || self.text().ends_with(b"dbpass")
        {
            return Kind::Password;
        }
        if any(KEYS)
            || matches!(self.last(), b"auth" | b"pat" | b"jwt" | b"apikey" | b"webhook" | b"creds" | b"cred")
        {
            return Kind::Key;
        }
        if matches!(self.last(), b"key" | b"keys" | b"api" | b"access" | b"session" | b"cookie" | b"code") {
            Kind::Weak
        } else {
            Kind::Other
        }
    }
}
