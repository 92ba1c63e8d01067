//! TLS of the HTTP server, by rustls: certificates that are read anew when their files change, and clients that show
//! one of their own.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};

use crate::{config::ServerTls, notice};

/// How often the files are looked at, at most; only connections make it happen.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Makes TLS of connections.
pub(crate) struct Acceptor {
    files: ServerTls,
    state: Mutex<State>,
}

struct State {
    config: Arc<ServerConfig>,
    changed: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or key and certificate do not fit.
    pub(crate) fn new(files: ServerTls) -> Result<Self, String> {
        let changed = changed(&files);
        let config = read(&files)?;
        Ok(Self { files, state: Mutex::new(State { config, changed, looked: Instant::now() }) })
    }

    /// With the certificates as they are now; with the last good ones, while those cannot be used.
    pub(crate) fn current(&self) -> TlsAcceptor {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_EVERY {
            state.looked = Instant::now();
            let now = changed(&self.files);
            if now != state.changed {
                state.changed = now;
                match read(&self.files) {
                    Ok(config) => {
                        state.config = config;
                        notice::info!("tls: the certificate was read anew");
                    }
                    Err(e) => notice::error!("tls: the last good certificate stays in use: {e}"),
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&state.config))
    }
}

fn changed(files: &ServerTls) -> Vec<Option<SystemTime>> {
    let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    let modified = |path: &Path| std::fs::metadata(path).and_then(|it| it.modified()).ok();
    paths.into_iter().flatten().map(|path| modified(path)).collect()
}

fn read(files: &ServerTls) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| format!("tls.key_file: {}: {e}", files.key.display()))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be set up: {e}"))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|e| format!("tls.client_ca_file: {e}"))?;
            }
            // Who shows none can still sign, or show the token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|e| format!("tls.client_ca_file: {e}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|e| format!("tls.certificate_file: {e}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("{} holds no certificate", path.display())),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}
