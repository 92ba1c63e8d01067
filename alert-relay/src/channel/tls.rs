//! TLS to a target, by rustls: the server's certificate and name are always checked.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
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

use crate::config::Trust;

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where to connect, and how.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dialer {
    /// In the clear if `trust` is none.
    ///
    /// # Errors
    /// When certificate or key cannot be used, or the host has no name that a certificate could have.
    pub(super) fn new(
        host: &str,
        port: u16,
        trust: Option<&Trust>,
        protocols: &[&[u8]],
    ) -> Result<Self, String> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match trust {
            None => None,
            Some(trust) => {
                let name = ServerName::try_from(host.clone()).map_err(|e| format!("{host:?}: {e}"))?;
                let mut config = client_config(trust)?;
                config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self { host, port, tls })
    }

    /// Connects; says which step failed.
    pub(super) async fn dial(&self, timeout: Duration) -> Result<Box<dyn Stream>, String> {
        let place = format!("{}:{}", self.host, self.port);
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return Err(format!("{place}: connect: {e}")),
            Err(_) => return Err(format!("{place}: connect: no answer within {timeout:?}")),
        };
        let _ = stream.set_nodelay(true);
        let Some((connector, name)) = &self.tls else { return Ok(Box::new(stream)) };
        match tokio::time::timeout(timeout, connector.connect(name.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(e)) => Err(format!("{place}: TLS: {e}")),
            Err(_) => Err(format!("{place}: TLS: no answer within {timeout:?}")),
        }
    }
}

fn client_config(trust: &Trust) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in trust.ca.as_deref().map(CertificateDer::pem_slice_iter).into_iter().flatten() {
        let certificate = certificate.map_err(|e| format!("ca_file: {e}"))?;
        roots.add(certificate).map_err(|e| format!("ca_file: {e}"))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be set up: {e}"))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = &trust.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| format!("certificate_file: {e}"))?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|e| format!("key_file: {e}"))?;
    builder.with_client_auth_cert(chain, key).map_err(|e| format!("certificate_file: {e}"))
}
