//! Posting JSON: one connection a message, no redirects, bounded in time and in what is read back.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;

use super::{Failure, MAX_SAID_CHARS, Receipt, tls::Dialer};
use crate::{
    alert::clean::clean,
    config::{Endpoint, Secret},
};

/// Bytes read of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Room for an answer's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The longest pause that another side may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// As much of it as is read.
    pub(super) body: Vec<u8>,
}

/// Posts to one address.
pub(super) struct Poster {
    dialer: Dialer,
    host: HeaderValue,
    path: String,
    authorization: Option<HeaderValue>,
    /// What is not to be heard of again, should the other side send it back.
    secrets: Vec<Secret>,
    timeout: Duration,
}

impl Poster {
    /// Prepares what needs no network.
    ///
    /// # Errors
    /// When the address or a certificate cannot be used.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, String> {
        let dialer = Dialer::new(&endpoint.host, endpoint.port, endpoint.tls.as_ref(), &[b"http/1.1"])?;
        let usual = if endpoint.tls.is_some() { 443 } else { 80 };
        let host = match endpoint.port == usual {
            true => endpoint.host.clone(),
            false => format!("{}:{}", endpoint.host, endpoint.port),
        };
        let mut authorization = None;
        if let Some(secret) = &endpoint.authorization {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| "authorization: not the value of a header".to_owned())?;
            value.set_sensitive(true);
            authorization = Some(value);
        }
        let path = Some(&endpoint.path).filter(|path| path.expose().len() > 1);
        // With its scheme, and what stands behind that.
        let words =
            endpoint.authorization.iter().flat_map(|secret| secret.expose().split_whitespace().last());
        let secrets =
            endpoint.authorization.iter().chain(path).cloned().chain(words.map(Secret::new)).collect();
        Ok(Self {
            dialer,
            secrets,
            host: HeaderValue::from_str(&host).map_err(|e| e.to_string())?,
            path: endpoint.path.expose().to_owned(),
            authorization,
            timeout: endpoint.timeout,
        })
    }

    /// With another secret, which is in what is posted.
    pub(super) fn hiding(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Longest time a post may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Posts, and judges the answer by its status alone.
    pub(super) async fn deliver(
        &self,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<Receipt, Failure> {
        let answer = self.post(headers, body).await?;
        if answer.status.is_success() { Ok(answer.receipt()) } else { Err(answer.failure()) }
    }

    /// Posts; a failure means that there is no whole answer.
    pub(super) async fn post(
        &self,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<Answer, Failure> {
        match tokio::time::timeout(self.timeout, self.exchange(headers, body)).await {
            Ok(result) => result
                .map(|answer| Answer { body: without(answer.body, &self.secrets), ..answer })
                .map_err(|said| Failure::temporary(clean(&said, MAX_SAID_CHARS))),
            Err(_) => Err(Failure::temporary(format!("no answer within {:?}", self.timeout))),
        }
    }

    async fn exchange(&self, headers: &[(&'static str, String)], body: String) -> Result<Answer, String> {
        let mut request = Request::post(&self.path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("modelgate-alert-relay/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close");
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())?;
        let stream = TokioIo::new(self.dialer.dial(self.timeout).await?);
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake::<_, Full<Bytes>>(stream)
            .await
            .map_err(|e| format!("HTTP: {e}"))?;
        // The connection is driven here and nowhere else, so that it ends with this call.
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|e| format!("HTTP: {e}"))?;
            let (status, retry_after) = (response.status(), retry_after(response.headers()));
            Ok(Answer { status, retry_after, body: read(response.into_body()).await })
        };
        tokio::pin!(exchange);
        tokio::select! {
            result = &mut exchange => result,
            ended = connection => match ended {
                // All is there; what remains is in the channel.
                Ok(()) => exchange.await,
                Err(e) => Err(format!("HTTP: {e}")),
            },
        }
    }
}

/// The body up to the limit. That the rest is missing or broken does not change what the status said.
async fn read(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        let room = MAX_ANSWER_BYTES.saturating_sub(bytes.len());
        bytes.extend(data.iter().take(room));
        if bytes.len() >= MAX_ANSWER_BYTES {
            break;
        }
    }
    bytes
}

/// Servers like to repeat what they do not understand, and what they said is kept and shown.
fn without(body: Vec<u8>, secrets: &[Secret]) -> Vec<u8> {
    let hide = |text: String, secret: &Secret| text.replace(secret.expose(), "[hidden]");
    secrets
        .iter()
        .filter(|secret| !secret.expose().is_empty())
        .fold(String::from_utf8_lossy(&body).into_owned(), hide)
        .into_bytes()
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

impl Answer {
    /// What was said, on one line.
    pub(super) fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        clean(format!("{} {}", self.status, text.trim()).trim(), MAX_SAID_CHARS)
    }

    /// That it was taken.
    pub(super) fn receipt(&self) -> Receipt {
        Receipt(self.said())
    }

    /// 408, 425, 429 and 5xx can be tried again. Another 4xx speaks about the message or the configuration, and a
    /// redirect is not followed: a person has to look at either.
    pub(super) fn failure(&self) -> Failure {
        let again = matches!(self.status.as_u16(), 408 | 425 | 429) || self.status.is_server_error();
        match again {
            true => Failure::Temporary { said: self.said(), after: self.retry_after },
            false => Failure::Permanent(self.said()),
        }
    }
}
