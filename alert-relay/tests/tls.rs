//! HTTPS, and clients that show a certificate instead of signing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use common::{
    KEY, Scratch,
    client::{Signed, batch},
    event, now_ms, start,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, PEM.
fn issued(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, by).unwrap().pem(), key.serialize_pem())
}

/// Writes what the relay needs; its settings.
fn settings(scratch: &Scratch, server: &Authority, clients: &Authority) -> &'static str {
    renew(scratch, server);
    fs::write(scratch.join("clients.pem"), clients.pem()).unwrap();
    "[tls]\ncertificate_file = \"relay.pem\"\nkey_file = \"relay.key\"\nclient_ca_file = \"clients.pem\"\n"
}

fn renew(scratch: &Scratch, server: &Authority) {
    let (certificate, key) = issued(server, "localhost");
    fs::write(scratch.join("relay.pem"), certificate).unwrap();
    fs::write(scratch.join("relay.key"), key).unwrap();
}

/// One request over TLS: status, or why there is none.
async fn send(
    address: SocketAddr,
    trusted: &Authority,
    shown: Option<(String, String)>,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<u16, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream =
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| e.to_string())?;
    let mut head = "POST /v1/events HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n".to_owned();
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(&[head.as_bytes(), body].concat()).await.map_err(|e| e.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|e| e.to_string())?;
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(format!("no status: {answer:?}"))
}

#[tokio::test]
async fn who_shows_a_certificate_of_the_authority_need_not_sign() {
    let scratch = Scratch::new();
    let (server, clients, strangers) = (authority(), authority(), authority());
    let relay = start(&scratch, settings(&scratch, &server, &clients)).await;
    let address = relay.address();
    let body = || batch(&[event("203.0.113.1", "high")]);
    let known = Some(issued(&clients, "filter"));
    assert_eq!(send(address, &server, known, &[], &body()).await, Ok(202), "known by its certificate");
    assert_eq!(
        send(address, &server, None, &[], &body()).await,
        Ok(401),
        "neither certificate nor signature"
    );
    let signed_body = body();
    let signed = Signed::new(KEY, &signed_body, now_ms() / 1000);
    assert_eq!(send(address, &server, None, &signed.headers(), &signed_body).await, Ok(202), "signed");
    let stranger = send(address, &server, Some(issued(&strangers, "filter")), &[], &body()).await;
    assert!(stranger.is_err(), "of another authority: {stranger:?}");
    let elsewhere = send(address, &strangers, None, &[], &body()).await;
    assert!(elsewhere.is_err(), "the client checks the relay too: {elsewhere:?}");
    // In the clear there is no answer, and nothing waits for it.
    let plain = common::client::exchange(address, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(plain.is_none(), "{plain:?}");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 2);
    relay.shut_down().await;
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let scratch = Scratch::new();
    let (old, new, clients) = (authority(), authority(), authority());
    let relay = start(&scratch, settings(&scratch, &old, &clients)).await;
    let address = relay.address();
    let reached = async |trusted: &Authority| {
        send(address, trusted, Some(issued(&clients, "filter")), &[], &batch(&[])).await
    };
    assert_eq!(reached(&old).await, Ok(202));
    fs::write(scratch.join("relay.pem"), "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert_eq!(reached(&old).await, Ok(202), "the last good one");
    renew(&scratch, &new);
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert_eq!(reached(&new).await, Ok(202), "the new one");
    relay.shut_down().await;
}

#[tokio::test]
async fn key_and_certificate_that_do_not_fit_are_an_error_at_start() {
    let scratch = Scratch::new();
    let (server, clients) = (authority(), authority());
    let more = settings(&scratch, &server, &clients);
    fs::write(scratch.join("relay.key"), issued(&server, "localhost").1).unwrap();
    let error = alert_relay::Relay::start(common::config(&scratch, more)).await.err().unwrap();
    assert!(error.contains("tls.certificate_file"), "{error}");
}
