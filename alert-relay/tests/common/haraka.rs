//! A whole mail server (Haraka) with an authority of its own, and what holds its mail to the letter.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::Value;

use super::{Scratch, files};

/// Where `cargo xtask test` says the packages are.
const VARIABLE: &str = "ALERT_RELAY_TEST_MAIL";
/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);

/// How clients are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// STARTTLS, and only then a user name and a password.
    StartTls,
    /// TLS at once, with a certificate of the authority or not at all.
    Certificate,
}

/// A server at work; it ends with this.
pub(crate) struct Haraka {
    child: Child,
    folder: PathBuf,
    door: Door,
    pub(crate) port: u16,
}

impl Drop for Haraka {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn packages() -> PathBuf {
    PathBuf::from(std::env::var_os(VARIABLE).unwrap_or_else(|| panic!("{VARIABLE}: see cargo xtask test")))
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/smtp")
}

/// An authority, and certificates of it: for the server, and for a client that it lets in. In `folder`: `ca.pem`,
/// `tls_cert.pem`, `tls_key.pem`, `client.pem`, `client.key`.
fn certificates(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    authority.distinguished_name.push(DnType::CommonName, "tests");
    fs::write(folder.join("ca.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let authority = Issuer::new(authority, key);
    for (name, usage, certificate, secret) in [
        ("localhost", ExtendedKeyUsagePurpose::ServerAuth, "tls_cert.pem", "tls_key.pem"),
        ("relay.test", ExtendedKeyUsagePurpose::ClientAuth, "client.pem", "client.key"),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        fs::write(folder.join(certificate), params.signed_by(&key, &authority).unwrap().pem()).unwrap();
        fs::write(folder.join(secret), key.serialize_pem()).unwrap();
    }
}

impl Haraka {
    /// Starts one, and waits until it answers.
    pub(crate) fn start(scratch: &Scratch, door: Door) -> Self {
        let folder = scratch.join("haraka");
        let (config, plugins) = (folder.join("config"), folder.join("plugins"));
        for folder in [&config, &plugins, &folder.join("queue"), &folder.join("mail")] {
            fs::create_dir_all(folder).unwrap();
        }
        certificates(&config);
        fs::copy(tests().join("haraka/keep.js"), plugins.join("keep.js")).unwrap();
        let package = packages().join("node_modules/Haraka");
        fs::copy(package.join("config/connection.ini"), config.join("connection.ini")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (smtp, tls) = match door {
            Door::StartTls => (String::new(), ""),
            Door::Certificate => {
                (format!("smtps_port={port}\n"), "ca=ca.pem\nrequestCert=true\nrejectUnauthorized=true\n")
            }
        };
        let rejects =
            ["duplicate_singular", "missing_required", "invalid_return_path", "invalid_date", "from_phish"];
        let rejects: String = rejects.iter().map(|check| format!("{check}=true\n")).collect();
        for (name, text) in [
            ("smtp.ini", format!("listen=127.0.0.1:{port}\n{smtp}")),
            ("tls.ini", tls.to_owned()),
            (
                "auth_flat_file.ini",
                "[core]\nmethods=PLAIN,LOGIN\nconstrain_sender=false\n[users]\nrelay=s3cret\n".to_owned(),
            ),
            ("plugins", "tls\nauth/flat_file\nheaders\nrcpt_to.in_host_list\nkeep\n".to_owned()),
            ("host_list", "example.org\n".to_owned()),
            ("me", "mx.test\n".to_owned()),
            ("headers.ini", format!("required=From,Date,To,Subject,Message-ID\n[reject]\n{rejects}")),
            // Nobody uses it, and making one takes long.
            ("dhparams.pem", DH_PARAMETERS.to_owned()),
        ] {
            fs::write(config.join(name), text).unwrap();
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new("node")
            .arg(package.join("bin/haraka"))
            .arg("-c")
            .arg(&folder)
            .env("KEEP", folder.join("mail"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { child, folder, door, port };
        server.until_ready();
        server
    }

    fn until_ready(&mut self) {
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", self.log());
            assert!(begun.elapsed() < START, "it does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it wrote to its operator.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The `[smtp]` table of a relay that it lets in, and what else belongs to mail.
    pub(crate) fn toml(&self, mail: &str) -> String {
        let config = self.folder.join("config");
        let file = |name: &str| format!("{:?}", config.join(name).to_str().unwrap());
        let door = match self.door {
            Door::StartTls => "tls = \"starttls\"\nusername = \"relay\"\npassword = \"s3cret\"\n".to_owned(),
            Door::Certificate => format!(
                "tls = \"implicit\"\ncertificate_file = {}\nkey_file = {}\n",
                file("client.pem"),
                file("client.key")
            ),
        };
        format!(
            "[smtp]\nserver = \"localhost\"\nport = {}\nca_file = {}\n{door}{mail}",
            self.port,
            file("ca.pem")
        )
    }

    /// The messages it took, the earliest first.
    pub(crate) fn mails(&self) -> Vec<PathBuf> {
        let mut files = files(&self.folder.join("mail"));
        files.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
        files
    }

    /// How a message came.
    pub(crate) fn how(mail: &Path) -> Value {
        serde_json::from_slice(&fs::read(mail.with_extension("json")).unwrap()).unwrap()
    }
}

/// What a strict reader makes of messages, or what is wrong with them.
pub(crate) fn read_strictly(mails: &[PathBuf]) -> Result<Vec<Value>, String> {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python).arg(tests().join("strict.py")).args(mails).output().unwrap();
    told(&output)
}

/// What a checker of DKIM says of each signature of a message, with these records in DNS.
pub(crate) fn signatures(mail: &Path, zone: &Path) -> Vec<Value> {
    let mut command = Command::new("node");
    command.arg(tests().join("dkim.mjs")).args([mail, zone]).env("NODE_FOLDER", packages());
    told(&command.output().unwrap()).unwrap()
}

fn told(output: &Output) -> Result<Vec<Value>, String> {
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// ffdhe2048 (RFC 7919).
const DH_PARAMETERS: &str = "-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
";
